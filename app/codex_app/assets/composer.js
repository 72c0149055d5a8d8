// Where a person writes: Enter sends or steers, Tab queues while a turn runs, @ finds files, / names commands.
import {keep, kept, make} from '/assets/dom.js'

const id = () => [...crypto.getRandomValues(new Uint8Array(12))].map(byte => byte.toString(16).padStart(2, '0')).join('')

export class Composer {
  constructor({send, files, registry, failed}) {
    Object.assign(this, {send, files, registry, failed})
    this.thread = ''
    this.busy = false
    this.queue = []
    this.hits = []
    this.at = 0
    this.asked = 0
    this.list = make('ul', {role: 'listbox', id: 'suggestions', cls: 'popup', 'aria-label': 'Suggestions', hidden: true})
    this.text = make('textarea', {
      rows: '1', 'aria-label': 'Message', 'aria-controls': 'suggestions', 'aria-autocomplete': 'list',
      placeholder: 'Ask for something …   @ file   / command', spellcheck: 'false', autocomplete: 'off',
      on: {input: () => this.typed(), keydown: event => this.key(event), blur: () => setTimeout(() => this.offer([]), 150)},
    })
    this.queued = make('ul', {cls: 'queued', 'aria-label': 'Queued messages', hidden: true})
    this.stop = make('button', {type: 'button', cls: 'stop', hidden: true, on: {click: () => registry.run('stop')}}, 'Stop ', make('kbd', {text: 'Esc'}))
    this.go = make('button', {type: 'submit', cls: 'go'}, make('span', {text: 'Send'}), ' ', make('kbd', {text: '⏎'}))
    this.element = make('form', {cls: 'composer', on: {submit: event => { event.preventDefault(); this.submit() }}},
      this.queued, this.list, make('div', {cls: 'field'}, this.text, this.stop, this.go))
  }

  show(thread) {
    if (thread === this.thread) return
    const moved = !this.thread.startsWith('0') && this.text.value
    this.thread = thread
    if (!moved) this.text.value = kept(`draft.${thread}`)
    try { this.queue = JSON.parse(kept(`queue.${thread}`) || '[]') } catch { this.queue = [] }
    this.drawQueue()
    this.fit()
  }

  state(busy) {
    const ended = this.busy && !busy
    this.busy = busy
    this.stop.hidden = !busy
    this.go.firstChild.textContent = busy ? 'Steer' : 'Send'
    this.text.placeholder = busy ? 'Enter steers the running turn, Tab queues …' : 'Ask for something …   @ file   / command'
    if (ended && this.queue.length) { const next = this.queue.shift(); this.drawQueue(); this.deliver(next) }
  }

  fill(text) { this.text.value = text; this.typed(); this.text.focus() }

  submit() {
    const text = this.text.value.trim()
    if (!text) return
    this.offer([])
    const asked = this.registry.parse(text)
    this.text.value = ''
    this.typed()
    if (asked) this.registry.run(asked.command.name, asked.words)
    else this.deliver({id: id(), text})
  }

  async deliver(message) {
    try { await this.send(message) } catch (error) {
      if (!this.text.value) this.fill(message.text)
      this.failed(error.message)
    }
  }

  typed() {
    keep(`draft.${this.thread}`, this.text.value)
    this.fit()
    const before = this.text.value.slice(0, this.text.selectionStart)
    const command = /^\/(\S*)$/.exec(before)
    const file = /(?:^|\s)@(\S*)$/.exec(before)
    const asked = ++this.asked
    if (command) this.offer(this.registry.offered(command[1]).slice(0, 8).map(({item}) => ({text: '/' + item.name, about: item.about, use: () => this.replace(before.length, '/' + item.name + (item.argument ? ' ' : ''), !item.argument)})))
    else if (file && file[1]) this.files(file[1]).then(found => {
      if (asked === this.asked) this.offer(found.map(path => ({text: path, use: () => this.replace(file[1].length + 1, path + ' ')})))
    }, () => {})
    else this.offer([])
  }

  replace(length, text, send = false) {
    const end = this.text.selectionStart
    this.text.setRangeText(text, end - length, end, 'end')
    this.asked++
    this.offer([])
    keep(`draft.${this.thread}`, this.text.value)
    if (send) this.submit()
  }

  offer(hits) {
    this.hits = hits
    this.at = 0
    this.list.hidden = !hits.length
    this.list.replaceChildren(...hits.map((hit, at) => make('li', {role: 'option', id: `hit${at}`, on: {mousedown: event => { event.preventDefault(); hit.use() }}},
      make('span', {text: hit.text}), hit.about ? make('span', {cls: 'small', text: hit.about}) : null)))
    this.mark()
  }

  mark() {
    ;[...this.list.children].forEach((li, at) => li.setAttribute('aria-selected', String(at === this.at)))
    this.hits.length ? this.text.setAttribute('aria-activedescendant', `hit${this.at}`) : this.text.removeAttribute('aria-activedescendant')
  }

  key(event) {
    if (event.isComposing) return
    if (this.hits.length) {
      const step = {ArrowDown: 1, ArrowUp: -1}[event.key]
      if (step) { this.at = (this.at + step + this.hits.length) % this.hits.length; this.mark(); event.preventDefault(); return }
      if (event.key === 'Tab' || (event.key === 'Enter' && !event.shiftKey)) { this.hits[this.at].use(); event.preventDefault(); return }
      if (event.key === 'Escape') { this.offer([]); event.preventDefault(); event.stopPropagation(); return }
    }
    if (event.key === 'Enter' && !event.shiftKey) { event.preventDefault(); if (!event.repeat) this.submit() }
    else if (event.key === 'Tab' && !event.shiftKey && this.busy && this.text.value.trim()) {
      event.preventDefault()
      this.queue.push({id: id(), text: this.text.value.trim()})
      this.text.value = ''
      this.typed()
      this.drawQueue()
    }
  }

  drawQueue() {
    keep(`queue.${this.thread}`, this.queue.length ? JSON.stringify(this.queue) : '')
    this.queued.hidden = !this.queue.length
    this.queued.replaceChildren(...this.queue.map((message, at) => make('li', {},
      make('span', {cls: 'small', text: 'next:'}), make('span', {cls: 'what', text: message.text}),
      make('button', {type: 'button', text: 'edit', on: {click: () => { this.queue.splice(at, 1); this.drawQueue(); this.fill(message.text) }}}),
      make('button', {type: 'button', text: 'remove', on: {click: () => { this.queue.splice(at, 1); this.drawQueue() }}}))))
  }

  fit() {
    this.text.style.height = 'auto'
    this.text.style.height = `${Math.min(this.text.scrollHeight, innerHeight * 0.4)}px`
  }
}
