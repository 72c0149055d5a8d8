// Forks and backtracked branches of a thread as a tree: jump to a message, fork behind it, compare what was changed at two.
import {WALKING, keyed} from '/assets/diff_keys.js'
import {DiffView} from '/assets/diff_view.js'
import {make} from '/assets/dom.js'

const DEEPEST = 8
const BESIDE = {same: '· the same in both', only: '· only here'}

export class Tree {
  // `rows()`: as the server tells them; `compare(nodes, alone)`: what was changed at two; `body(side, file)`: lines of
  // that; `open(thread, number)`, `fork(thread, number)`.
  constructor({rows, compare, body, open, fork, here, after}) {
    Object.assign(this, {rows, compare, body, open, fork, here, after})
    this.all = []
    this.list = make('ul', {cls: 'tree', role: 'tree', 'aria-label': 'Branches', tabindex: '0'})
    this.alone = false
    this.sides = make('div', {cls: 'sides', hidden: true})
    this.views = [0, 1].map(side => new DiffView({label: `Changes on the ${side ? 'right' : 'left'}`, body: file => this.body(side, file), dressFile: (details, file) => this.dressFile(details, side, file)}))
    const button = (text, keys, use) => make('button', {type: 'button', on: {click: use}}, `${text} `, make('kbd', {text: keys}))
    this.dialog = make('dialog', {cls: 'branches', 'aria-labelledby': 'tree-title', on: {keydown: event => this.key(event), cancel: event => { event.preventDefault(); this.close() }}},
      make('h2', {id: 'tree-title', text: 'Branches of this thread'}), this.list,
      make('div', {cls: 'answers'}, button('Go there', '⏎', () => this.go()), button('Fork behind it', 'f', () => this.branch()), button('Compare', 'c', () => this.mark()), button('Close', 'Esc', () => this.close())),
      this.count = make('p', {cls: 'small', role: 'status', hidden: true}), this.sides)
    document.body.append(this.dialog)
  }

  async show() {
    this.all = await this.rows()
    this.at = Math.max(0, this.all.findLastIndex(row => row.thread === this.here()))
    this.marked = this.pair = null
    this.clear()
    this.draw()
    this.dialog.showModal()
    this.list.focus()
  }

  clear() {
    this.sides.hidden = this.count.hidden = true
    this.sides.replaceChildren()
  }

  draw() {
    this.list.replaceChildren(...this.all.map((row, at) => make('li', {
      role: 'treeitem', id: `branch${at}`, 'aria-level': String(row.level), 'aria-selected': String(at === this.at),
      cls: `${row.kind} level${Math.min(DEEPEST, row.level)}${row === this.marked ? ' marked' : ''}`,
      on: {click: () => this.point(at), dblclick: () => this.go()},
      text: `${row.kind === 'branch' ? this.heading(row) : row.text || '(images)'}${row === this.marked ? ' – compare with …' : ''}`,
    })))
    this.point(this.at)
  }

  // The rows stay: a click that replaced them would have no second one.
  point(at) {
    this.list.children[this.at]?.setAttribute('aria-selected', 'false')
    this.at = at
    this.list.children[at]?.setAttribute('aria-selected', 'true')
    this.list.setAttribute('aria-activedescendant', `branch${at}`)
    this.list.children[at]?.scrollIntoView({block: 'nearest'})
  }

  heading({thread, name, archived}) {
    return [`⎇ ${name || `Thread ${thread.slice(-6)}`}`, thread === this.here() && '(shown)', archived && '(archived)'].filter(Boolean).join(' ')
  }

  key(event) {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return
    const last = this.all.length - 1
    const to = {ArrowDown: Math.min(last, this.at + 1), ArrowUp: Math.max(0, this.at - 1), Home: 0, End: last}[event.key]
    const use = {f: () => this.branch(), c: () => this.mark(), a: () => this.switchAlone(), Escape: () => this.close()}[event.key]
    const walk = this.sides.hidden ? null : keyed(WALKING, event)
    if (walk) this.walk(walk[2], Math.max(0, [...this.sides.children].findIndex(side => side.contains(event.target))))
    else if (to !== undefined && event.target === this.list) this.point(to)
    else if (use) use()
    else if (event.key === 'Enter' && event.target === this.list) this.go()
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  // In the side that one is in, from the list in the left one; how lines stand is the same in both.
  walk(step, side) { for (const view of step === 'switchView' ? this.views : [this.views[side]]) view[step]() }

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

  // The first time: which node; then: with which one it is compared.
  mark() {
    const row = this.all[this.at]
    if (!this.marked || this.marked === row) {
      this.marked = this.marked ? null : row
      return this.draw()
    }
    this.pair = [this.marked, row]
    return this.drawSides()
  }

  switchAlone() {
    if (!this.pair) return undefined
    this.alone = !this.alone
    return this.drawSides()
  }

  async drawSides() {
    const asked = this.asked = {}
    this.count.hidden = false
    this.count.classList.remove('bad')
    this.count.textContent = 'Asking what was changed …'
    let told
    try { told = await this.compare(this.pair.map(({thread, number}) => ({thread, number: number ?? null})), this.alone) } catch (error) {
      if (asked !== this.asked) return
      this.clear()
      this.count.hidden = false
      this.count.classList.add('bad')
      this.count.textContent = error.message
      return
    }
    if (asked !== this.asked) return
    this.told = told
    const kept = this.sides.contains(document.activeElement) && document.activeElement.getAttribute('aria-label')
    this.sides.hidden = false
    this.sides.replaceChildren(...told.map(({files, note}, side) => make('section', {'aria-label': `${side ? 'Right' : 'Left'}: ${this.title(this.pair[side])}`, tabindex: '0'},
      make('h3', {text: this.title(this.pair[side])}), make('p', {cls: 'small', text: this.about(files, note)}), this.views[side].element)))
    const [left, right] = told.map(({files}) => files)
    const same = left.filter(({beside}) => beside === 'same').length
    const both = left.filter(({beside}) => beside === 'other').length
    const parts = [same && `${same} alike`, both && `${both} changed otherwise`, left.length - same - both && `${left.length - same - both} only on the left`, right.length - same - both && `${right.length - same - both} only on the right`].filter(Boolean)
    this.count.replaceChildren(`${parts.length ? `Files: ${parts.join(', ')}.` : 'Neither changed a file.'} `)
    if (this.pair.some(({number}) => number != null)) this.count.append(make('button', {type: 'button', cls: 'plain-button', 'aria-keyshortcuts': 'a', on: {click: () => this.switchAlone()}},
      this.alone ? 'All that the branch had changed by then ' : 'The messages’ own turns alone ', make('kbd', {text: 'a'})))
    await Promise.all(told.map(({files}, side) => this.views[side].draw(files)))
    if (kept) this.sides.querySelector(`[aria-label="${CSS.escape(kept)}"]`)?.focus()
  }

  about(files, note) { return note || (files.length ? `${files.length} file${files.length === 1 ? '' : 's'}` : 'No file was changed.') }

  dressFile(details, side, file) {
    const {beside} = this.told[side].files[file]
    if (BESIDE[beside]) details.querySelector('.diff-count').before(make('span', {cls: 'diff-status', text: BESIDE[beside]}))
    if (beside === 'same') details.open = false
  }

  title(row) {
    if (row.kind === 'branch') return this.heading(row)
    return row.text || '(images)'
  }

  close() {
    this.asked = null
    if (this.dialog.open) this.dialog.close()
    this.after()
  }
}
