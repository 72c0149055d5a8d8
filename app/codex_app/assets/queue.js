// Messages that wait for the running turn to end: seen, edited, taken out. Kept in the browser, for all its tabs.
import {make, remember, remembered} from '/assets/dom.js'

export class Queue {
  // `edit(message)`: back into the field; `send(message)`: now.
  constructor({edit, send}) {
    Object.assign(this, {edit, send})
    this.thread = ''
    this.busy = false
    this.element = make('ul', {cls: 'queued', 'aria-label': 'Queued messages', hidden: true})
    addEventListener('storage', event => { if (event.key === this.key) this.draw() })
  }

  get key() { return `queue.${this.thread}` }

  // Read anew each time: another tab may have sent or removed one.
  get messages() { try { return JSON.parse(remembered(this.key) || '[]') } catch { return [] } }

  set messages(messages) { remember(this.key, messages.length ? JSON.stringify(messages) : ''); this.draw() }

  show(thread) { this.thread = thread; this.draw() }

  state(busy) { this.busy = busy; this.draw() }

  add(message) { this.messages = [...this.messages, message] }

  // The oldest, taken out; undefined for none.
  next() { const [first, ...rest] = this.messages; if (first) this.messages = rest; return first }

  all() { const all = this.messages; if (all.length) this.messages = []; return all }

  take(message) { this.messages = this.messages.filter(({id}) => id !== message.id); return message }

  draw() {
    const messages = this.messages
    this.element.hidden = !messages.length
    this.element.replaceChildren(...messages.map(message => make('li', {},
      make('span', {cls: 'small', text: this.busy ? 'next:' : 'waiting:'}), make('span', {cls: 'what', text: message.text, title: message.text}),
      message.files?.length ? make('span', {cls: 'small', text: `${message.files.length} file${message.files.length > 1 ? 's' : ''}`}) : null,
      this.busy ? null : make('button', {type: 'button', text: 'send', on: {click: () => this.send(this.take(message))}}),
      make('button', {type: 'button', text: 'edit', on: {click: () => this.edit(this.take(message))}}),
      make('button', {type: 'button', text: 'remove', on: {click: () => this.take(message)}}))))
  }
}
