// Forks and backtracked branches of a thread as a tree: jump to a message, fork behind it, compare what two branches changed.
import {make, setHtml} from '/assets/dom.js'

const DEEPEST = 8

export class Tree {
  // `rows()`: as the server tells them; `changes(threads)`: of two; `open(thread, number)`, `fork(thread, number)`.
  constructor({rows, changes, open, fork, here, after}) {
    Object.assign(this, {rows, changes, open, fork, here, after})
    this.all = []
    this.list = make('ul', {cls: 'tree', role: 'tree', 'aria-label': 'Branches', tabindex: '0'})
    this.sides = make('div', {cls: 'sides'})
    const button = (text, keys, use) => make('button', {type: 'button', on: {click: use}}, `${text} `, make('kbd', {text: keys}))
    this.dialog = make('dialog', {cls: 'branches', 'aria-labelledby': 'tree-title', on: {keydown: event => this.key(event), cancel: event => { event.preventDefault(); this.close() }}},
      make('h2', {id: 'tree-title', text: 'Branches of this thread'}), this.list,
      make('div', {cls: 'answers'}, button('Go there', '⏎', () => this.go()), button('Fork behind it', 'f', () => this.branch()), button('Compare', 'c', () => this.mark()), button('Close', 'Esc', () => this.close())),
      this.sides)
    document.body.append(this.dialog)
  }

  async show() {
    this.all = await this.rows()
    this.at = Math.max(0, this.all.findLastIndex(row => row.thread === this.here()))
    this.marked = null
    this.sides.replaceChildren()
    this.draw()
    this.dialog.showModal()
    this.list.focus()
  }

  draw() {
    this.list.replaceChildren(...this.all.map((row, at) => make('li', {
      role: 'treeitem', id: `branch${at}`, 'aria-level': String(row.level), 'aria-selected': String(at === this.at),
      cls: `${row.kind} level${Math.min(DEEPEST, row.level)}${row.thread === this.marked ? ' marked' : ''}`,
      on: {click: () => { this.at = at; this.draw() }, dblclick: () => this.go()}, text: row.kind === 'branch' ? this.heading(row) : row.text || '(images)',
    })))
    this.list.setAttribute('aria-activedescendant', `branch${this.at}`)
    this.list.children[this.at]?.scrollIntoView({block: 'nearest'})
  }

  heading({thread, name, archived}) {
    return [`⎇ ${name || `Thread ${thread.slice(-6)}`}`, thread === this.here() && '(shown)', archived && '(archived)', thread === this.marked && '– compare with …'].filter(Boolean).join(' ')
  }

  key(event) {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return
    const last = this.all.length - 1
    const to = {ArrowDown: Math.min(last, this.at + 1), ArrowUp: Math.max(0, this.at - 1), Home: 0, End: last}[event.key]
    const use = {f: () => this.branch(), c: () => this.mark(), Escape: () => this.close()}[event.key]
    if (to !== undefined && event.target === this.list) { this.at = to; this.draw() }
    else if (use) use()
    else if (event.key === 'Enter' && event.target === this.list) this.go()
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  go() {
    const {thread, number} = this.all[this.at]
    this.close()
    this.open(thread, number ?? null)
  }

  branch() {
    const {thread, number} = this.all[this.at]
    this.close()
    this.fork(thread, number ?? null)
  }

  // The first time: which branch; the second: with which one it is compared.
  async mark() {
    const {thread} = this.all[this.at]
    if (!this.marked || this.marked === thread) {
      this.marked = this.marked ? null : thread
      return this.draw()
    }
    const threads = [this.marked, thread]
    this.sides.replaceChildren(make('p', {cls: 'small', text: 'Asking both branches what they changed …'}))
    try {
      const told = await this.changes(threads)
      this.sides.replaceChildren(...told.map(({html, note}, index) => make('section', {'aria-label': `Changes of branch ${index + 1}`, tabindex: '0'},
        make('h3', {text: this.title(threads[index])}), note ? make('p', {cls: 'small', text: note}) : null,
        html ? setHtml(make('div', {cls: 'wide'}), html) : make('p', {cls: 'small', text: 'It changed no file.'}))))
    } catch (error) { this.sides.replaceChildren(make('p', {cls: 'bad', text: error.message})) }
  }

  title(thread) {
    const own = this.all.filter(row => row.thread === thread)
    return own.findLast(row => row.text)?.text || own[0]?.name || thread
  }

  close() {
    if (this.dialog.open) this.dialog.close()
    this.after()
  }
}
