// Esc-Esc: the first primes, the second opens the messages so far with the last one chosen, more of them go back in time.
// Source: spec/interactive.md section 6. `Steps` is the plain part; `Backtrack` draws it.
import {make} from './dom.js'

export class Steps {
  constructor() { this.reset() }

  reset() { this.primed = false; this.back = 0 }

  // An Esc outside the preview: `prime`, `open`, or `none` where it does not count.
  escape({empty, busy}) {
    if (!empty || busy) { this.reset(); return 'none' }
    if (!this.primed) { this.primed = true; return 'prime' }
    this.primed = false
    this.back = 1
    return 'open'
  }

  // One message back, or forward; past the oldest it is the newest again.
  step(by, count) { this.back = count ? ((this.back - 1 + by + count) % count) + 1 : 0 }

  // Index of the chosen one of `count` messages, oldest first; -1 for none.
  chosen(count) { return this.back && this.back <= count ? count - this.back : -1 }
}

export class Backtrack {
  // `prompts()`: all messages so far, oldest first; `edit(number)`: forks before that one; `hint(text)`; `picture(id)`.
  constructor({prompts, edit, hint, picture, failed, after}) {
    Object.assign(this, {prompts, edit, hint, picture, failed, after})
    this.steps = new Steps()
    this.list = make('ol', {cls: 'prompts', role: 'listbox', 'aria-label': 'Your messages', tabindex: '0'})
    this.dialog = make('dialog', {cls: 'backtrack', 'aria-labelledby': 'backtrack-title', on: {keydown: event => this.key(event), cancel: event => { event.preventDefault(); this.close() }}},
      make('h2', {id: 'backtrack-title', text: 'Edit an earlier message'}),
      make('p', {cls: 'small', text: 'What came after it stays in this thread; the edited message begins a branch. Changed files stay as they are.'}),
      this.list,
      make('div', {cls: 'answers'},
        make('button', {type: 'button', cls: 'safe', on: {click: () => this.confirm()}}, 'Edit it ', make('kbd', {text: '⏎'})),
        make('button', {type: 'button', on: {click: () => this.close()}}, 'Close ', make('kbd', {text: 'q'})),
        make('span', {cls: 'small keys'}, make('kbd', {text: 'Esc'}), ' or ', make('kbd', {text: '↑'}), ' older, ', make('kbd', {text: '↓'}), ' newer')))
    document.body.append(this.dialog)
  }

  // Whether the Esc was for this.
  escape(where) {
    const what = this.steps.escape(where)
    this.hint(what === 'prime' ? 'Esc edit prev' : '')
    if (what === 'open') this.open()
    return what !== 'none'
  }

  // Any other key: not primed any more.
  other() { if (this.steps.primed) { this.steps.reset(); this.hint('') } }

  async open() {
    this.messages = []
    this.early = false
    this.draw()
    this.dialog.showModal()
    this.list.focus()
    try { this.messages = await this.prompts() } catch (error) { this.close(); return this.failed(error.message) }
    if (!this.messages.length) { this.close(); return this.failed('There is no message of yours to edit yet.') }
    this.steps.back = Math.min(this.steps.back, this.messages.length)
    this.draw()
    if (this.early) this.confirm()
  }

  draw() {
    const chosen = this.steps.chosen(this.messages.length)
    this.list.replaceChildren(...this.messages.map(({text, images}, at) => make('li', {
      role: 'option', id: `prompt${at}`, 'aria-selected': String(at === chosen), cls: at > chosen ? 'cut' : null,
      on: {click: () => { this.steps.back = this.messages.length - at; this.draw() }, dblclick: () => this.confirm()},
    }, make('span', {cls: 'said', text: text || '(images)'}), ...(images || []).map(({id, name}) => make('img', {src: this.picture(id), alt: name})))))
    if (chosen < 0) return
    this.list.setAttribute('aria-activedescendant', `prompt${chosen}`)
    this.list.children[chosen].scrollIntoView({block: 'nearest'})
  }

  key(event) {
    if (event.isComposing) return
    const by = {Escape: 1, ArrowUp: 1, ArrowDown: -1}[event.key]
    if (by) { this.steps.step(by, this.messages.length || 99); this.draw() }
    else if (event.key === 'Enter' && event.target.tagName === 'BUTTON') return
    else if (event.key === 'Enter') { if (!event.repeat) this.confirm() }
    else if (event.key === 'q' || (event.ctrlKey && event.key === 'c')) this.close()
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  confirm() {
    const message = this.messages[this.steps.chosen(this.messages.length)]
    if (!message) { this.early = true; return }  // Enter came before the messages
    this.close()
    this.edit(message.number)
  }

  close() {
    this.steps.reset()
    this.hint('')
    if (this.dialog.open) this.dialog.close()
    this.after()
  }
}
