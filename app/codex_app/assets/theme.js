// Dark, light, or as the system has it; kept in this browser.
const KEY = 'codex.theme'
const THEMES = ['system', 'light', 'dark']

export const theme = () => { try { return THEMES.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : 'system' } catch { return 'system' } }

export const wear = (name = theme()) => {
  try { name === 'system' ? localStorage.removeItem(KEY) : localStorage.setItem(KEY, name) } catch {}
  document.body.classList.toggle('light', name === 'light')
  document.body.classList.toggle('dark', name === 'dark')
  dispatchEvent(new CustomEvent('codex-theme', {detail: name}))
}

export const THEME_CHOICES = [['system', 'As the system', 'follows its setting'], ['light', 'Light', 'always'], ['dark', 'Dark', 'always']]
// Another tab changed it.
addEventListener('storage', event => { if (event.key === KEY) wear() })
