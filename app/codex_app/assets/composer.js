// Where a person writes: Enter sends or steers, Tab queues while a turn runs, @ finds files, / commands, $ skills.
import {Attachments} from '/assets/attachments.js'
import {make, newId, remember, remembered} from '/assets/dom.js'
import {ranked} from '/assets/fuzzy.js'
import {Past} from '/assets/past.js'
import {Pastes} from '/assets/pastes.js'
import {Popup} from '/assets/popup.js'
import {Queue} from '/assets/queue.js'
import {commandAt, tokenAt} from '/assets/tokens.js'

const IMAGE = /\.(png|jpe?g|gif|webp)$/i
const HINT = '@ file   / command   $ skill'

// What was written for a thread and not sent.
const drafted = thread => { try { return JSON.parse(remembered(`draft.${thread}`) || '{}') } catch { return {} } }

export class Composer {
  // `ask(message)`: of the server; `send(message)`: to the thread; `registry`: the commands.
  constructor({ask, send, registry, failed}) {
    Object.assign(this, {ask, send, registry, failed})
    this.thread = ''
    this.busy = false
    this.offers = {prompts: [], skills: []}
    this.asked = 0
    this.dismissed = null
    this.past = new Past(() => ask({type: 'past'}))
    this.pastes = new Pastes()
    this.going = new Set()   // messages that were sent and not answered for
    this.files = new Attachments({changed: () => this.keepDraft(), failed, place: () => this.thread, astray: (file, thread) => this.keepFor(thread, '', [file])})
    this.queue = new Queue({edit: message => this.fill(message.text, message.files), send: message => this.deliver(message)})
    this.text = make('textarea', {
      rows: '1', 'aria-label': 'Message', 'aria-controls': 'suggestions', 'aria-autocomplete': 'list', spellcheck: 'false', autocomplete: 'off',
      on: {
        input: () => this.typed(), keydown: event => this.key(event), paste: event => this.paste(event),
        blur: () => setTimeout(() => this.popup.hide(), 150), click: () => this.suggest(), focus: () => this.load(),
      },
    })
    this.popup = new Popup(this.text)
    this.hint = make('div', {cls: 'hint small', role: 'status', hidden: true})
    this.stop = make('button', {type: 'button', cls: 'stop', hidden: true, on: {click: () => registry.run('stop')}}, 'Stop ', make('kbd', {text: 'Esc'}))
    this.attach = make('button', {type: 'button', cls: 'plain attach', title: 'Attach files', 'aria-label': 'Attach files', on: {click: () => this.chooser.click()}}, '+')
    this.chooser = make('input', {type: 'file', multiple: true, hidden: true, tabindex: '-1', 'aria-hidden': 'true', on: {change: () => { this.files.take(this.chooser.files); this.chooser.value = '' }}})
    this.go = make('button', {type: 'submit', cls: 'go'}, make('span', {text: 'Send'}), ' ', make('kbd', {text: '⏎'}))
    this.element = make('form', {cls: 'composer', on: {submit: event => { event.preventDefault(); this.submit() }}},
      this.queue.element, this.files.element, this.popup.element, this.hint, make('div', {cls: 'field'}, this.attach, this.chooser, this.text, this.stop, this.go))
    addEventListener('pagehide', event => { if (!event.persisted) for (const {thread, text, files} of this.going) this.keepFor(thread, text, files) })
    this.state({busy: false}, true)
  }

  get empty() { return !this.text.value && !this.files.files.length }

  // Another thread is asked for: what is written from now on is for that one, though it is not there yet.
  turn(thread) {
    if (thread === this.thread) return
    this.busy = false   // turns of the thread before are not its own
    this.state({busy: false}, true)
    this.show(thread.startsWith('0') ? thread : '')
  }

  // Show the draft of a thread. What was written before there was a thread comes along.
  show(thread) {
    if (thread === this.thread) return
    const comes = !this.thread.startsWith('0') && !this.empty
    this.thread = thread
    this.offers = {prompts: [], skills: []}
    this.loaded = false
    this.queue.show(thread)
    if (!comes) this.restore(drafted(thread))
    else this.keepDraft()
    if (document.activeElement === this.text) this.load()
    this.fit()
  }

  // The field with this text and these files, for a thread that is yet to be shown.
  carry(text, files) {
    this.thread = ''
    this.restore({})
    this.fill(text, files)
  }

  // `fresh`: another thread, or all of this one anew; its turns are not counted on.
  state({busy, ended, turns_ended: turns = 0, read_only: readOnly}, fresh = false) {
    const over = !busy && (fresh ? this.busy : turns !== this.turns)  // a short turn may begin and end between two batches
    this.busy = !!busy
    this.turns = turns
    this.stop.hidden = !busy
    this.go.firstChild.textContent = busy ? 'Steer' : 'Send'
    this.text.placeholder = readOnly ? 'Another program writes this thread' : busy ? 'Enter steers, Tab queues …' : innerWidth < 700 ? 'Ask for something …' : `Ask for something …   ${HINT}`
    this.queue.state(this.busy)
    if (!over) return
    if (ended === 'aborted') this.giveBack()
    else if (ended) { const next = this.queue.next(); if (next) this.deliver(next) }
  }

