// A patch that waits for an answer: its hunks taken or refused one by one, given another text, remarked on.
import {REVIEWING, keyed} from '/assets/diff_keys.js'
import {DiffView} from '/assets/diff_view.js'
import {make, setHtml} from '/assets/dom.js'

const STATES = {taken: '✓ taken', refused: '✕ not taken', edited: '✎ with your text'}

// What was chosen, by file and what stood there: a patch that is shown again keeps it where it says the same.
const memory = new Map()

export class PatchReview {
  // `ask`: to the server; `changed`: what is taken is another.
  constructor(question, {ask, changed}) {
    Object.assign(this, {id: question.id, ask, changed})
    this.gaps = new Map()   // "file.gap" -> {top, bottom}: how many of its unchanged lines are shown at either end
    this.choices = new Map()   // "file.hunk" -> {take, text, note}
    this.files = []
    this.view = new DiffView({
      label: 'The changes', body: file => this.request({type: 'review', file}),
      dress: (section, file, hunk) => this.dress(section, file, hunk), dressFile: (details, file) => this.dressFile(details, file),
    })
    this.count = make('span', {cls: 'small', role: 'status', text: 'Loading the changes …'})
    this.tools = make('div', {cls: 'review-tools'}, this.count, this.view.switcher)
    this.element = make('div', {cls: 'review'}, this.tools, this.view.element)
    this.view.element.addEventListener('click', event => this.clicked(event))
    this.view.element.addEventListener('keydown', event => this.writing(event))
  }

  request(message) { return this.ask({id: this.id, ...message}) }

  async load() {
    try { this.files = await this.request({type: 'review'}) } catch (error) { this.count.textContent = error.message; return }
    const drawn = this.view.draw(this.files)
    this.drawCount()
    await drawn
    this.drawCount()
  }

  dressFile(details, file) {
    const {hunks} = this.files[file]
    details.querySelector('.diff-head').append(make('span', {cls: 'part-state', 'data-act': 'toggleFile', title: 'Click or Shift X: take the file or not', text: STATES.taken}))   // no button: it would stand inside of one
    if (!hunks) this.recall(details, file, null)
    details.dataset.state = 'taken'
  }

  dress(section, file, hunk) {
    const {editable} = this.files[file]
    const button = (act, text, key) => make('button', {type: 'button', 'data-act': act}, `${text} `, make('kbd', {text: key}))
    const gap = section.previousElementSibling?.classList.contains('diff-gap') ? section.previousElementSibling : ''
    if (this.files[file].unfolds) {
      if (gap) this.drawGap(gap, Number.parseInt(gap.textContent.replaceAll(/[ ,]/g, ''), 10))
      if (hunk === this.files[file].hunks - 1) section.after(make('div', {cls: 'hunk-bar below'}, make('button', {type: 'button', cls: 'unfold', 'data-act': 'below', 'aria-keyshortcuts': 'Shift+U', title: 'Shift U'}, '↓ what follows')))
    }
    section.prepend(make('div', {cls: 'hunk-bar'},
      make('button', {type: 'button', cls: 'part-state', 'data-act': 'toggle', 'aria-pressed': 'true', 'aria-keyshortcuts': 'x'}, STATES.taken),
      gap, make('span', {cls: 'hunk-acts'}, editable ? button('edit', 'Edit', 'E') : null, button('remark', 'Note', 'C'), button('toggle', 'Leave out', 'X'))))
    this.recall(section, file, hunk)
    this.drawPart(section)
  }

  // Unchanged lines, from the file as it is

  drawGap(gap, left) {
    const text = [...gap.childNodes].find(node => node.nodeType === 3 || node.classList?.contains('unfold'))
    if (!left) return text?.remove()
    const button = make('button', {type: 'button', cls: 'unfold', 'data-act': 'above', 'aria-keyshortcuts': 'u', title: 'U: show those before it; Shift U: those behind the part above'}, `↕ ${left.toLocaleString('en')} unchanged line${left === 1 ? '' : 's'}`)
    text ? text.replaceWith(button) : gap.prepend(button)
    return button
  }

  // One after the other: where the next lines stand depends on those before.
  unfold(section, below) {
    this.unfolding = (this.unfolding ?? Promise.resolve()).catch(() => {}).then(() => this.unfoldNext(section, below))
    return this.unfolding
  }

  async unfoldNext(section, below) {
    const {file, hunk} = this.place(section)
    if (!this.files[file].unfolds) return
    const key = `${file}.${hunk + Number(below)}`
    const gap = this.gaps.get(key) ?? {top: 0, bottom: 0}
    const [end, far] = below ? ['top', 'bottom'] : ['bottom', 'top']
    const told = await this.request({type: 'unfold', file, hunk, below, shown: gap[end], other: gap[far]})
    gap[end] += told.count
    this.gaps.set(key, gap)
    if (told.html) {
      const lines = setHtml(make('div', {cls: 'unfolded'}), told.html)
      below ? section.append(lines) : section.querySelector(':scope > .dg, :scope > .unfolded, :scope > .diff-fold').before(lines)
    }
    const next = section.parentElement.querySelector(`[data-hunk="${hunk + 1}"]`)
    const label = below ? next?.querySelector('.hunk-bar .diff-gap') : section.querySelector('.hunk-bar .diff-gap')
    if (label) this.drawGap(label, told.left)
    else if (below) this.drawEnd(section.parentElement.querySelector('.hunk-bar.below'), told.left)
    if (document.activeElement === document.body) section.focus({preventScroll: true})   // the button that was pressed is gone
  }

