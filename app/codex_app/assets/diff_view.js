// A diff one walks through: by hunk and by file, in one column or side by side, long files when they are opened.
import {addHtml, make, setHtml} from '/assets/dom.js'

const VIEW = 'codex.diff.view'
const stored = () => { try { return localStorage.getItem(VIEW) } catch { return null } }
const store = view => { try { localStorage.setItem(VIEW, view) } catch {} }

const PIECE_CHARS = 120_000

const same = (one, other) => one.html.replace(/ data-file="\d+"/, '') === other.html.replace(/ data-file="\d+"/, '') && one.state === other.state && one.back === other.back && one.beside === other.beside

// The lines of a file in pieces of whole hunks.
const pieces = body => {
  const hunks = body.split(/(?<=<\/section>)/)
  const out = []
  for (const hunk of hunks) out.length && out.at(-1).length + hunk.length < PIECE_CHARS ? out[out.length - 1] += hunk : out.push(hunk)
  return out.filter(Boolean)
}

export class DiffView {
  // `body(file)`: the lines of a file drawn without them; `dress(section, file, hunk)`: called once per hunk drawn;
  // `dressFile(details, file)`: once per file.
  constructor({label, body, dress = () => {}, dressFile = () => {}}) {
    Object.assign(this, {body, dress, dressFile})
    this.element = make('div', {cls: 'diff walk', role: 'group', 'aria-label': label})
    this.switcher = make('button', {type: 'button', cls: 'plain-button', 'aria-keyshortcuts': 'v', on: {click: () => this.switchView()}})
    this.element.addEventListener('toggle', event => this.opened(event.target), true)
    this.element.addEventListener('focusin', event => { const hunk = event.target.closest('.diff-hunk'); if (hunk) this.mark(hunk) })
    this.element.addEventListener('pointerdown', event => { const hunk = event.target.closest('.diff-hunk'); if (hunk) this.mark(hunk) })
    this.show(stored() === 'split')
  }

  // `files`: `[{name, html, body, later}]`; `html` is one `details.diff-file` without its lines. What is drawn already and
  // the same stays; long diffs are drawn piece by piece, so that a key pressed meanwhile is not kept waiting.
  async draw(files) {
    const mine = this.drawing = {}
    const before = new Map((this.files || []).map((file, at) => [file.name, {file, details: this.element.querySelector(`:scope > [data-file="${at}"]`)}]))
    this.files = files
    this.current = null
    const fresh = []
    this.element.replaceChildren(...files.map((file, at) => {
      const old = before.get(file.name)
      before.delete(file.name)
      if (old?.details && old.file.body === file.body && file.body != null && same(old.file, file)) { old.details.dataset.file = at; return old.details }
      const details = setHtml(make('div'), file.html).firstElementChild
      fresh.push([details, file])
      return details
    }))
    let drawn = 0
    for (const [details, file] of fresh) {
      this.dressOne(details)
      for (const piece of pieces(file.body ?? '')) {
        if (drawn > PIECE_CHARS) { drawn = 0; await new Promise(resolve => setTimeout(resolve)) }
        if (mine !== this.drawing) return
        addHtml(details.querySelector('.diff-body'), piece)
        this.dressOne(details)
        drawn += piece.length
      }
    }
  }

  dressOne(details) {
    const file = Number(details.dataset.file)
    if (!details.dataset.dressed) {
      details.dataset.dressed = 'yes'
      const {later} = this.files[file]
      if (later) details.querySelector('.diff-count').before(make('span', {cls: 'diff-status', text: `${later}, drawn when opened`}))
      this.dressFile(details, file)
    }
    for (const section of details.querySelectorAll('.diff-hunk:not([tabindex])')) {
      section.tabIndex = -1
      this.dress(section, file, Number(section.dataset.hunk))
    }
  }

  async opened(details) {
    const file = this.files?.[Number(details.dataset?.file)]
    if (!file?.later || !details.open || details.dataset.drawn) return
    details.dataset.drawn = 'yes'
    const body = details.querySelector('.diff-body')
    body.textContent = 'Drawing …'
    try { setHtml(body, await this.body(Number(details.dataset.file))) } catch (error) { body.textContent = error.message; delete details.dataset.drawn; return }
    this.dressOne(details)
  }

  show(split) {
    this.split = split
    this.element.classList.toggle('split', split)
    this.switcher.replaceChildren(split ? 'One column ' : 'Side by side ', make('kbd', {text: 'V'}))
  }

  switchView() {
    this.show(!this.split)
    store(this.split ? 'split' : 'unified')
    this.current?.scrollIntoView({block: 'nearest'})
  }

  hunks() { return [...this.element.querySelectorAll('.diff-file[open] .diff-hunk')] }

  mark(section) {
    if (this.current === section) return
    this.current?.classList.remove('current')
    this.current = section
    section.classList.add('current')
  }

  go(section) {
    if (!section) return
    this.mark(section)
    section.focus({preventScroll: true})
    const head = section.closest('.diff-file').querySelector('.diff-head')
    section.style.scrollMarginTop = `${head.offsetHeight + 4}px`
    section.scrollIntoView({block: section.offsetHeight > this.element.clientHeight / 2 ? 'start' : 'nearest'})
  }

  step(by) {
    const hunks = this.hunks()
    const at = hunks.indexOf(this.current)
    this.go(hunks[at < 0 ? (by > 0 ? 0 : hunks.length - 1) : Math.max(0, Math.min(hunks.length - 1, at + by))])
  }

  stepFile(by) {
    const files = [...this.element.querySelectorAll(':scope > .diff-file')]
    const at = files.indexOf(this.current?.closest('.diff-file'))
    const file = files[at < 0 ? 0 : Math.max(0, Math.min(files.length - 1, at + by))]
    if (!file) return
    file.open = true
    const hunk = file.querySelector('.diff-hunk')
    if (hunk) this.go(hunk)
    else { file.scrollIntoView({block: 'start'}); file.querySelector('summary').focus() }
  }

  next() { this.step(1) }
  previous() { this.step(-1) }
  nextFile() { this.stepFile(1) }
  previousFile() { this.stepFile(-1) }
}
