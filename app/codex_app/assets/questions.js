// Questions that wait for a person. The safe answer stands first; the focus is never on what allows.
import {Always} from '/assets/always.js'
import {make, setHtml} from '/assets/dom.js'
import {Form} from '/assets/form.js'
import {PatchReview} from '/assets/review.js'

const AWAKE_MS = 500
const TOLD_MS = 2500
const ANSWERS = {
  elicitation: [['Decline', 'decline', 'n'], ['Not now', 'cancel'], ['Answer', 'accept', 'y']],
  patch: [['No, go on without it', 'denied', 'n'], ['No, and stop', 'abort', 's'], ['Yes, apply', 'approved', 'y']],
  other: [['No, go on without it', 'denied', 'n'], ['No, and stop', 'abort', 's'], ['Yes, once', 'approved', 'y'], ['Yes, for this thread', 'approved_for_session', 't']],
}
const ALLOWS = new Set(['approved', 'approved_for_session', 'accept', 'always'])

export class Questions {
  // `answer(request)`; `ask`: other requests to the server; `preview(prefixes)`; `list()`: shows what waits in all threads.
  constructor({answer, ask, preview, list, failed, after}) {
    Object.assign(this, {answer, ask, preview, failed, after})
    this.asks = []
    this.others = []          // `{thread, in, ask}`: of other threads
    this.put = new Set()
    this.answered = {}
    this.dialog = make('dialog', {cls: 'question', 'aria-labelledby': 'question-title'})
    this.dialog.addEventListener('cancel', event => { event.preventDefault(); this.later() })
    this.dialog.addEventListener('keydown', event => this.key(event))
    this.bar = make('button', {type: 'button', cls: 'waiting', hidden: true, on: {click: () => {
      if (!this.asks.length) return list()
      this.put.clear()
      this.show()
    }}})
  }

  // What the shown thread asks; `answered`: id to what became of those that were answered lately.
  set(asks, answered = {}) {
    this.asks = asks
    this.answered = answered
    const ids = new Set(asks.map(ask => ask.id))
    for (const id of this.put) if (!ids.has(id)) this.put.delete(id)
    if (this.current && !this.current.thread && !ids.has(this.current.id)) this.settle()
    this.show()
  }

  // What other threads ask.
  setOthers(others) {
    this.others = others
    if (this.current?.thread && !others.some(one => one.ask.id === this.current.id)) this.settle()
    this.show()
  }

  // All that waits, the shown thread's first.
  all(thread) { return [...this.asks.map(ask => ({thread, in: 'This thread', ask})), ...this.others] }

  show() {
    const left = this.asks.filter(ask => !this.put.has(ask.id))
    const mine = this.asks.length
    const count = mine + this.others.length
    this.bar.hidden = !count || !!this.current || !!left.length
    const where = !this.others.length ? '' : mine ? ', also in other threads' : ' in another thread'
    this.bar.textContent = `${count === 1 ? 'One question waits' : `${count} questions wait`} for you${where}`
    if (!this.current && left.length) this.open(left[0])
  }