  drawEnd(bar, left) {
    if (!left) bar.remove()
    else bar.querySelector('.unfold').textContent = `↓ ${left.toLocaleString('en')} more line${left === 1 ? '' : 's'}`
  }

  recall(element, file, hunk) {
    const key = `${this.files[file].name}\n${[...element.querySelectorAll('.dl')].map(line => line.textContent).join('\n')}`
    const choice = memory.get(key) ?? {take: !this.whole?.has(file), text: null, note: ''}
    this.whole?.delete(file)
    memory.set(key, choice)
    this.choices.set(`${file}.${hunk ?? ''}`, choice)
    if (choice.text != null) queueMicrotask(() => this.preview(element, choice))
    if (choice.note) queueMicrotask(() => this.drawNote(element, choice))
  }

  place(element) {
    const section = element.closest('.diff-hunk')
    return {section, file: Number(element.closest('.diff-file').dataset.file), hunk: section ? Number(section.dataset.hunk) : null}
  }

  choice(section) {
    const {file, hunk} = this.place(section)
    return this.choices.get(`${file}.${hunk}`)
  }

  drawPart(section) {
    const {take, text} = this.choice(section)
    const state = !take ? 'refused' : text != null ? 'edited' : 'taken'
    section.dataset.state = state
    const label = section.querySelector('.part-state')
    label.textContent = STATES[state]
    label.title = take ? 'Click or X: leave it out' : 'Click or X: take it'
    label.setAttribute('aria-pressed', String(take))
    section.querySelector('.hunk-acts [data-act="toggle"]').firstChild.textContent = take ? 'Leave out ' : 'Take '
  }

  drawFile(details) {
    const file = Number(details.dataset.file)
    const own = [...this.choices].filter(([key]) => key.startsWith(`${file}.`)).map(([, choice]) => choice)
    const of = this.files[file].hunks || 1
    const taken = of - own.filter(choice => !choice.take).length
    details.dataset.state = taken ? 'taken' : 'refused'
    details.querySelector('.diff-head .part-state').textContent = taken === of ? STATES.taken : taken ? `${taken} of ${of} taken` : STATES.refused
  }

  drawCount() {
    const {taken, of, edited} = this.tally()
    const files = this.files.length
    this.count.textContent = `${files} file${files === 1 ? '' : 's'}, ${taken === of ? '' : `${taken} of `}${of} part${of === 1 ? '' : 's'}${taken === of ? '' : ' taken'}${edited ? `, ${edited} with your text` : ''}`
    this.changed()
  }

  // A file that is not drawn yet is taken whole.
  tally() {
    let taken = 0, of = 0, edited = 0
    for (const [at, {hunks}] of this.files.entries()) {
      const own = [...this.choices].filter(([key]) => key.startsWith(`${at}.`)).map(([, choice]) => choice)
      of += hunks || 1
      taken += this.whole?.has(at) ? 0 : (hunks || 1) - own.filter(choice => !choice.take).length
      edited += own.filter(choice => choice.take && choice.text != null).length
    }
    return {taken, of, edited}
  }

  // What is said of the parts, for the answer. With a no, notes alone.
  parts(decision) {
    const said = []
    for (const [key, {take, text, note}] of this.choices) {
      const [file, hunk] = key.split('.')
      const part = {file: Number(file), ...(hunk ? {hunk: Number(hunk)} : {}), ...(note ? {note} : {})}
      if (decision !== 'approved') { if (note) said.push(part) } else if (!take) said.push({...part, take: false})
      else if (text != null || note) said.push({...part, ...(text != null ? {text} : {})})
    }
    if (decision === 'approved') for (const file of this.whole ?? []) said.push({file, take: false})
    return said
  }

  // Keys and buttons

  key(event) {
    const found = keyed(REVIEWING, event)
    if (!found) return false
    event.preventDefault()
    const [, , act] = found
    if (typeof this.view[act] === 'function') this.view[act]()
    else this.attempt(act, this.view.current)
    return true
  }

  clicked(event) {
    const button = event.target.closest('[data-act]')
    if (!button) return
    event.preventDefault()
    const bar = button.closest('.hunk-bar.below')
    this.attempt(button.dataset.act, bar?.previousElementSibling || button.closest('.diff-hunk') || button.closest('.diff-file'))
  }

  // What the server refuses is said where the parts are counted.
  async attempt(act, element) {
    try { await this.act(act, element) } catch (error) { this.count.textContent = error.message }
  }

