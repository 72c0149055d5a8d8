// What changed: a turn's or the thread's diff, with comments that go to the model together, and taking back by file or hunk.
import {CHANGING, keyed} from '/assets/diff_keys.js'
import {DiffView} from '/assets/diff_view.js'
import {keep, kept, make} from '/assets/dom.js'

const SURE_MS = 4000
const LOOK_MS = 400

export class Changed {
  // `ask`: to the server; `send(text)`: a message to the model; `back()`: the focus where one writes.
  constructor({ask, send, say, back}) {
    Object.assign(this, {ask, send, say, back})
    this.thread = ''
    this.scope = 'thread'
    this.comments = []
    this.shown = false
    this.view = new DiffView({
      label: 'What changed', body: file => this.ask({type: 'changed_file', file}),
      dress: (section, file) => this.dress(section, file), dressFile: (details, file) => this.dressFile(details, file),
    })
    this.scopes = make('div', {cls: 'scopes', role: 'radiogroup', 'aria-label': 'Since when', on: {keydown: event => this.arrow(event)}})
    this.turn = make('select', {cls: 'turns', 'aria-label': 'What one turn changed', 'aria-keyshortcuts': ', .', title: 'Another turn: , and .', hidden: true, on: {change: () => this.choose(this.turn.value)}})
    this.count = make('span', {cls: 'small', role: 'status'})
    this.written = make('div', {cls: 'comments', hidden: true})
    this.element = make('div', {cls: 'changed', on: {keydown: event => this.key(event)}},
      make('div', {cls: 'review-tools'}, make('div', {cls: 'since'}, this.scopes, this.turn), this.view.switcher), this.count, this.written, this.view.element)
    this.view.element.addEventListener('click', event => this.clicked(event))
  }

  show(panel, thread) {
    if (this.element.parentElement !== panel) panel.replaceChildren(this.element)
    this.shown = true
    document.body.classList.add('inspecting-diff')
    if (thread !== this.thread) {
      this.thread = thread
      try { this.comments = JSON.parse(kept(`comments.${thread}`) || '[]') } catch { this.comments = [] }
      this.scope = 'thread'
      this.turns = this.names = null
      this.view.draw([])
      this.drawComments()
    }
    this.arriving = true
    this.load()
  }

  hide() {
    this.shown = false
    document.body.classList.remove('inspecting-diff')
  }

  // Something happened in the thread that may have changed files.
  stirred(mark) {
    if (mark === this.mark) return
    this.mark = mark
    clearTimeout(this.timer)
    if (this.shown) this.timer = setTimeout(() => this.load(), LOOK_MS)
  }

  async load() {
    const asked = this.asked = {}
    if (!this.files) this.count.textContent = 'Looking at the files …'
    let found
    try { found = await this.ask({type: 'changed', scope: this.scope}) } catch (error) { if (asked === this.asked) this.fail(error.message); return }
    if (asked !== this.asked) return
    this.files = found.files
    if (this.scope !== 'uncommitted') { this.turns = found.turns; this.names = found.names }   // what is not committed knows of no turns
    this.note = found.note
    this.drawScopes()
    if (this.view.element.contains(document.activeElement) && /TEXTAREA/.test(document.activeElement.tagName)) return   // somebody writes: the next look draws
    if (found.stamp !== this.stamp || !this.view.files?.length) {
      this.stamp = found.stamp
      const at = this.view.current && this.place(this.view.current)
      await this.view.draw(found.files)
      if (asked !== this.asked) return
      if (at) this.view.mark(this.view.element.querySelector(`[data-file="${at.file}"] [data-hunk="${at.hunk}"]`) ?? this.view.hunks()[0] ?? this.view.element)
    }
    this.drawCount()
    if (this.arriving && document.activeElement?.getAttribute('role') === 'tab') (this.view.hunks()[0] ? this.view.step(1) : this.scopes.querySelector('[aria-checked="true"]').focus())
    this.arriving = false
  }

  fail(text) {
    this.files = []
    this.view.draw([])
    this.drawScopes()
    this.count.textContent = text
  }

  drawCount() {
    const count = this.files.length
    const what = this.scope === 'uncommitted' ? 'is not committed' : this.scope === 'thread' ? 'changed in this thread' : 'changed in this turn'
    const turn = /^[1-9]/.test(this.scope) ? `Turn ${this.scope} of ${this.turns} · ` : ''
    this.count.textContent = count ? `${turn}${count} file${count === 1 ? '' : 's'} ${this.note ? `· ${this.note}` : ''}` : this.note || `${turn}Nothing ${what}.`
  }

  drawScopes() {
    const names = [['thread', 'Thread'], ...(this.turns ? [['0', 'Last turn']] : []), ['uncommitted', 'Not committed']]
    const focused = this.scopes.contains(document.activeElement)
    const tabbed = names.some(([scope]) => scope === this.scope) ? this.scope : 'thread'
    this.scopes.replaceChildren(...names.map(([scope, name]) => make('button', {
      type: 'button', role: 'radio', 'aria-checked': String(scope === this.scope), tabindex: scope === tabbed ? '0' : '-1', 'data-scope': scope, text: name, on: {click: () => this.choose(scope)},
    })))
    if (focused) this.scopes.querySelector(`[data-scope="${tabbed}"]`).focus()
    this.drawTurns()
  }