  // `thread`: whose question it is, when it is not the shown thread's; `where`: its name.
  open(ask, thread = '', where = '') {
    clearTimeout(this.closing)
    this.current = {id: ask.id, thread}
    this.awake = performance.now() + AWAKE_MS
    const answers = (ANSWERS[ask.kind] || ANSWERS.other).filter(([, decision]) => decision !== 'approved_for_session' || ask.for_thread)
    const buttons = answers.map(([text, decision, key], at) => make('button', {
      type: 'button', cls: ALLOWS.has(decision) ? 'allow' : at ? '' : 'safe', 'data-decision': decision,
      'aria-keyshortcuts': key, on: {click: () => this.give(decision)},
    }, text, key ? make('kbd', {text: key}) : null))
    this.review = ask.kind === 'patch' ? new PatchReview(ask, {ask: message => this.ask({...message, ...(thread ? {thread} : {})}), changed: () => this.reviewed()}) : null
    this.form = ask.form?.length ? new Form(ask.form) : null
    this.always = ask.rules?.length ? new Always(ask.rules, {preview: this.preview, give: () => this.give('always')}) : null
    this.message = ask.kind === 'elicitation' ? null : make('input', {type: 'text', cls: 'message', placeholder: 'With a no: what it should do instead (optional)', 'aria-label': 'With a no: what it should do instead', autocomplete: 'off', maxlength: '10000'})
    this.dialog.replaceChildren(
      make('h2', {id: 'question-title', text: ask.question}),
      where ? make('p', {cls: 'small', text: `In the thread ${where}`}) : '',
      ask.words?.some(([, what]) => what !== ask.exact) ? make('p', {cls: 'meaning'}, ...ask.words.flatMap(([verb, what], at) => [at ? ', then ' : '', make('b', {text: verb}), ` ${what}`])) : '',
      this.review ? this.review.element : '',
      ask.exact != null ? make('pre', {cls: 'exact', tabindex: '0', 'aria-label': 'Exactly this', text: ask.exact}) : '',
      ask.html ? setHtml(make('div', {cls: 'wide'}), ask.html) : '',
      make('dl', {}, ...ask.facts.flatMap(([name, value]) => [make('dt', {text: name}), make('dd', {text: value})])),
      ask.link ? make('p', {}, make('a', {href: ask.link, target: '_blank', rel: 'noopener noreferrer', text: 'Open it in a new tab'})) : '',
      this.form?.element ?? '', this.always?.element ?? '',
      make('div', {cls: 'answers'}, this.message ?? '', ...buttons, make('button', {type: 'button', cls: 'later', on: {click: () => this.later()}}, 'Answer later', make('kbd', {text: 'Esc'}))))
    this.dialog.classList.toggle('danger', !!ask.danger)
    this.dialog.classList.toggle('reviewing', !!this.review)
    this.review?.load()
    this.dialog.classList.add('asleep')
    clearTimeout(this.waking)
    this.waking = setTimeout(() => this.dialog.classList.remove('asleep'), AWAKE_MS)
    if (!this.dialog.open) this.dialog.showModal()
    buttons[0].focus()
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || this.review?.key(event)) return
    const writes = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && event.target.type !== 'radio'
    // Enter never allows, wherever the focus is: it is the key that sends messages. Space and the letters do.
    if (event.key === 'Enter' && event.target.classList.contains('allow')) event.preventDefault()
    if (event.key === 'Enter' && event.target === this.message) { event.preventDefault(); if (!event.repeat) this.give('denied') }
    if (writes) return
    if (event.key.toLowerCase() === 'a' && this.always) { event.preventDefault(); this.always.unfold(); return }
    const button = [...this.dialog.querySelectorAll('button[data-decision]')].find(b => b.checkVisibility() && b.getAttribute('aria-keyshortcuts') === event.key.toLowerCase())
    if (button) { event.preventDefault(); if (!event.repeat) this.give(button.dataset.decision) }
  }

  async give(decision) {
    if (performance.now() < this.awake || !this.current || this.told) return
    const {id, thread} = this.current
    const request = {id, decision: decision === 'always' ? 'approved' : decision, ...(thread ? {thread} : {})}
    const parts = this.review?.parts(decision) ?? []
    if (parts.length) request.parts = parts
    if (decision === 'always') request.rules = this.always.prefixes().map(prefix => ({prefix}))
    if (decision === 'denied' && this.message?.value.trim()) request.message = this.message.value.trim()
    if (decision === 'accept' && this.form) {
      const content = this.form.content()
      if (!content) return
      request.content = content
    }
    if (this.form && decision === 'accept') {     // what the server does not take stays to be mended
      try { await this.answer(request) } catch (error) { if (this.current?.id === id) this.form.say(error.message); return }
      this.put.add(id)
      this.close()
      return this.show()
    }
    this.put.add(id)
    this.close()
    try { await this.answer(request) } catch (error) { this.put.delete(id); this.failed(error.message) }
    this.show()
  }

  // Somebody else answered: say so, then close.
  settle() {
    if (this.told) return
    const text = this.answered[this.current.id] || 'This was answered elsewhere.'
    this.told = true
    this.dialog.querySelector('.answers').replaceChildren(make('p', {cls: 'elsewhere', role: 'status', text}), make('button', {type: 'button', text: 'Close', on: {click: () => this.end()}}))
    this.dialog.querySelector('.answers button').focus()
    this.closing = setTimeout(() => this.end(), TOLD_MS)
  }

  end() {
    clearTimeout(this.closing)
    this.close()
    this.show()
  }

  // The answer that allows says what it allows.
  reviewed() {
    const button = this.dialog.querySelector('[data-decision="approved"]')
    if (!this.review || !button) return       // it was loaded after the dialog had gone on
    const {taken, of, edited} = this.review.tally()
    button.firstChild.textContent = !taken ? 'Nothing is taken' : taken === of && !edited ? 'Yes, apply' : `Yes, apply ${taken === of ? 'it' : `${taken} of ${of} parts`}${edited ? ' with my text' : ''}`
    button.disabled = !taken
  }

  later() {
    if (this.told) return this.end()
    if (this.current) this.put.add(this.current.id)
    this.close()
    this.show()
  }

  close() {
    this.told = false
    this.current = null
    if (this.dialog.open) this.dialog.close()
    this.after()
  }
}