  // After a stop nothing is sent by itself: what was queued stands in the field again, before what is there.
  giveBack() {
    const all = this.queue.all()
    if (!all.length) return
    this.back(this.thread, all.map(message => message.text).filter(Boolean).join('\n'), all.flatMap(message => message.files || []))
  }

  fill(text, files) {
    this.text.value = text
    if (files) this.files.set(files)
    this.text.setSelectionRange(text.length, text.length)
    this.typed()
    this.text.focus()
  }

  insert(text) {
    this.text.focus()
    this.text.setRangeText(text, this.text.selectionStart, this.text.selectionEnd, 'end')
    this.typed()
  }

  // Sending

  async submit() {
    const written = this.text.value.trim()
    if (!written && !this.files.files.length && !this.files.coming.size) return
    this.popup.hide()
    const command = this.files.files.length ? null : this.registry.parse(written)
    if (command) {
      this.clear()
      this.past.add(written)
      return this.registry.run(command.command.name, command.words)
    }
    const message = await this.message()
    if (message) this.deliver(message)
  }

  // The message that is in the field, which is empty then; null when there is none, a prompt cannot be used, or the
  // thread was left meanwhile.
  async message() {
    const {thread} = this
    await this.files.settled()
    if (thread && thread !== this.thread) return null
    const written = this.text.value.trim()
    const files = this.files.files
    const text = this.pastes.expand(written)
    if (!text && !files.length) return null
    if (written) this.past.add(text)
    this.clear()
    const prompt = /^\/(\S+)(?:\s+([\s\S]*))?$/.exec(text)
    if (!prompt || !this.offers.prompts.some(({name}) => name === prompt[1])) return {id: newId(), text, files}
    const expanded = await this.kept(thread, text, files, () => this.ask({type: 'expand', name: prompt[1], argument: prompt[2] || ''}))
    if (expanded === null) return null
    if (!thread || thread === this.thread) return {id: newId(), text: expanded, files}
    this.back(thread, text, files)
    return null
  }

  async deliver({id, text, files = []}) {
    await this.kept(this.thread, text, files, () => this.send({id, text, files: files.map(file => file.id ? {id: file.id} : {path: file.path})}))
  }

  // What `asking` answers; null when it fails. Then, and when the page is left first, the message is not lost.
  async kept(thread, text, files, asking) {
    const going = {thread, text, files}
    this.going.add(going)
    try { return await asking() } catch (error) {
      this.back(thread, text, files)
      this.failed(error.message)
      return null
    } finally { this.going.delete(going) }
  }

  // A message that was not taken stands in its thread's field again, before what is there.
  back(thread, text, files) {
    if (!thread || thread === this.thread) this.fill([text, this.text.value].filter(Boolean).join('\n'), [...files, ...this.files.files])
    else this.keepFor(thread, text, files)
  }

  async enqueue() { const message = await this.message(); if (message) this.queue.add(message) }

  clear() {
    this.text.value = ''
    this.files.set([])
    this.typed()
  }

  // Drafts

  restore(draft) {
    this.pastes = new Pastes(draft.pastes)
    this.files.set(draft.files)
    this.text.value = draft.text || ''
  }

  // For the field of a thread that is not shown, or of the page that comes after this one.
  keepFor(thread, text, files) {
    if (!thread) return
    const draft = drafted(thread)
    remember(`draft.${thread}`, JSON.stringify({...draft, text: [text, draft.text].filter(Boolean).join('\n'), files: [...files, ...(draft.files || [])]}))
  }

  keepDraft() {
    if (!this.thread) return
    const draft = {text: this.text.value, pastes: [...this.pastes.kept], files: this.files.files}
    remember(`draft.${this.thread}`, this.empty ? '' : JSON.stringify(draft))
  }

  typed() {
    this.pastes.prune(this.text.value)
    this.keepDraft()
    this.fit()
    this.suggest()
  }

  fit() {
    this.text.style.height = 'auto'
    this.text.style.height = `${Math.min(this.text.scrollHeight, innerHeight * 0.4)}px`
  }

  // Suggestions

  // Prompts and skills, once per thread.
  async load() {
    if (this.loaded || !this.thread.startsWith('0')) return
    this.loaded = true
    try { this.offers = await this.ask({type: 'suggest'}) } catch { this.loaded = false }
  }

