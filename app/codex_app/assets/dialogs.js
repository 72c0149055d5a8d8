// Questions that wait for a person, the settings, and the list of keys. The safe answer stands first and has the focus.
import {make, setHtml} from '/assets/dom.js'
import {PatchReview} from '/assets/review.js'

const AWAKE_MS = 500
const ANSWERS = {
  elicitation: [['Decline', 'decline'], ['Not now', 'cancel']],
  patch: [['No, go on without it', 'denied', 'n'], ['No, and stop', 'abort', 's'], ['Yes, apply', 'approved', 'y']],
  other: [['No, go on without it', 'denied', 'n'], ['No, and stop', 'abort', 's'], ['Yes, once', 'approved', 'y'], ['Yes, for this thread', 'approved_for_session', 't']],
}

export class Questions {
  // `answer(id, decision, parts)`; `ask`: other requests to the server.
  constructor({answer, ask, failed, after}) {
    this.answer = answer
    this.ask = ask
    this.failed = failed
    this.after = after
    this.asks = []
    this.put = new Set()
    this.dialog = make('dialog', {cls: 'question', 'aria-labelledby': 'question-title'})
    this.dialog.addEventListener('cancel', event => { event.preventDefault(); this.later() })
    this.dialog.addEventListener('keydown', event => this.key(event))
    this.bar = make('button', {type: 'button', cls: 'waiting', hidden: true, on: {click: () => { this.put.clear(); this.show() }}})
  }

  set(asks) {
    this.asks = asks
    const ids = new Set(asks.map(ask => ask.id))
    for (const id of this.put) if (!ids.has(id)) this.put.delete(id)
    if (this.current && !ids.has(this.current.id)) this.close()
    this.show()
  }

  show() {
    const left = this.asks.filter(ask => !this.put.has(ask.id))
    this.bar.hidden = !this.asks.length || !!this.current || !!left.length
    this.bar.textContent = this.asks.length === 1 ? 'One question waits for you' : `${this.asks.length} questions wait for you`
    if (!this.current && left.length) this.open(left[0])
  }

  open(ask) {
    this.current = ask
    this.awake = performance.now() + AWAKE_MS
    const answers = (ANSWERS[ask.kind] || ANSWERS.other).filter(([, decision]) => decision !== 'approved_for_session' || ask.for_thread)
    const buttons = answers.map(([text, decision, key], at) => make('button', {
      type: 'button', cls: decision.startsWith('approved') ? 'allow' : at ? '' : 'safe', 'data-decision': decision,
      'aria-keyshortcuts': key, on: {click: () => this.give(decision)},
    }, text, key ? make('kbd', {text: key}) : null))
    this.review = ask.kind === 'patch' ? new PatchReview(ask, {ask: this.ask, changed: () => this.reviewed()}) : null
    this.dialog.replaceChildren(
      make('h2', {id: 'question-title', text: ask.question}),
      this.review ? this.review.element : '',
      ask.exact != null ? make('pre', {cls: 'exact', tabindex: '0', 'aria-label': 'Exactly this', text: ask.exact}) : '',
      ask.html ? setHtml(make('div', {cls: 'wide'}), ask.html) : '',
      make('dl', {}, ...ask.facts.flatMap(([name, value]) => [make('dt', {text: name}), make('dd', {text: value})])),
      ask.form ? make('p', {cls: 'small', text: 'The form can be filled in from a notebook; here it can be declined.'}) : '',
      make('div', {cls: 'answers'}, ...buttons, make('span', {cls: 'small'}, make('kbd', {text: 'Esc'}), ' answer later')))
    this.dialog.classList.toggle('danger', !!ask.danger)
    this.dialog.classList.toggle('reviewing', !!this.review)
    this.review?.load()
    this.dialog.classList.add('asleep')
    setTimeout(() => this.dialog.classList.remove('asleep'), AWAKE_MS)
    if (!this.dialog.open) this.dialog.showModal()
    buttons[0].focus()
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || this.review?.key(event)) return
    // Enter never allows, wherever the focus is: it is the key that sends messages. Space and the letters do.
    if (event.key === 'Enter' && event.target.classList.contains('allow')) event.preventDefault()
    const button = [...this.dialog.querySelectorAll('.answers button')].find(b => b.getAttribute('aria-keyshortcuts') === event.key.toLowerCase())
    if (button) { event.preventDefault(); if (!event.repeat) this.give(button.dataset.decision) }
  }

  async give(decision) {
    if (performance.now() < this.awake || !this.current) return
    const {id} = this.current
    const parts = this.review?.parts(decision) ?? []
    this.put.add(id)
    this.close()
    try { await this.answer(id, decision, parts) } catch (error) { this.put.delete(id); this.failed(error.message) }
    this.show()
  }

  // The answer that allows says what it allows.
  reviewed() {
    const button = this.dialog.querySelector('[data-decision="approved"]')
    const {taken, of, edited} = this.review.tally()
    button.firstChild.textContent = !taken ? 'Nothing is taken' : taken === of && !edited ? 'Yes, apply' : `Yes, apply ${taken === of ? 'it' : `${taken} of ${of} parts`}${edited ? ' with my text' : ''}`
    button.disabled = !taken
  }

  later() {
    if (this.current) this.put.add(this.current.id)
    this.close()
    this.show()
  }

  close() {
    this.current = null
    if (this.dialog.open) this.dialog.close()
    this.after()
  }
}

export const choose = (title, choices, after) => {
  const dialog = make('dialog', {cls: 'choices', 'aria-labelledby': 'choices-title'})
  const close = () => { dialog.close(); dialog.remove(); after() }
  dialog.addEventListener('cancel', event => { event.preventDefault(); close() })
  dialog.append(make('h2', {id: 'choices-title', text: title}),
    ...choices.map(([name, about, use]) => make('button', {type: 'button', on: {click: () => { close(); use() }}}, make('b', {text: name}), ' ', make('span', {text: about}))),
    make('p', {cls: 'small'}, make('kbd', {text: 'Esc'}), ' changes nothing'))
  document.body.append(dialog)
  dialog.showModal()
  dialog.querySelector('button')?.focus()
}

export const show = (title, content, after) => {
  const dialog = make('dialog', {cls: 'choices shown', 'aria-labelledby': 'shown-title'})
  const close = () => { dialog.close(); dialog.remove(); after() }
  dialog.addEventListener('cancel', event => { event.preventDefault(); close() })
  dialog.append(make('h2', {id: 'shown-title', text: title}), content, make('button', {type: 'button', text: 'Close', on: {click: close}}))
  document.body.append(dialog)
  dialog.showModal()
}
