// The entries of a thread, in order; keeps what is being read where it is, and fetches what stands before.
import {make} from '/assets/dom.js'
import {grow, view} from '/assets/entry_views.js'

const MOST = 400        // entries in the document, and how many are left when they are more: older ones are fetched again
const LEFT = 160

export class Conversation {
  // `page`: what entries can ask and do (`entry_views.js`).
  constructor({older, examples, page}) {
    Object.assign(this, {older, examples, page})
    this.nodes = new Map()
    this.inner = make('div', {cls: 'entries'})
    this.element = make('div', {cls: 'log', role: 'log', 'aria-live': 'off', tabindex: '0', 'aria-label': 'Conversation'}, this.inner)
    this.pinned = true
    this.top = 0
    this.more = false
    const observer = new ResizeObserver(() => this.settle())
    observer.observe(this.inner)
    observer.observe(this.element)
    this.element.addEventListener('scroll', () => this.scrolled())
    this.element.addEventListener('click', event => this.click(event))
  }

  // Show the end, and what will come there.
  toEnd() {
    this.pinned = true
    this.settle()
  }

  // The end stays in sight while nobody looks elsewhere. Called after whatever may have changed heights.
  settle() {
    if (!this.pinned) return
    this.element.scrollTop = this.element.scrollHeight
    this.top = this.element.scrollTop
  }

  // Going up leaves the end. To be far from it does not: the event comes a frame late, and meanwhile more was added or an
  // entry that came into sight got its real height.
  scrolled() {
    const {scrollTop, scrollHeight, clientHeight} = this.element
    if (scrollHeight - scrollTop - clientHeight < 40) this.pinned = true
    else if (scrollTop < this.top) this.pinned = false
    this.top = scrollTop
    if (scrollTop < 200 && this.more && !this.asking) this.ask()
  }

  reset(items, more) {
    const open = new Set([...this.nodes].filter(([, node]) => node.opened).map(([id]) => id))
    const top = this.pinned ? null : this.element.scrollTop
    this.nodes.clear()
    this.more = more
    this.inner.replaceChildren(...items.map(([id, item]) => this.build(id, item, open.has(id))))
    this.empty()
    if (top !== null) this.element.scrollTop = top
    this.settle()
  }

  empty() {
    const there = this.inner.querySelector('.empty')
    if (this.nodes.size) there?.remove()
    else if (!there) {
      this.inner.append(make('section', {cls: 'empty'},
        make('h2', {text: 'What should be done here?'}),
        make('p', {text: 'The agent reads, runs commands inside a sandbox and edits by patches; it asks before it does what you did not allow.'}),
        ...this.examples.map(([text, use]) => make('button', {type: 'button', cls: 'example', text, on: {click: use}}))))
    }
  }

  async ask() {
    const first = this.nodes.keys().next().value
    if (first == null) return
    this.asking = true
    try {
      const {items, more} = await this.older(first)
      this.more = more
      const height = this.element.scrollHeight
      const rest = [...this.nodes]
      this.nodes.clear()
      const built = items.map(([id, item]) => this.build(id, item, false))
      for (const [id, node] of rest) this.nodes.set(id, node)
      this.inner.prepend(...built)
      this.element.scrollTop += this.element.scrollHeight - height
    } catch {} finally { this.asking = false }
  }

  // Bring the user's message of that number into sight, however old it is; whether it is there.
  reveal(number) { return this.lead(`article.user[data-number="${Number(number)}"]`) }

  // An entry by its id, unfolded.
  async revealEntry(id) {
    if (!await this.lead(`[data-id="${CSS.escape(id)}"]`)) return false
    const node = this.nodes.get(id)
    const details = node.element.querySelector('details')
    if (details) { details.open = node.opened = true; node.element.classList.remove('peek'); node.element.scrollIntoView({block: 'start'}) }
    return true
  }

  // Older entries are fetched until it is there.
  async lead(selector) {
    let found
    while (!(found = this.inner.querySelector(selector)) && this.more) {
      const before = this.nodes.size
      await this.ask()
      if (this.nodes.size === before) break
    }
    if (!found) return false
    this.pinned = false
    found.scrollIntoView({block: 'start'})
    found.classList.add('shown-once')
    setTimeout(() => found.classList.remove('shown-once'), 2000)
    return true
  }

  // The newest whole answer's id; null for none.
  lastAnswer() {
    return [...this.nodes].findLast(([, node]) => node.item.kind === 'answer' && !node.item.live)?.[0] ?? null
  }

  // The newest message of the user's; undefined for none.
  lastPrompt() { return [...this.nodes.values()].findLast(node => node.item.kind === 'user')?.item }

  // `fresh`: it is new, at the end; else it is one that may stand far above, where it is fetched as it then is.
  put(id, item, fresh) {
    const old = this.nodes.get(id)
    if (!old && !fresh) return
    const element = this.build(id, item, old?.opened)
    if (old) old.element.replaceWith(element)
    else this.inner.append(element)
    this.empty()
    if (!old && this.pinned && this.nodes.size > MOST) this.forget()
  }

  // A tab that is open for days does not grow: what stands far above the end leaves the document.
  forget() {
    for (const id of [...this.nodes.keys()].slice(0, this.nodes.size - LEFT)) this.remove(id)
    this.more = true
  }

  remove(id) {
    this.nodes.get(id)?.element.remove()
    this.nodes.delete(id)
  }

  grow(patch) {
    const node = this.nodes.get(patch.id)
    if (node) grow(node, patch)
  }

  build(id, item, opened) {
    const node = {item, opened}
    this.nodes.set(id, node)
    node.element = view(item, node, this.page, id)
    node.element.dataset.id = id
    return node.element
  }

  click(event) {
    const button = event.target.closest('.copy')
    if (button) navigator.clipboard.writeText(button.parentElement.querySelector('pre').textContent).then(() => { button.textContent = 'copied' }, () => {})
  }
}
