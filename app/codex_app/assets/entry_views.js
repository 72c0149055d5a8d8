// How each kind of entry looks. A view is an element and what in it grows; text is text, HTML is from `codex_render`.
import {addHtml, make, setHtml} from '/assets/dom.js'

const MARKS = {running: '…', done: '✓', failed: '✗'}
const WORDS = {running: 'running', done: 'done', failed: 'failed'}

const title = (verb, what) => make('span', {cls: 'title'}, make('span', {cls: 'verb', text: verb}), ' ', make('span', {cls: 'what', text: what}))

// `what(name)`: does an action of `page` for this entry.
const actions = (...buttons) => make('div', {cls: 'acts'}, ...buttons.filter(Boolean).map(([name, about, use]) =>
  make('button', {type: 'button', cls: 'plain', title: about, 'aria-label': about, text: name, on: {click: event => { event.preventDefault(); use(event.currentTarget) }}})))

const fold = (node, cls, head, facts, body, state, open = node.opened, acts = null) => {
  const details = make('details', {open: !!open},
    make('summary', {}, head, make('span', {cls: 'facts'},
      ...(facts || []).filter(Boolean).map(text => make('span', {text})),
      state ? make('span', {cls: 'mark', role: 'img', 'aria-label': WORDS[state] || state, text: MARKS[state] || ''}) : null)),
    body)
  details.querySelector('summary').addEventListener('click', () => { node.opened = !details.open; details.parentElement.classList.remove('peek') })
  return make('article', {cls}, details, acts)
}

const copied = async (page, button, text) => {
  try { await navigator.clipboard.writeText(await text) } catch { return page.say('The browser did not let this be copied.') }
  const before = button.textContent
  button.textContent = 'copied'
  setTimeout(() => { button.textContent = before }, 1500)
}

const pictures = (images, page) => images?.length ? make('div', {cls: 'pictures'}, ...images.map(({id, name}) => {
  const address = page.picture(id)
  const image = make('img', {src: address, alt: name, loading: 'lazy'})
  image.addEventListener('error', () => image.replaceWith(make('span', {cls: 'small', text: `${name} is not there any more`})))
  return make('a', {href: address, target: '_blank', rel: 'noopener'}, image)
})) : null