  // Every turn by what was said before it, the newest first.
  drawTurns() {
    const chosen = /^[1-9]/.test(this.scope)
    this.turn.hidden = !(this.turns > 1 || chosen)
    const mark = JSON.stringify([this.turns, this.names])
    if (mark !== this.drawnTurns) {
      this.drawnTurns = mark
      const numbers = Array.from({length: this.turns ?? 0}, (_, at) => (this.turns - at))
      this.turn.replaceChildren(make('option', {value: '', text: 'One turn …', hidden: true}),
        ...numbers.map(number => make('option', {value: String(number), text: `${number}${this.names?.[number - 1] ? ` · ${this.names[number - 1]}` : ''}`})))
    }
    this.turn.value = chosen ? this.scope : ''
    this.turn.classList.toggle('chosen', chosen)
  }

  // From the thread as a whole to its newest turn, and on.
  stepTurn(by) {
    if (!this.turns) return
    const at = this.scope === '0' ? this.turns : /^[1-9]/.test(this.scope) ? Number(this.scope) : this.turns + 1
    const to = Math.min(this.turns, Math.max(1, at + by))
    if (String(to) !== this.scope) this.choose(String(to))
  }

  choose(scope) {
    this.scope = scope
    this.stamp = null
    this.load()
  }

  arrow(event) {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key]
    if (!step) return
    event.preventDefault()
    const all = [...this.scopes.children]
    const next = all[(all.findIndex(button => button.getAttribute('aria-checked') === 'true') + step + all.length) % all.length]
    next.focus()
    this.choose(next.dataset.scope)
  }

  dressFile(details, file) {
    const {state, back} = this.files[file]
    const head = details.querySelector('.diff-head')
    if (state === 'edited') head.querySelector('.diff-count').before(make('span', {cls: 'diff-status edited', text: 'changed since', title: 'The file is not as the agent left it. Taking back leaves what was changed since, or refuses.'}))
    if (state === 'reverted') head.querySelector('.diff-count').before(make('span', {cls: 'diff-status', text: 'as it was before'}))
    if (back) head.append(make('span', {cls: 'part-state', 'data-act': 'backFile', title: 'Click or Shift R: take the whole file back'}, 'Take back ', make('kbd', {text: 'Shift R'})))   // no button: it would stand inside of one
  }

  dress(section, file) {
    const {back} = this.files[file]
    const gap = section.previousElementSibling?.classList.contains('diff-gap') ? section.previousElementSibling : ''
    section.prepend(make('div', {cls: 'hunk-bar'}, gap, make('span', {cls: 'hunk-acts'}, this.button('comment', 'Comment', 'C'), back ? this.button('back', 'Take back', 'R') : null)))
    for (const comment of this.comments) if (comment.file === this.files[file].name) this.mark1(section, comment)
  }

  button(act, text, key) { return make('button', {type: 'button', cls: 'part-state', 'data-act': act}, `${text} `, make('kbd', {text: key})) }

  place(element) {
    const section = element.closest('.diff-hunk')
    return {section, file: Number(element.closest('.diff-file')?.dataset.file), hunk: section ? Number(section.dataset.hunk) : null}
  }

  key(event) {
    if ((event.ctrlKey || event.metaKey) && event.key === 'Enter') { event.preventDefault(); this.deliver(); return }
    const found = keyed(CHANGING, event)
    if (!found) return
    event.preventDefault()
    const [, , act] = found
    if (act === 'olderTurn' || act === 'newerTurn') this.stepTurn(act === 'olderTurn' ? -1 : 1)
    else if (act === 'lineDown' || act === 'lineUp') this.stepLine(act === 'lineDown' ? 1 : -1)
    else if (typeof this.view[act] === 'function') { this.unline(); this.view[act]() } else this.act(act, this.view.current)
  }

  clicked(event) {
    const button = event.target.closest('[data-act]')
    if (button) { event.preventDefault(); this.act(button.dataset.act, button); return }
    const number = event.target.closest('.dn')
    if (number) { this.pointLine(number.closest('.dl')); this.act('comment', number) }
  }

  act(act, element) {
    if (!element?.closest) { this.view.next(); return }
    if (act === 'comment') this.write(element)
    else if (act === 'back') this.takeBack(element, false)
    else if (act === 'backFile') this.takeBack(element, true)
  }

  // One line of the hunk that one is at

  lines() { return [...this.view.current?.querySelectorAll('.dl:not([aria-hidden="true"] .dl):not(.note)') ?? []] }

  stepLine(by) {
    const lines = this.lines()
    if (!lines.length) { this.view.next(); return }
    const at = lines.indexOf(this.line)
    this.pointLine(lines[at < 0 ? (by > 0 ? 0 : lines.length - 1) : Math.max(0, Math.min(lines.length - 1, at + by))])
  }

  pointLine(line) {
    this.unline()
    this.line = line
    line.classList.add('at')
    line.scrollIntoView({block: 'nearest'})
  }

  unline() {
    this.line?.classList.remove('at')
    this.line = null
  }

  // Comments

  write(element) {
    const {section, file} = this.place(element)
    if (!section || section.querySelector('.hunk-editor')) return
    this.view.mark(section)
    const line = this.line && section.contains(this.line) ? this.line : null
    const quoted = line ? [line] : [...section.querySelectorAll('.dl.added, .dl.removed')]
    const quote = quoted.map(one => `${one.querySelector('.ds').textContent}${one.querySelector('.dt').textContent}`)
    const numbers = (line ? [line] : [...section.querySelectorAll('.dl:not(.note)')]).map(one => Number(one.children[1].textContent || one.children[0].textContent)).filter(Boolean)
    const field = make('textarea', {rows: '2', 'aria-label': line ? 'Comment on this line' : 'Comment on this part', placeholder: 'What shall be otherwise here?'})
    const done = keepIt => {
      const text = field.value.trim()
      form.remove()
      if (keepIt && text) this.add({file: this.files[file].name, from: Math.min(...numbers), to: Math.max(...numbers), quote, text}, section)
      section.focus()
    }
    const form = make('div', {cls: 'hunk-editor', on: {keydown: event => {
      event.stopPropagation()
      if (event.key === 'Escape' || (event.key === 'Enter' && !event.shiftKey && !event.isComposing)) { event.preventDefault(); done(event.key === 'Enter') }
    }}}, field, make('div', {cls: 'hunk-acts'},
      make('button', {type: 'button', on: {click: () => done(true)}}, 'Keep the comment ', make('kbd', {text: '⏎'})),
      make('button', {type: 'button', on: {click: () => done(false)}}, 'Drop it ', make('kbd', {text: 'Esc'}))))
    line ? line.closest('.dg').after(form) : section.append(form)
    field.focus()
  }

  add(comment, section) {
    this.comments.push(comment)
    this.mark1(section, comment)
    this.drawComments()
  }

  markAll() {
    for (const shown of this.view.element.querySelectorAll('.comment')) shown.remove()
    for (const section of this.view.hunks()) {
      const {name} = this.files[this.place(section).file]
      for (const comment of this.comments) if (comment.file === name) this.mark1(section, comment)
    }
  }

  mark1(section, comment) {
    const said = [...section.querySelectorAll('.dl.added, .dl.removed, .dl.context')].map(one => `${one.querySelector('.ds').textContent}${one.querySelector('.dt').textContent}`)
    if (comment.quote.every(line => said.includes(line))) section.querySelector('.hunk-bar').after(make('p', {cls: 'comment', text: comment.text}))
  }

  drawComments() {
    keep(`comments.${this.thread}`, this.comments.length ? JSON.stringify(this.comments) : '')
    const count = this.comments.length
    this.written.hidden = !count
    this.written.replaceChildren(
      make('ul', {}, ...this.comments.map((comment, at) => make('li', {}, make('span', {cls: 'small', text: place(comment)}), make('span', {cls: 'what', text: comment.text}),
        make('button', {type: 'button', cls: 'plain-button', text: 'remove', on: {click: () => { this.comments.splice(at, 1); this.drawComments(); this.markAll() }}})))),
      make('button', {type: 'button', cls: 'go', on: {click: () => this.deliver()}}, `Send ${count === 1 ? 'the comment' : `${count} comments as one message`} `, make('kbd', {text: 'Ctrl ⏎'})))
  }

  async deliver() {
    if (!this.comments.length) return
    const text = ['Comments on your changes:', ...this.comments.map(comment => `${place(comment)}\n${excerpt(comment.quote).map(line => `> ${line}`).join('\n')}\n${comment.text}`)].join('\n\n')
    try { await this.send(text) } catch (error) { this.say(error.message); return }
    this.comments = []
    this.drawComments()
    this.markAll()
    this.back()
  }

  // Taking back: asked twice, because it writes files.

  async takeBack(element, whole) {
    const {section, file} = this.place(element)
    if (!this.files[file]?.back || (!whole && !section)) return
    const button = (whole ? element.closest('.diff-file').querySelector('.diff-head') : section).querySelector(`[data-act="${whole ? 'backFile' : 'back'}"]`)
    if (!button.classList.contains('sure')) {
      button.classList.add('sure')
      button.firstChild.textContent = 'Really? '
      this.say(`Press it again to take back ${whole ? this.files[file].name : 'this part'}.`)
      setTimeout(() => { button.classList.remove('sure'); button.firstChild.textContent = 'Take back ' }, SURE_MS)
      return
    }
    const {hunk} = this.place(element)
    try { await this.ask({type: 'take_back', file, ...(whole || this.files[file].hunks <= 1 ? {} : {hunk})}) } catch (error) { this.say(error.message) }
  }
}

const place = ({file, from, to}) => Number.isFinite(from) ? `${file}, ${from === to ? `line ${from}` : `lines ${from} to ${to}`}:` : `${file}:`
const excerpt = lines => lines.length > 12 ? [...lines.slice(0, 8), `… ${lines.length - 12} lines …`, ...lines.slice(-4)] : lines
