// The threads of this machine as tiles: those that wait for a person first, then those that work, then the rest by day.
import {ago, make} from '/assets/dom.js'
import {ThreadFilter} from '/assets/thread_filter.js'
import {tileMenu} from '/assets/thread_menu.js'

const DAY = 86400
const GROUPS = [['asking', 'Waiting for you'], ['working', 'Running'], ['today', 'Today'], ['yesterday', 'Yesterday'], ['older', 'Older']]
const MIDNIGHT = () => new Date().setHours(0, 0, 0, 0) / 1000

const groupOf = thread => {
  if (thread.state === 'asking') return 'asking'
  if (thread.state === 'working' || thread.state === 'elsewhere') return 'working'
  const midnight = MIDNIGHT()
  return thread.updated >= midnight ? 'today' : thread.updated >= midnight - DAY ? 'yesterday' : 'older'
}
const doing = thread => thread.state === 'asking' ? thread.doing || 'asks you'
  : thread.state === 'working' ? thread.doing || 'works' : thread.state === 'elsewhere' ? 'runs in another program' : thread.failed ? 'failed' : ''

export class ThreadList {
  // `open(id)`, `newThread()`, `newElsewhere()`, `ask(message)`, `say(text)`, `back()`.
  constructor(page) {
    this.page = page
    this.threads = []      // all, as the server tells them
    this.shown = []        // what the filter leaves
    this.current = ''
    this.tiles = make('ul', {cls: 'tiles', on: {keydown: event => this.key(event)}})
    this.filter = new ThreadFilter({changed: () => this.refresh(), down: () => this.tiles.querySelector('.tile')?.focus()})
    this.element = make('nav', {id: 'threads', 'aria-label': 'Threads'},
      make('div', {cls: 'brand'}, make('h1', {text: 'Codex'}),
        make('button', {type: 'button', cls: 'new', title: 'A new thread in this directory', on: {click: page.newThread}}, 'New ', make('kbd', {text: 'Alt N'})),
        make('button', {type: 'button', cls: 'new', title: 'A new thread in another directory', 'aria-label': 'New thread in another directory', text: 'in …', on: {click: page.newElsewhere}})),
      this.filter.element, this.tiles)
  }

  // How many wait, `except` one.
  waiting(except = '') { return this.threads.filter(thread => thread.state === 'asking' && thread.id !== except).length }

  // Directories in which there are threads, the latest first.
  directories() { return [...new Set(this.threads.map(thread => thread.path).filter(Boolean))] }

  draw(threads, current) {
    this.threads = threads
    this.current = current
    if (this.filter.active()) this.refresh()
    else this.show(threads)
  }

  async refresh() {
    if (!this.filter.active()) return this.show(this.threads)
    const asked = this.asked = {}
    try {
      const found = await this.page.ask({type: 'threads', ...this.filter.values})
      if (asked === this.asked && this.filter.active()) this.show(found)
    } catch (error) { if (asked === this.asked) this.page.say(error.message) }
  }

  show(threads) {
    this.shown = threads
    const focused = document.activeElement?.dataset?.thread
    this.tiles.replaceChildren(...GROUPS.flatMap(([key, name]) => {
      const found = threads.filter(thread => groupOf(thread) === key)
      return found.length ? [make('li', {cls: `group ${key}`}, make('h2', {text: key === 'asking' ? `${name} (${found.length})` : name})), ...found.map(thread => this.tile(thread))] : []
    }))
    if (!threads.length) this.tiles.append(make('li', {cls: 'none small', text: this.filter.active() ? 'No thread is left by this filter.' : 'No threads yet.'}))
    if (focused) this.tiles.querySelector(`[data-thread="${CSS.escape(focused)}"]`)?.focus()
  }

  tile(thread) {
    const exact = new Date(thread.updated * 1000)
    const now = doing(thread)
    return make('li', {cls: 'row'},
      make('button', {type: 'button', cls: `tile ${thread.state}${thread.failed ? ' failed' : ''}`, 'data-thread': thread.id, 'aria-current': thread.id === this.current ? 'true' : null, on: {click: () => this.page.open(thread.id)}},
        make('span', {cls: 'name', text: thread.name}),
        now ? make('span', {cls: 'doing small', text: now}) : null,
        make('span', {cls: 'small facts-line'}, make('span', {text: thread.directory, title: thread.path}), thread.branch ? make('span', {text: `⎇ ${thread.branch}`}) : null,
          thread.tokens ? make('span', {text: short(thread.tokens), title: `${thread.tokens.toLocaleString()} tokens`}) : null,
          make('time', {title: exact.toLocaleString(), datetime: exact.toISOString(), text: ago(thread.updated)}))),
      make('button', {type: 'button', cls: 'more', 'aria-label': `More about ${thread.name}`, title: 'Rename, archive, delete …', text: '⋯', on: {click: () => this.menu(thread)}}))
  }

  menu(thread, what) {
    tileMenu(thread, {...this.page, filter: this.filter, gone: () => { if (thread.id === this.current) this.page.newThread() }, changed: () => this.refresh()}, what)
  }

  key(event) {
    const rows = [...this.tiles.querySelectorAll('.tile')]
    const at = rows.findIndex(row => row.parentElement.contains(document.activeElement))
    if (at < 0) return
    const to = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1}[event.key]
    const thread = this.shown.find(one => one.id === rows[at].dataset.thread)
    if (to !== undefined) { if (to < 0) this.filter.field.focus(); else rows[Math.min(to, rows.length - 1)].focus() }
    else if (event.key === 'ArrowRight') rows[at].nextElementSibling.focus()
    else if (event.key === 'ArrowLeft') rows[at].focus()
    else if (event.key === 'F2') this.menu(thread, 'rename')
    else if (event.key === 'Delete') this.menu(thread, 'delete')
    else return
    event.preventDefault()
  }

  // Show or hide; where there is no room for both, over the conversation.
  toggle() {
    const over = matchMedia('(max-width: 1099px)').matches
    document.body.classList.toggle(over ? 'threads-open' : 'threads-closed')
    const visible = over === document.body.classList.contains(over ? 'threads-open' : 'threads-closed')
    if (visible) (this.tiles.querySelector('[aria-current]') || this.tiles.querySelector('.tile') || this.filter.field).focus()
    else this.page.back()
  }

  // Whether the list lay over the conversation; it does not any more.
  close() {
    const was = document.body.classList.contains('threads-open')
    document.body.classList.remove('threads-open')
    return was
  }
}

const short = tokens => tokens >= 1e6 ? `${(tokens / 1e6).toFixed(1)}M` : tokens >= 1000 ? `${Math.round(tokens / 1000)}k` : String(tokens)