const VIEWS = {
  user(item, node, page) {
    const time = item.at && new Date(item.at * 1000)
    const long = item.text.length > 2000 || item.text.split('\n').length > 30
    const said = make('div', {cls: long ? 'said long' : 'said', text: item.text})
    const more = long && make('button', {type: 'button', cls: 'plain more', text: 'Show all of it', on: {click: () => { said.classList.remove('long'); more.remove() }}})
    return make('article', {cls: 'user', 'aria-label': 'You', 'data-number': item.number},
      make('div', {cls: 'said-box'}, said, more || null, pictures(item.images, page)),
      make('div', {cls: 'small'},
        item.steered ? make('span', {text: 'while it worked'}) : null,
        time ? make('time', {datetime: time.toISOString(), title: time.toLocaleString(), text: time.toLocaleTimeString([], {hour: '2-digit', minute: '2-digit'})}) : null),
      actions(['copy', 'Copy this message', button => copied(page, button, item.text)],
        ...item.number == null ? [] : [['edit from here', 'Edit this message in a branch of the thread', () => page.editFrom(item.number)],
          ['fork', 'Go on in a copy of the thread up to the answer to this', () => page.forkAfter(item.number)],
          ['link', 'Copy a link to this message', button => copied(page, button, page.linkTo(item.number))]]))
  },

  answer(item, node, page, id) {
    node.body = make('div', {cls: 'markdown'}, ...item.blocks.map(html => setHtml(make('div'), html)))
    if (item.tail) growText(node, [[Math.max(0, item.blocks.length - 1), null, item.tail]])
    return make('article', {cls: 'answer', 'aria-label': 'Codex'}, node.body,
      item.live ? null : actions(['copy', 'Copy this answer', button => copied(page, button, page.source(id))]))
  },

  reasoning(item, node, page, id) {
    const body = VIEWS.answer({...item, live: true}, node, page, id)
    body.className = ''
    return fold(node, 'reasoning', make('span', {cls: 'verb', text: item.live ? 'Thinking …' : 'Thoughts'}), null, body)
  },

  command(item, node, page, id) {
    const [[verb, what], ...others] = item.steps
    const flags = []
    if (!item.sandboxed) flags.push('outside the sandbox')
    if (item.yours) flags.push('yours')
    if (item.timed_out) flags.push('timed out')
    if (item.state === 'failed' && item.exit_code > 0) flags.push(`exit ${item.exit_code}`)
    if (item.state === 'failed' && item.exit_code === -1) flags.push('did not run')
    node.lines = setHtml(make('span'), item.lines)
    node.tail = setHtml(make('span'), item.tail)
    const first = item.omitted ? setHtml(make('span'), item.first) : null
    const all = item.omitted ? make('button', {type: 'button', cls: 'plain more', text: `… ${item.omitted} more lines: show all`, on: {click: async () => {
      all.disabled = true
      try {
        const html = await page.whole(id)
        first.remove()
        all.remove()
        setHtml(node.lines, html)
      } catch (error) { all.disabled = false; page.say(error.message) }
    }}}) : null
    node.output = make('pre', {cls: 'output', tabindex: '0', 'aria-label': 'Output'}, item.cut ? make('span', {cls: 'ansi-cut', text: '… earlier output is not kept\n'}) : null, first, all, node.lines, node.tail)
    node.output.hidden = !item.lines && !item.tail
    const exact = make('pre', {cls: 'exact', tabindex: '0', text: `$ ${item.script}`})
    const show = node.opened || item.state === 'running' || (item.state === 'failed' && !!item.lines)
    const rest = others.map(([v, w]) => ` · ${v} ${w}`).join('')
    const element = fold(node, `command ${item.state}`, title(verb, what + rest), [...flags, item.duration], make('div', {}, exact, node.output), item.state, show,
      actions(['copy', 'Copy this command', button => copied(page, button, item.script)]))
    if (show && !node.opened) element.classList.add('peek')
    queueMicrotask(() => { node.output.scrollTop = node.output.scrollHeight })
    return element
  },

  patch(item, node, page, id) {
    const body = make('div', {cls: 'wide'}, item.error ? make('p', {cls: 'bad', text: item.error}) : null)
    const diffs = setHtml(make('div'), item.html)
    if (item.large) {
      const load = make('button', {type: 'button', text: 'Show the changes', on: {click: async () => {
        load.disabled = true
        try { setHtml(diffs, await page.whole(id)) } catch (error) { load.disabled = false; return page.say(error.message) }
        list.remove()
      }}})
      const list = make('div', {}, make('ul', {cls: 'files'}, ...item.files.map(([path, added, removed]) =>
        make('li', {}, make('span', {cls: 'what', text: path}), ' ', make('span', {cls: 'small', text: `+${added} −${removed}`})))), load)
      body.append(list)
    }
    body.append(diffs)
    return fold(node, `patch ${item.state}`, title(item.verb, item.what), [`+${item.added} −${item.removed}`], body, item.state, true)
  },

  tool(item, node, page) {
    const body = make('div', {},
      item.given ? make('pre', {cls: 'output given', tabindex: '0', 'aria-label': 'Arguments', text: item.given}) : null,
      item.text ? make('pre', {cls: 'output', tabindex: '0', 'aria-label': 'Result', text: item.text}) : null,
      pictures(item.images, page),
      item.given || item.text || item.images?.length ? null : make('p', {cls: 'small', text: 'Nothing more to show.'}))
    return fold(node, `tool ${item.state}`, title(item.verb, item.what), [item.duration], body, item.state, node.opened ?? !!item.images?.length)
  },

  notice(item, node, page) {
    const bad = item.level === 'bad'
    return make('article', {cls: `notice ${item.level}`, role: bad ? 'alert' : null}, make('div', {text: item.text}),
      bad ? make('div', {cls: 'remedies'}, ...page.remedies(item.text).map(([name, use]) => make('button', {type: 'button', text: name, on: {click: use}}))) : null)
  },

  note(item, node) {
    if (!item.more) return make('article', {cls: 'note', text: item.text})
    return fold(node, 'note', make('span', {text: item.text}), null, make('div', {cls: 'said', text: item.more}))
  },

  branch(item, node, page) {
    return make('article', {cls: 'note branch'}, make('span', {text: item.text}), ' ', make('a', {href: `#${item.thread}`, text: 'Show the other branch'}))
  },
}

export const view = (item, node, page, id) => (VIEWS[item.kind] || VIEWS.note)(item, node, page, id)

// What came to an entry since it was drawn.
export const grow = (node, patch) => {
  if (patch.blocks) return growText(node, patch.blocks)
  addHtml(node.lines, patch.lines)
  setHtml(node.tail, patch.tail)
  node.output.hidden = false
  node.output.scrollTop = node.output.scrollHeight
}

const growText = (node, blocks) => {
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
