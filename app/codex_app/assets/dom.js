// Small helpers: elements, and the browser's own memory, which may be switched off.
export const make = (tag, options = {}, ...children) => {
  const {cls, text, on, ...rest} = options
  const element = document.createElement(tag)
  if (cls) element.className = cls
  if (text != null) element.textContent = text
  for (const [name, value] of Object.entries(rest)) {
    if (value === true) element.setAttribute(name, '')
    else if (value !== false && value != null) element.setAttribute(name, value)
  }
  for (const [name, handler] of Object.entries(on || {})) element.addEventListener(name, handler)
  element.append(...children.filter(child => child != null))
  return element
}

// The only place where HTML enters the page. It comes from `codex_render` alone: escaped, then cleaned by an allow-list.
export const setHtml = (element, html) => { element.innerHTML = html; return element }
export const addHtml = (element, html) => element.insertAdjacentHTML('beforeend', html)

export const keep = (key, value) => { try { value ? sessionStorage.setItem(key, value) : sessionStorage.removeItem(key) } catch {} }
export const kept = key => { try { return sessionStorage.getItem(key) || '' } catch { return '' } }

// The same for what outlives the tab: drafts and queued messages. The oldest drafts make room.
const DRAFTS = 60
export const remember = (key, value) => {
  try {
    value ? localStorage.setItem(key, value) : localStorage.removeItem(key)
    const drafts = Object.keys(localStorage).filter(name => name.startsWith('draft.')).sort()
    for (const name of drafts.slice(0, -DRAFTS)) localStorage.removeItem(name)
  } catch {}
}
export const remembered = key => { try { return localStorage.getItem(key) || '' } catch { return '' } }

export const ago = seconds => {
  const s = Math.max(0, Date.now() / 1000 - seconds)
  if (s < 60) return 'now'
  if (s < 3600) return `${Math.floor(s / 60)} min`
  if (s < 86400) return `${Math.floor(s / 3600)} h`
  return `${Math.floor(s / 86400)} d`
}

// For what is taken once however often it is sent.
export const newId = () => [...crypto.getRandomValues(new Uint8Array(12))].map(byte => byte.toString(16).padStart(2, '0')).join('')