  suggest() {
    const {value, selectionStart: caret} = this.text
    const asked = ++this.asked
    const command = commandAt(value, caret)
    const file = !command && tokenAt(value, caret, '@')
    const skill = !command && !file && tokenAt(value, caret, '$')
    const token = command || file || skill
    if (!token || this.dismissed === value.slice(token.start, token.end)) {
      if (!token) this.dismissed = null
      return this.popup.hide()
    }
    this.dismissed = null
    if (command) this.popup.show(this.commandRows(command))
    else if (skill) this.popup.show(ranked(this.offers.skills, skill.query, ({name}) => name).map(({item, indices}) => this.row(skill, '$', item, indices, `$${item.name} `)))
    else if (!file.query) this.popup.show([], 'Type a part of a path')
    else this.ask({type: 'files', query: file.query}).then(found => {
      if (asked === this.asked) this.popup.show(found.map(hit => this.fileRow(file, hit)), 'No file matches')
    }, () => {})
  }

  row(token, sign, item, indices, text) {
    return {text: sign + item.name, at: indices.map(at => at + 1), about: item.about, use: () => this.replace(token, text)}
  }

  commandRows(token) {
    const all = [...this.registry.table, ...this.offers.prompts.filter(({name}) => !this.registry.find(name))]
    return ranked(all, token.query, ({name}) => name).map(({item, indices}) => ({
      ...this.row(token, '/', item, indices),
      about: [item.argument, item.idle && this.busy ? 'waits for the turn to end' : item.about].filter(Boolean).join('  '),
      use: how => { this.replace(token, `/${item.name}${how === 'tab' || item.argument ? ' ' : ''}`); if (how === 'enter' && !/^[^[]/.test(item.argument || '')) this.submit() },
    }))
  }

  fileRow(token, {path, shown, at}) {
    const name = [...shown].length - [...shown.replace(/\/$/, '').split('/').pop()].length - (shown.endsWith('/') ? 1 : 0)
    return {text: shown, at, dim: name, use: () => {
      if (!IMAGE.test(path)) return this.replace(token, `${path} `)
      this.replace(token, '')
      this.files.add({path, name: shown.split('/').pop(), kind: 'image/file'})
    }}
  }

  replace(token, text) {
    const {value, selectionStart: caret} = this.text
    // While an answer is under way the list is that of an earlier moment: what was typed since belongs to the same word.
    const now = commandAt(value, caret) || tokenAt(value, caret, '@') || tokenAt(value, caret, '$')
    const {start, end} = now && now.start === token.start ? now : token
    this.text.setRangeText(text, start, text.endsWith(' ') && value[end] === ' ' ? end + 1 : end, 'end')
    this.asked++
    this.pastes.prune(this.text.value)
    this.keepDraft()
    this.fit()
    this.popup.hide()
  }

  // Keys and pastes

  key(event) {
    if (event.isComposing) return
    const {value, selectionStart: caret, selectionEnd: end} = this.text
    if (event.key === 'Escape' && this.popup.open) {
      const token = commandAt(value, caret) || tokenAt(value, caret, '@') || tokenAt(value, caret, '$')
      this.dismissed = token && value.slice(token.start, token.end)
      this.popup.hide()
    } else if (this.popup.key(event)) {
      // it was for the list
    } else if (event.key === 'Enter' && !event.shiftKey && !event.altKey && !event.ctrlKey) {
      if (!event.repeat) this.submit()
    } else if (event.key === 'Enter' && (event.altKey || event.ctrlKey)) this.insert('\n')
    else if (event.key === 'Tab' && !event.shiftKey && this.busy && !this.empty) this.enqueue()
    else if ((event.key === 'ArrowUp' || event.key === 'ArrowDown') && !event.shiftKey && !event.altKey && caret === end && this.past.active(value, caret)) {
      this.recall(event.key === 'ArrowUp' ? -1 : 1)
    } else if (event.key === 'ArrowUp' && event.altKey) {
      const last = this.queue.messages.at(-1)
      if (!last) return
      this.queue.take(last)
      this.fill(last.text, last.files)
    } else if ((event.key === 'Backspace' || event.key === 'Delete') && caret === end) {
      const label = this.pastes.beside(value, caret, event.key === 'Delete')
      if (!label) return
      this.text.setRangeText('', label[0], label[1], 'end')
      this.typed()
    } else return
    event.preventDefault()
    event.stopPropagation()
  }

  async recall(by) {
    const text = await this.past.step(by)
    if (text === null) return
    this.text.value = text
    this.text.setSelectionRange(0, 0)
    this.dismissed = text.split(/\s/)[0]
    this.keepDraft()
    this.fit()
    this.popup.hide()
  }

  paste(event) {
    const files = [...event.clipboardData.files]
    const text = event.clipboardData.getData('text/plain')
    if (files.length && !text) {  // office programs put a picture of their text beside it
      event.preventDefault()
      this.files.take(files)
      return
    }
    const folded = this.pastes.fold(text)
    if (folded === text) return
    event.preventDefault()
    this.insert(folded)
  }
}
