// The page: its parts, and what passes between them. Everything comes over the link, and leaves as a request.
import {Backtrack} from '/assets/backtrack.js'
import {Registry} from '/assets/commands.js'
import {Changed} from '/assets/changed.js'
import {Composer} from '/assets/composer.js'
import {Conversation} from '/assets/conversation.js'
import {doing} from '/assets/doing.js'
import {keep, make, newId} from '/assets/dom.js'
import {dropping} from '/assets/dropping.js'
import {FirstRun} from '/assets/first_run.js'
import {Head} from '/assets/head.js'
import {Inspector} from '/assets/inspector.js'
import {Link} from '/assets/link.js'
import {Notifier} from '/assets/notify.js'
import {Plan} from '/assets/plan.js'
import {Questions} from '/assets/questions.js'
import {Search} from '/assets/search.js'
import {Saying} from '/assets/saying.js'
import {wear} from '/assets/theme.js'
import {ThreadList} from '/assets/thread_list.js'
import {Tree} from '/assets/tree.js'

const EXAMPLES = ['Give me a tour of this directory and write it down.', 'Run the tests and explain what fails.', 'Find where errors are handled, and say what is missing.']
const S = {state: {}, thread: '', connection: 'connecting', missing: '', done: false}

const saying = new Saying()
const say = text => saying.say(text)
const back = () => composer.text.focus()
const run = (name, words) => registry.run(name, words)

const link = new Link({
  batch: patches => { for (const patch of patches) apply[patch.op]?.(patch); conversation.settle(); title() },
  threads: (threads, asks) => { list.draw(threads, S.thread); others(asks); notifier.threads(threads, S.thread); drawHead(); title() },
  state: state => { S.connection = state; drawHead() },
  shown: thread => { S.thread = thread; S.missing = ''; history.replaceState(null, '', `#${thread}`); keep('codex.place', `#${thread}`); composer.show(thread); list.draw(list.threads, thread); others(S.waiting); inspector.shown(thread); drawHead(); title(); firstRun.look(thread) },
  failed: text => { if (S.state.thread) say(text); else { S.missing = text; drawHead() } },
})

const apply = {
  reset({items, more, state, asks, answered}) {
    S.state = {...S.state, thread: state.thread}
    conversation.reset(items, more)
    apply.state({state}, true)
    apply.asks({asks, answered})
    if (S.hit?.thread === state.thread) { const {hit} = S; S.hit = null; show(hit) }
    if (S.target != null) { const number = S.target; S.target = null; reveal(number) }
  },
  put({id, item, fresh}) { conversation.put(id, item, fresh) },
  grow(patch) { conversation.grow(patch) },
  remove({id}) { conversation.remove(id) },
  state({state}, fresh = false) {
    if (S.state.busy && !state.busy && !document.hasFocus()) S.done = true
    S.state = state
    composer.state(state, fresh)
    drawHead()
    plan.draw(state)
    changed.stirred(`${state.thread}.${state.stirred}`)
    inspector.changed()
  },
  asks({asks, answered}) { questions.set(asks, answered); if (asks.length) saying.read(`${asks[0].question} ${asks[0].exact || ''}`) },
}

const registry = new Registry(doing({
  link, say, go, back, state: () => S.state, toggleThreads: () => list.toggle(), registry: () => registry, composer: () => composer, conversation: () => conversation, backtrack: () => backtrack, tree: () => tree,
  inspect: tab => inspector.toggle(tab), search: words => search.open(words),
  questions: () => questions, list: () => list, notifier: () => notifier, firstRun: () => firstRun,
}))
const ask = message => link.ask(message)
const picture = id => `/picture/${S.state.thread}/${id}`
const conversation = new Conversation({
  older: before => ask({type: 'older', before}),
  examples: EXAMPLES.map(text => [text, () => composer.fill(text)]),
  page: {
    say, picture,
    whole: id => ask({type: 'whole', id}), source: id => ask({type: 'source', id}),
    editFrom: number => registry.page.fork(number).catch(error => say(error.message)),
    forkAfter: number => registry.page.forkAfter(number).catch(error => say(error.message)),
    linkTo: number => `${location.origin}/#${S.thread}/${number}`,
    remedies: text => remedies(text),
  },
})
const composer = new Composer({ask, send: message => { conversation.toEnd(); return link.ask({type: 'send', ...message}, {again: true}) }, registry, failed: say})
const tree = new Tree({
  rows: () => ask({type: 'tree'}), compare: (nodes, alone) => ask({type: 'compare', nodes, alone}), body: (side, file) => ask({type: 'compared_file', side, file}), here: () => S.thread, after: back,
  open: (thread, number) => { if (thread === S.thread) return number === null || reveal(number); S.target = number; go(thread) },
  fork: (thread, number) => registry.page.forkAfter(number, thread).catch(error => say(error.message)),
})
const backtrack = new Backtrack({
  prompts: () => ask({type: 'prompts'}), edit: number => conversation.page.editFrom(number), picture, failed: say, after: back,
  hint: text => { composer.hint.textContent = text; composer.hint.hidden = !text },
})
const questions = new Questions({
  answer: request => link.ask({type: 'answer', ...request, ...(request.message ? {message_id: newId()} : {})}),
  ask: message => link.ask(message, {again: true}), preview: prefixes => link.ask({type: 'preview_rules', prefixes}), list: () => run('waiting'), failed: say, after: back,
})
const list = new ThreadList({open: go, newThread: () => run('new'), newElsewhere: () => run('new-in'), ask: message => link.ask(message), say, back})
const notifier = new Notifier({open: go})
const firstRun = new FirstRun({ask: message => link.ask(message), go, say, back})
const head = new Head({toggleThreads: () => run('threads'), showKeys: () => run('keys')})
const plan = new Plan()
const inspector = new Inspector({back, busy: () => !!S.state.busy, go: lead})
const search = new Search({ask: message => link.ask(message), show, after: back, threads: () => list.threads})
const changed = new Changed({ask: message => link.ask(message), send: text => link.ask({type: 'send', id: newId(), text}, {again: true}), say, back})
inspector.register({id: 'diff', name: 'Diff', show: panel => changed.show(panel, S.thread), hide: () => changed.hide()})
inspector.framed('plots', 'Plots', 'thread')
inspector.framed('settings', 'Settings', 'settings')
inspector.register({id: 'status', name: 'Status', live: true, show: element => registry.page.drawStatus(element).catch(error => { element.textContent = error.message })})
document.body.append(list.element,
  make('main', {}, head.element, plan.element, conversation.element, make('div', {cls: 'bottom'}, questions.bar, composer.element, head.foot)),
  inspector.element, questions.dialog, saying.toast, saying.status)

