// The threads of this machine as tiles: those that wait for a person first, then those that work, then the rest.
import {ago, make} from '/assets/dom.js'

const GROUPS = [['asking', 'Waiting for you'], ['working', 'Running'], ['other', 'Earlier']]
const groupOf = thread => ['asking', 'working'].includes(thread.state) ? thread.state : 'other'

export class ThreadList {
  constructor({open, newThread}) {
    this.open = open
    this.threads = []
    this.tiles = make('ul', {cls: 'tiles'})
    this.element = make('nav', {id: 'threads', 'aria-label': 'Threads'},
      make('div', {cls: 'brand'}, make('h1', {text: 'Codex'}), make('button', {type: 'button', cls: 'new', on: {click: newThread}}, 'New thread ', make('kbd', {text: 'Alt N'}))), this.tiles)
  }

  // How many wait, `except` one.
  waiting(except = '') { return this.threads.filter(thread => thread.state === 'asking' && thread.id !== except).length }

  draw(threads, current) {
    this.threads = threads
    const focused = document.activeElement?.dataset?.thread
    this.tiles.replaceChildren(...GROUPS.flatMap(([key, name]) => {
      const found = threads.filter(thread => groupOf(thread) === key)
      return found.length ? [make('li', {cls: `group ${key}`}, make('h2', {text: key === 'asking' ? `${name} (${found.length})` : name})), ...found.map(thread => this.tile(thread, current))] : []
    }))
    if (focused) this.tiles.querySelector(`[data-thread="${CSS.escape(focused)}"]`)?.focus()
  }

  tile(thread, current) {
    const exact = new Date(thread.updated * 1000)
    return make('li', {}, make('button', {type: 'button', cls: `tile ${thread.state}`, 'data-thread': thread.id, 'aria-current': thread.id === current ? 'true' : null, on: {click: () => this.open(thread.id)}},
      make('span', {cls: 'name', text: thread.name}),
      make('span', {cls: 'small'}, make('span', {text: thread.directory, title: thread.path}), thread.branch ? make('span', {text: thread.branch}) : null,
        make('time', {title: exact.toLocaleString(), text: ago(thread.updated)}))))
  }

  // Show or hide; where there is no room for both, over the conversation.
  toggle() {
    document.body.classList.toggle(matchMedia('(max-width: 1099px)').matches ? 'threads-open' : 'threads-closed')
    this.tiles.querySelector('button')?.focus()
  }

  // Whether the list lay over the conversation; it does not any more.
  close() {
    const was = document.body.classList.contains('threads-open')
    document.body.classList.remove('threads-open')
    return was
  }
}
