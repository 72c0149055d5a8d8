// The inspector at the right: tabs; some are plain DOM of ours, some live in the one frame that Panel serves.
import {keep, kept, make} from '/assets/dom.js'

const START_MS = 90000   // a busy machine takes long to load Panel
const RETRY_MS = 1500
const LIVE_MS = 1000

export class Inspector {
  // told: {busy() -> whether a turn runs, go(place): show it in the conversation, back(): the focus where one writes}
  constructor(told) {
    this.told = told
    this.tabs = new Map()
    this.tab = ''
    this.thread = ''
    this.list = make('div', {role: 'tablist', 'aria-label': 'Inspector', cls: 'tabs', on: {keydown: event => this.arrow(event)}})
    this.closer = make('button', {type: 'button', cls: 'plain', title: 'Close the inspector', on: {click: () => this.close()}}, 'Close ', make('kbd', {text: 'Esc'}))
    this.body = make('div', {cls: 'inspected'})
    this.element = make('aside', {id: 'inspector', 'aria-label': 'Inspector', hidden: true, on: {keydown: event => {
      if (event.key === 'Escape' && !event.defaultPrevented && !this.told.busy()) {   // while a turn runs Esc stops it, and only that
        event.preventDefault(); event.stopPropagation(); this.close() }
    }}}, make('div', {cls: 'bar'}, this.list, this.closer), this.body)
    this.frame = new Frame(this)
    new MutationObserver(() => this.tell()).observe(document.body, {attributes: true, attributeFilter: ['class']})
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.tell())
    addEventListener('visibilitychange', () => this.tell())
  }

  // A tab of plain DOM: `show(element)` is called when it is opened and whenever another thread is shown while it is open
  // (`live`: whenever the thread's state changes too, at most once a second), `hide()` when it is left.
  register({id, name, show, hide = () => {}, live = false}) {
    const panel = make('div', {role: 'tabpanel', id: `inspect-${id}`, 'aria-labelledby': `inspect-${id}-tab`, tabindex: '0', hidden: true})
    const tab = make('button', {type: 'button', role: 'tab', id: `inspect-${id}-tab`, 'aria-controls': panel.id, 'aria-selected': 'false', tabindex: '-1', text: name, on: {click: () => this.open(id)}})
    this.tabs.set(id, {panel, tab, show: () => show(panel), hide, live})
    this.list.append(tab)
    this.body.append(panel)
  }

  // A tab that Panel draws.
  framed(id, name, view) {
    this.register({id, name, show: panel => this.frame.show(panel, view), hide: () => this.frame.end()})
    this.tabs.get(id).panel.classList.add('framed')
  }

  get opened() { return !this.element.hidden }

  open(id = this.tab || kept('codex.inspector') || this.tabs.keys().next().value, focus = true) {
    if (!this.tabs.has(id)) return
    const before = this.tabs.get(this.tab)
    this.tab = id
    keep('codex.inspector', id)
    this.element.hidden = false
    document.body.classList.add('inspecting')
    for (const [name, {panel, tab}] of this.tabs) {
      panel.hidden = name !== id
      tab.setAttribute('aria-selected', String(name === id))
      tab.tabIndex = name === id ? 0 : -1
    }
    const now = this.tabs.get(id)
    if (before && before !== now) before.hide()
    now.show()
    if (focus) now.tab.focus()
  }

  toggle(id) {
    if (this.opened && (!id || id === this.tab)) this.close()
    else this.open(id)
  }

  close() {
    if (!this.opened) return
    this.tabs.get(this.tab)?.hide()
    this.element.hidden = true
    document.body.classList.remove('inspecting')
    this.frame.end()
    this.told.back()
  }

  // Another thread is shown now.
  shown(thread) {
    if (thread === this.thread) return
    this.thread = thread
    this.frame.end()
    if (this.opened) this.tabs.get(this.tab)?.show()
  }

  // The thread's state has changed.
  changed() {
    if (!this.opened || this.later || !this.tabs.get(this.tab)?.live) return
    this.later = setTimeout(() => {
      this.later = null
      const tab = this.tabs.get(this.tab)
      if (this.opened && !document.hidden && tab.live) tab.show()
    }, LIVE_MS)
  }

  tell() { this.frame.tell() }

  arrow(event) {
    const ids = [...this.tabs.keys()]
    const at = ids.indexOf(this.tab)
    const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: ids.length - 1}[event.key]
    if (to === undefined) return
    event.preventDefault()
    this.open(ids[(to + ids.length) % ids.length])
  }
}

// Panel's document. It is there while one of its tabs is open, and nothing of it runs before or after.
class Frame {
  constructor(inspector) {
    this.inspector = inspector
    this.note = make('p', {cls: 'frame-note small', role: 'status'})
    this.element = null
    this.panel = null
    addEventListener('message', event => {
      if (event.origin === location.origin && this.element && event.source === this.element.contentWindow) this.take(event.data)
    })
  }

  async show(panel, view) {
    const {thread} = this.inspector
    if (this.element && this.panel === panel && this.thread === thread) return this.tell()
    this.end()
    Object.assign(this, {panel, view, thread})
    const mine = this.mine = {}
    panel.append(this.note)
    this.note.textContent = thread ? 'Loading …' : 'There is no thread yet.'
    if (!thread) return
    const {problem, away} = await this.ready()
    if (mine !== this.mine) return
    if (away) this.again()
    if (problem) { this.note.textContent = problem; return }
    this.element = make('iframe', {title: `${this.inspector.tabs.get(this.inspector.tab).tab.textContent} of this thread`, src: `/panel/inspector?view=${view}&thread=${encodeURIComponent(thread)}`})
    panel.append(this.element)
    this.timer = setTimeout(() => this.take({say: 'failed', text: 'Plots and settings do not answer; close the inspector and open it again.'}), START_MS)
  }

  // What stands against it; `away`: the server does not answer at all.
  async ready() {
    try {
      const answer = await fetch('/panel/ready')
      return {problem: answer.ok ? '' : await answer.text()}
    } catch { return {problem: 'The server does not answer; this comes back with it.', away: true} }
  }

  again() {
    const {panel, view} = this
    this.retry = setTimeout(() => { if (this.inspector.opened && !panel.hidden) this.show(panel, view) }, RETRY_MS)
  }

  take(message) {
    const {say} = message || {}
    if (say === 'ready') {
      clearTimeout(this.timer)
      this.note.remove()
      this.tell()
    } else if (say === 'failed') {
      clearTimeout(this.timer)
      this.element?.remove()
      this.element = null
      this.note.textContent = String(message.text)
      this.panel.append(this.note)
    } else if (say === 'lost') {
      this.end()
      this.again()
    } else if (say === 'go') this.inspector.told.go(String(message.place))
    else if (say === 'key') document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: message.key, code: message.code, altKey: message.alt, bubbles: true, cancelable: true}))
  }

  // What of it can be seen, and in which colours.
  tell() {
    if (!this.element) return
    const seen = this.inspector.opened && !document.hidden
    this.element.contentWindow?.postMessage({seen, dark: getComputedStyle(document.body).colorScheme === 'dark'}, location.origin)
  }

  end() {
    clearTimeout(this.timer)
    clearTimeout(this.retry)
    this.mine = null
    this.element?.remove()
    this.element = null
    this.note.remove()
  }
}