function go(thread) {
  list.close()
  S.state = {}
  conversation.pinned = true
  conversation.reset([], false)
  questions.set([])
  link.open(thread)
  composer.turn(thread)
  back()
}

// What helps after an error, as `[name, use]`.
function remedies(text) {
  const last = conversation.lastPrompt()
  return [
    /log ?in|credential|API key|401/i.test(text) ? ['Log in …', () => run('login')] : null,
    /context|too long/i.test(text) ? ['Compact the history', () => run('compact')] : null,
    last ? ['Write the message again', () => composer.fill(last.text)] : null,
  ].filter(Boolean)
}

function others(asks = []) {
  S.waiting = asks
  questions.setOthers(asks.filter(one => one.thread !== S.thread))
}

// The place in the address: a thread, and maybe the number of a message in it.
function place() {
  const [thread, number] = location.hash.slice(1).split('/')
  return [thread, number ?? null]
}

// A place that was found: its thread is shown, then the entry.
async function show(hit) {
  if (hit.thread !== S.state.thread) { S.hit = hit; go(hit.thread); return }
  try {
    const {entry} = await link.ask({type: 'find', kind: hit.kind, turn: hit.turn, line: hit.line}, {again: true})
    if (!entry || !await conversation.revealEntry(entry)) say('That place is not shown in this thread any more: it was taken back or summed up.')
  } catch (error) { say(error.message) }
}

async function reveal(number) {
  if (number !== null && !await conversation.reveal(number)) say('The message of this link is not in the thread.')
  history.replaceState(null, '', `#${S.thread}`)
}

// What a plot leads to: `turn:3` of this thread, or `thread:ID`.
async function lead(to) {
  const [kind, which] = to.split(':')
  if (kind === 'thread') return go(which)
  try {
    const {message} = await link.ask({type: 'turn', number: Number(which)})
    if (!await conversation.reveal(message)) say(`Turn ${which} is not shown here.`)
  } catch (error) { say(error.message) }
}

function drawHead() {
  head.draw(S.state, {connection: S.connection, waiting: list.waiting(S.state.thread), missing: !!S.missing})
  if (S.missing && !S.state.thread) conversation.inner.replaceChildren(make('article', {cls: 'notice bad', role: 'alert', text: S.missing}))
}

function title() {
  const waits = list.waiting() || (questions.asks.length ? 1 : 0)
  const name = S.state.name || S.state.directory?.split('/').pop() || 'Codex'
  document.title = `${waits ? `(${waits}) ` : S.state.busy ? '… ' : S.done ? '✓ ' : ''}${name} – Codex`
}

addEventListener('keydown', event => {
  if (event.isComposing || document.querySelector('dialog[open]')) return
  if (event.key !== 'Escape' && !['Shift', 'Control', 'Alt', 'Meta'].includes(event.key)) backtrack.other()
  if (event.key === 'Escape' && list.close()) { event.preventDefault(); return }
  if (event.key === 'Escape' && !S.state.busy) {
    if (!event.repeat && backtrack.escape({empty: composer.empty, busy: S.state.busy || !S.state.thread})) event.preventDefault()
    return
  }
  const command = registry.byKey(event, {writing: /TEXTAREA|INPUT/.test(document.activeElement?.tagName)})
  if (command) { event.preventDefault(); if (!event.repeat) run(command.name) }
})
addEventListener('focus', () => { S.done = false; title() })
addEventListener('hashchange', () => { const [thread, number] = place(); if (thread === S.thread) reveal(number); else { S.target = number; go(thread) } })

wear()
drawHead()
conversation.empty()
dropping(document.body, files => composer.files.take(files))
const [first, number] = place()
S.target = number
go(first)
if (!first && matchMedia('(max-width: 699px)').matches) list.toggle()
