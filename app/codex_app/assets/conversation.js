// Draws entries of the conversation and what grows in them; keeps what is being read where it is.
import {addHtml, make, setHtml} from '/assets/dom.js'

const MARKS = {running: '…', done: '✓', failed: '✗'}
const WORDS = {running: 'running', done: 'done', failed: 'failed'}

export class Conversation {
  constructor({older, examples}) {
    this.nodes = new Map()
    this.older = older
    this.examples = examples
    this.inner = make('div', {cls: 'entries'})
    this.element = make('div', {cls: 'log', role: 'log', 'aria-live': 'off', tabindex: '0', 'aria-label': 'Conversation'}, this.inner)
    this.pinned = true
    this.more = false
    const settle = () => { if (this.pinned) this.element.scrollTop = this.element.scrollHeight }
    const observer = new ResizeObserver(settle)
    observer.observe(this.inner)
    observer.observe(this.element)
    this.element.addEventListener('scroll', () => {
      this.pinned = this.element.scrollHeight - this.element.scrollTop - this.element.clientHeight < 40
      if (this.element.scrollTop < 200 && this.more && !this.asking) this.ask()
    })
    this.element.addEventListener('click', event => this.click(event))
  }

  reset(items, more) {
    const open = new Set([...this.nodes].filter(([, node]) => node.opened).map(([id]) => id))
    const top = this.pinned ? null : this.element.scrollTop
    this.nodes.clear()
    this.more = more
    this.inner.replaceChildren(...items.map(([id, item]) => this.build(id, item, open.has(id))))
    this.empty()
    if (top !== null) this.element.scrollTop = top
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

  put(id, item) {
    const old = this.nodes.get(id)
    const element = this.build(id, item, old?.opened)
    if (old) old.element.replaceWith(element)
    else this.inner.append(element)
    this.empty()
  }

  remove(id) {
    this.nodes.get(id)?.element.remove()
    this.nodes.delete(id)
  }

  grow(patch) {
    const node = this.nodes.get(patch.id)
    if (!node) return
    if (patch.blocks) this.growText(node, patch.blocks)
    else {
      addHtml(node.lines, patch.lines)
      setHtml(node.tail, patch.tail)
      node.element.querySelector('.output').hidden = false
      const box = node.element.querySelector('.output')
      box.scrollTop = box.scrollHeight
    }
  }

  growText(node, blocks) {
    for (const [number, html, appended] of blocks) {
      while (node.body.children.length <= number) node.body.append(make('div'))
      const block = node.body.children[number]
      if (html !== null) setHtml(block, html)
      if (appended) {
        let last = block
        while (last.lastElementChild && last.lastChild === last.lastElementChild) last = last.lastElementChild
        last.append(appended)
      }
    }
  }

  build(id, item, opened) {
    const node = {item, opened: opened ?? false}
    this.nodes.set(id, node)
    const draw = this[`draw_${item.kind}`] || this.draw_note
    node.element = draw.call(this, item, node)
    node.element.dataset.id = id
    return node.element
  }

  // Kinds of entries

  draw_user(item) {
    const time = item.at && new Date(item.at * 1000)
    return make('article', {cls: 'user', 'aria-label': 'You'},
      make('div', {cls: 'said', text: item.text}),
      make('div', {cls: 'small'},
        item.steered ? make('span', {text: 'while it worked'}) : null,
        item.images ? make('span', {text: `${item.images} image${item.images > 1 ? 's' : ''}`}) : null,
        time ? make('time', {datetime: time.toISOString(), title: time.toLocaleString(), text: time.toLocaleTimeString([], {hour: '2-digit', minute: '2-digit'})}) : null))
  }

  draw_answer(item, node) {
    node.body = make('div', {cls: 'markdown'}, ...item.blocks.map(html => setHtml(make('div'), html)))
    if (item.tail) this.growText(node, [[Math.max(0, item.blocks.length - 1), null, item.tail]])
    return make('article', {cls: 'answer', 'aria-label': 'Codex'}, node.body)
  }

  draw_reasoning(item, node) {
    const body = this.draw_answer(item, node)
    body.className = ''
    return this.fold(node, 'reasoning', make('span', {cls: 'verb', text: item.live ? 'Thinking …' : 'Thoughts'}), null, body)
  }

  draw_command(item, node) {
    const [[verb, what], ...others] = item.steps
    const rest = others.map(([v, w]) => ` · ${v} ${w}`).join('')
    const title = make('span', {cls: 'title'}, make('span', {cls: 'verb', text: verb}), ' ', make('span', {cls: 'what', text: what + rest}))
    const flags = []
    if (!item.sandboxed) flags.push('outside the sandbox')
    if (item.yours) flags.push('yours')
    if (item.timed_out) flags.push('timed out')
    if (item.state === 'failed' && item.exit_code > 0) flags.push(`exit ${item.exit_code}`)
    if (item.state === 'failed' && item.exit_code === -1) flags.push('did not run')
    node.lines = setHtml(make('span'), item.lines)
    node.tail = setHtml(make('span'), item.tail)
    const output = make('pre', {cls: 'output', tabindex: '0', 'aria-label': 'Output'}, item.cut ? make('span', {cls: 'ansi-cut', text: '… earlier output is not kept\n'}) : null, node.lines, node.tail)
    output.hidden = !item.lines && !item.tail
    const exact = make('pre', {cls: 'exact', tabindex: '0', text: `$ ${item.script}`})
    const show = node.opened || item.state === 'running' || (item.state === 'failed' && !!item.lines)
    const element = this.fold(node, `command ${item.state}`, title, [...flags, item.duration], make('div', {}, exact, output), item.state, show)
    if (show && !node.opened) element.classList.add('peek')
    queueMicrotask(() => { output.scrollTop = output.scrollHeight })
    return element
  }

  draw_patch(item, node) {
    const title = make('span', {cls: 'title'}, make('span', {cls: 'verb', text: item.verb}), ' ', make('span', {cls: 'what', text: item.what}))
    const body = make('div', {cls: 'wide'}, item.error ? make('p', {cls: 'bad', text: item.error}) : null, setHtml(make('div'), item.html))
    return this.fold(node, `patch ${item.state}`, title, [`+${item.added} −${item.removed}`], body, item.state, true)
  }

  draw_tool(item, node) {
    const title = make('span', {cls: 'title'}, make('span', {cls: 'verb', text: item.verb}), ' ', make('span', {cls: 'what', text: item.what}))
    const body = item.text ? make('pre', {cls: 'output', tabindex: '0', text: item.text}) : make('p', {cls: 'small', text: 'Nothing more to show.'})
    return this.fold(node, `tool ${item.state}`, title, [item.duration], body, item.state)
  }

  draw_notice(item) { return make('article', {cls: `notice ${item.level}`, role: item.level === 'bad' ? 'alert' : null, text: item.text}) }
  draw_note(item) { return make('article', {cls: 'note', text: item.text}) }

  fold(node, cls, title, facts, body, state, open = node.opened) {
    const details = make('details', {open: !!open},
      make('summary', {}, title, make('span', {cls: 'facts'},
        ...(facts || []).filter(Boolean).map(text => make('span', {text})),
        state ? make('span', {cls: 'mark', role: 'img', 'aria-label': WORDS[state] || state, text: MARKS[state] || ''}) : null)),
      body)
    details.querySelector('summary').addEventListener('click', () => { node.opened = !details.open; details.parentElement.classList.remove('peek') })
    return make('article', {cls}, details)
  }

  click(event) {
    const button = event.target.closest('.copy')
    if (button) navigator.clipboard.writeText(button.parentElement.querySelector('pre').textContent).then(() => { button.textContent = 'copied' }, () => {})
  }
}