  act(act, element) {
    if (!element) return this.view.next()
    if (act === 'toggleFile') return this.toggleFile(element.closest('.diff-file'))
    const section = element.closest('.diff-hunk')
    if (!section) return undefined
    this.view.mark(section)
    if (act === 'toggle') this.toggle(section)
    else if (act === 'edit') return this.edit(section)
    else if (act === 'remark') this.remark(section)
    else if (act === 'keep') return this.keepText(section)
    else if (act === 'above' || act === 'below') return this.unfold(section, act === 'below')
    else if (act === 'drop') this.closeEditor(section)
    else if (act === 'original') this.original(section)
    return undefined
  }

  set(section, take) {
    this.choice(section).take = take
    this.drawPart(section)
  }

  toggle(section) {
    this.set(section, !this.choice(section).take)
    this.drawFile(section.closest('.diff-file'))
    this.drawCount()
  }

  toggleFile(details) {
    const file = Number(details.dataset.file)
    const take = details.dataset.state === 'refused'
    const sections = [...details.querySelectorAll('.diff-hunk')]
    for (const section of sections) this.set(section, take)
    const whole = this.choices.get(`${file}.`)
    if (whole) whole.take = take
    else if (!sections.length) {   // drawn when it is opened
      this.whole ??= new Set()
      take ? this.whole.delete(file) : this.whole.add(file)
    }
    this.drawFile(details)
    if (!sections.length) {
      details.dataset.state = take ? 'taken' : 'refused'
      details.querySelector('.diff-head .part-state').textContent = STATES[details.dataset.state]
    }
    this.drawCount()
  }

  // Another text

  async edit(section) {
    const {file, hunk} = this.place(section)
    if (!this.files[file].editable || section.querySelector('.hunk-editor')) return
    const choice = this.choice(section)
    const text = choice.text ?? await this.request({type: 'hunk_text', file, hunk})
    choice.original ??= choice.text == null ? text : null
    const field = make('textarea', {'aria-label': 'The text that shall stand there', spellcheck: 'false', rows: String(Math.min(24, text.split('\n').length + 1))})
    field.value = text
    section.append(make('div', {cls: 'hunk-editor'}, field, make('div', {cls: 'hunk-acts'},
      make('button', {type: 'button', 'data-act': 'keep'}, 'Take this text ', make('kbd', {text: 'Ctrl ⏎'})),
      make('button', {type: 'button', 'data-act': 'drop'}, 'Leave it ', make('kbd', {text: 'Esc'})),
      choice.text != null ? make('button', {type: 'button', 'data-act': 'original', text: 'Back to the patch’s text'}) : null)))
    section.classList.add('editing')
    field.focus()
  }

  async keepText(section) {
    const choice = this.choice(section)
    const text = section.querySelector('.hunk-editor textarea').value
    choice.take = true
    if (text === choice.original) return this.original(section)
    choice.text = text
    this.closeEditor(section)
    await this.preview(section, choice)
    this.drawFile(section.closest('.diff-file'))
    this.drawCount()
  }

  async preview(section, choice) {
    const {file, hunk} = this.place(section)
    const html = await this.request({type: 'hunk_text', file, hunk, text: choice.text})
    section.querySelector('.hunk-preview')?.remove()
    const shown = make('div', {cls: 'hunk-preview'})
    if (html) setHtml(shown, html)
    else shown.textContent = 'With your text nothing changes here.'
    section.append(shown)
    section.classList.add('replaced')
    this.drawPart(section)
  }

  original(section) {
    this.choice(section).text = null
    section.querySelector('.hunk-preview')?.remove()
    section.classList.remove('replaced')
    this.closeEditor(section)
    this.drawPart(section)
    this.drawCount()
  }

  closeEditor(section) {
    section.querySelector('.hunk-editor')?.remove()
    section.classList.remove('editing')
    section.focus()
  }

  // A note

  remark(section) {
    this.drawNote(section, this.choice(section)).focus()
  }

  drawNote(section, choice) {
    const there = section.querySelector('.hunk-note')
    if (there) return there
    const field = make('textarea', {cls: 'hunk-note', rows: '1', 'aria-label': 'Note for the model', placeholder: 'A note for the model: why, or what instead', on: {input: () => { choice.note = field.value.trim() }}})
    field.value = choice.note
    section.querySelector('.hunk-bar').after(field)
    return field
  }

  writing(event) {
    if (event.target.tagName !== 'TEXTAREA') return
    event.stopPropagation()
    const section = event.target.closest('.diff-hunk')
    const note = event.target.classList.contains('hunk-note')
    const done = event.key === 'Enter' && (note ? !event.shiftKey : event.ctrlKey || event.metaKey) && !event.isComposing
    if (event.key === 'Escape' || done) {
      event.preventDefault()
      if (note) { if (!event.target.value.trim()) event.target.remove(); section.focus() }
      else done ? this.keepText(section) : this.closeEditor(section)
    }
  }
}
