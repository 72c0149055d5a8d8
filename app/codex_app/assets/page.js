// The page: threads at the left, the conversation, the composer; everything comes over the link, and leaves as a request.
import {Composer} from '/assets/composer.js'
import {Conversation} from '/assets/conversation.js'
import {Questions, choose, show} from '/assets/dialogs.js'
import {ago, keep, make, setHtml} from '/assets/dom.js'
import {Link} from '/assets/link.js'

const S = {state: {}, threads: [], connection: 'connecting', since: Date.now()}
const KEYS = [['Enter', 'send, or steer the running turn'], ['Shift-Enter', 'new line'], ['Tab', 'queue while a turn runs'], ['Esc', 'stop the running turn'],
  ['@', 'find a file'], ['/', 'commands'], ['Alt-N', 'new thread'], ['Alt-T', 'threads'], ['?', 'this list (outside the message field)']]

let sayTimer
const say = text => {
  status.textContent = text
  toast.textContent = text
  toast.hidden = !text
  clearTimeout(sayTimer)
  sayTimer = setTimeout(() => { toast.hidden = true }, 8000)
}

const link = new Link({
  batch: patches => { for (const patch of patches) apply[patch.op]?.(patch); title() },
  threads: threads => { S.threads = threads; drawThreads() },
  state: state => { if (state !== S.connection) { S.connection = state; S.since = Date.now() } drawHead() },
  shown: thread => { S.thread = thread; S.missing = ''; history.replaceState(null, '', `#${thread}`); keep('codex.place', `#${thread}`); composer.show(thread); drawThreads() },
  failed: text => { if (S.state.thread) say(text); else { S.missing = text; drawHead() } },
})

const apply = {
  reset({items, more, state, asks}) { conversation.reset(items, more); apply.state({state}); apply.asks({asks}) },
  put({id, item}) { conversation.put(id, item) },
  grow(patch) { conversation.grow(patch) },
  remove({id}) { conversation.remove(id) },
  state({state}) {
    if (S.state.busy && !state.busy && !document.hasFocus()) S.done = true
    S.state = state
    composer.state(state.busy)
    drawHead()
    drawPlan()
  },
  asks({asks}) { questions.set(asks); if (asks.length) status.textContent = `${asks[0].question} ${asks[0].exact || ''}` },
}

// Commands: one table makes what `/` offers, what the buttons do and what the keys do.
const change = what => link.ask({type: 'change', ...what}).then(() => say('Counts from the next turn on.'), problem)
const problem = error => say(error.message)
const back = () => composer.text.focus()
const COMMANDS = [
  {name: 'new', about: 'a new thread in this directory', run: () => link.ask({type: 'new'}).then(go, problem)},
  {name: 'approvals', about: 'what the agent may do without asking', run: () => choose('What may the agent do without asking?', [
    ['Read only', 'it reads; everything else asks', () => change({approval: 'on-request', sandbox: 'read-only'})],
    ['Auto', 'it works in this directory; more asks', () => change({approval: 'on-request', sandbox: 'workspace-write'})],
    ['Full access', 'no sandbox and no questions', () => change({approval: 'never', sandbox: 'danger-full-access'})]], back)},
  {name: 'model', about: 'another model, as /model NAME [effort]', argument: true, run: rest => {
    const [model, effort] = rest.split(/\s+/)
    model ? change({model, ...(effort ? {effort} : {})}) : say(`The model is ${S.state.model}. /model NAME [effort] changes it.`)
  }},
  {name: 'compact', about: 'replace the history by a summary of it', run: () => link.ask({type: 'compact'}).catch(problem)},
  {name: 'rename', about: 'name the thread, as /rename NAME', argument: true, run: name => name ? link.ask({type: 'rename', name}).catch(problem) : say('Say the name too: /rename NAME')},
  {name: 'diff', about: 'what is not committed', run: () => link.ask({type: 'diff'}).then(({html, problem: why}) => {
    show('Not committed', html ? setHtml(make('div', {cls: 'wide'}), html) : make('p', {text: why || 'There are no changes.'}), back)
  }, problem)},
  {name: 'status', about: 'settings, sandbox, tokens', run: () => show('Status', facts(), back)},
  {name: 'stop', about: 'stop the running turn', run: () => stop()},
  {name: 'keys', about: 'the keys', run: () => show('Keys', make('dl', {}, ...KEYS.flatMap(([key, what]) => [make('dt', {}, make('kbd', {text: key})), make('dd', {text: what})])), back)},
]
const run = name => COMMANDS.find(command => command.name === name).run('')
const stop = () => link.ask({type: 'interrupt'}).catch(problem)

const conversation = new Conversation({
  older: before => link.ask({type: 'older', before}),
  examples: ['Give me a tour of this directory and write it down.', 'Run the tests and explain what fails.', 'Find where errors are handled, and say what is missing.']
    .map(text => [text, () => composer.fill(text)]),
})
const composer = new Composer({
  send: message => link.ask({type: 'send', ...message}, {again: true}),
  interrupt: stop, files: query => link.ask({type: 'files', query}), commands: COMMANDS, failed: say,
})
const questions = new Questions({answer: (id, decision) => link.ask({type: 'answer', id, decision}), failed: say, after: back})

const head = make('header', {cls: 'head'})
const plan = make('section', {cls: 'plan', 'aria-label': 'Plan', hidden: true})
const foot = make('div', {cls: 'foot small'})
const tiles = make('ul', {cls: 'tiles'})
const nav = make('nav', {id: 'threads', 'aria-label': 'Threads'},
  make('div', {cls: 'brand'}, make('h1', {text: 'Codex'}), make('button', {type: 'button', cls: 'new', on: {click: () => { run('new') }}}, 'New thread ', make('kbd', {text: 'Alt N'}))), tiles)
const status = make('div', {cls: 'sr', role: 'status', 'aria-live': 'polite'})
const toast = make('div', {cls: 'toast', hidden: true})
const main = make('main', {}, head, plan, conversation.element, make('div', {cls: 'bottom'}, questions.bar, composer.element, foot))
document.body.append(nav, main, questions.dialog, toast, status)

function go(thread) {
  document.body.classList.remove('threads-open')
  S.state = {}
  conversation.pinned = true
  conversation.reset([], false)
  questions.set([])
  link.open(thread)
  back()
}

const menu = make('button', {type: 'button', cls: 'menu', 'aria-controls': 'threads', on: {click: toggleThreads}})
function toggleThreads() {
  const narrow = matchMedia('(max-width: 1099px)').matches
  document.body.classList.toggle(narrow ? 'threads-open' : 'threads-closed')
}

function drawHead() {
  const {state} = S
  const waits = S.threads.filter(thread => thread.state === 'asking' && thread.id !== state.thread).length
  menu.replaceChildren('☰ ', make('span', {text: waits ? `Threads (${waits} waiting)` : 'Threads'}))
  const fact = (text, cls, about) => text ? make('span', {cls: `fact ${cls || ''}`, title: about, text}) : null
  head.replaceChildren(menu,
    make('h2', {text: state.name || state.directory?.split('/').pop() || (S.missing ? 'No thread' : 'Opening …')}),
    ...[fact(state.directory, 'path', state.cwd), fact(state.branch && `⎇ ${state.branch}`), fact(state.sandbox, state.sandbox === 'danger-full-access' ? 'bad' : ''),
      fact(state.rung && `rung ${state.rung} of 5`, state.rung > 2 ? 'wait' : '', state.rung_note || 'How commands are confined on this machine; 1 is all layers'),
      fact(state.approval && `asks: ${state.approval}`)].filter(Boolean), connection())
  const left = state.context_left == null ? '' : `${state.context_left} % of the context left`
  foot.replaceChildren(...[state.model && `${state.model}${state.effort ? ` ${state.effort}` : ''}`, state.tokens && `${state.tokens} tokens`, left]
    .filter(Boolean).map(text => make('span', {text})), make('span', {cls: 'clock'}), make('button', {type: 'button', cls: 'plain', on: {click: () => run('keys')}}, make('kbd', {text: '?'}), ' keys'))
  if (S.missing && !state.thread) conversation.inner.replaceChildren(make('article', {cls: 'notice bad', role: 'alert', text: S.missing}))
  tick()
}

function connection() {
  if (S.connection === 'open' && S.state.connected === false) return make('span', {cls: 'fact bad', text: 'the agent has ended; your next message brings it back'})
  if (S.connection === 'open') return make('span', {cls: 'fact good', title: 'Connected to the server', text: '● connected'})
  return make('span', {cls: 'fact wait', text: S.connection === 'lost' ? '○ no connection, trying again' : '○ connecting'})
}

function drawPlan() {
  const {plan: steps = [], plan_note: note, busy} = S.state
  plan.hidden = !steps.length || (!busy && steps.every(([, state]) => state === 'completed'))
  const done = steps.filter(([, state]) => state === 'completed').length
  plan.replaceChildren(make('div', {cls: 'small', text: `Plan, ${done} of ${steps.length} done${note ? ` · ${note}` : ''}` }),
    make('ol', {}, ...steps.map(([text, state]) => make('li', {cls: state, 'aria-current': state === 'in_progress' ? 'step' : null},
      make('span', {cls: 'box', role: 'img', 'aria-label': state.replace('_', ' '), text: {completed: '☑', in_progress: '▸', pending: '☐'}[state]}), ' ', text))))
}

const GROUPS = [['asking', 'Waiting for you'], ['working', 'Running'], ['other', 'Earlier']]
function drawThreads() {
  const focused = document.activeElement?.dataset?.thread
  const group = thread => ['asking', 'working'].includes(thread.state) ? thread.state : 'other'
  tiles.replaceChildren(...GROUPS.flatMap(([key, name]) => {
    const found = S.threads.filter(thread => group(thread) === key)
    return found.length ? [make('li', {cls: `group ${key}`}, make('h2', {text: key === 'asking' ? `${name} (${found.length})` : name})), ...found.map(tile)] : []
  }))
  if (focused) tiles.querySelector(`[data-thread="${CSS.escape(focused)}"]`)?.focus()
  drawHead()
  title()
}

function tile(thread) {
  const exact = new Date(thread.updated * 1000)
  return make('li', {}, make('button', {type: 'button', cls: `tile ${thread.state}`, 'data-thread': thread.id, 'aria-current': thread.id === S.thread ? 'true' : null, on: {click: () => go(thread.id)}},
    make('span', {cls: 'name', text: thread.name}),
    make('span', {cls: 'small'}, make('span', {text: thread.directory, title: thread.path}), thread.branch ? make('span', {text: thread.branch}) : null,
      make('time', {title: exact.toLocaleString(), text: ago(thread.updated)}))))
}

function title() {
  const waits = S.threads.filter(thread => thread.state === 'asking').length || (questions.asks.length ? 1 : 0)
  const name = S.state.name || S.state.directory?.split('/').pop() || 'Codex'
  document.title = `${waits ? `(${waits}) ` : S.state.busy ? '… ' : S.done ? '✓ ' : ''}${name} – Codex`
}

function tick() {
  const clock = foot.querySelector('.clock')
  if (!clock) return
  const seconds = S.state.since ? Math.max(0, Math.floor(Date.now() / 1000 - S.state.since)) : null
  clock.textContent = S.state.busy ? `working${seconds == null ? '' : ` ${seconds >= 60 ? `${Math.floor(seconds / 60)} min ` : ''}${seconds % 60} s`}` : ''
}
setInterval(tick, 1000)

addEventListener('keydown', event => {
  if (event.isComposing || document.querySelector('dialog[open]')) return
  if (event.key === 'Escape' && document.body.classList.contains('threads-open')) { toggleThreads(); event.preventDefault() }
  else if (event.key === 'Escape' && S.state.busy) { event.preventDefault(); stop() }
  else if (event.altKey && event.code === 'KeyN') { event.preventDefault(); run('new') }
  else if (event.altKey && event.code === 'KeyT') { event.preventDefault(); toggleThreads(); tiles.querySelector('button')?.focus() }
  else if (event.key === '?' && !/TEXTAREA|INPUT/.test(document.activeElement?.tagName)) { event.preventDefault(); run('keys') }
})
addEventListener('focus', () => { S.done = false; title() })
addEventListener('hashchange', () => { const thread = location.hash.slice(1); if (thread !== S.thread) go(thread) })

function facts() {
  const {state} = S
  const rows = [['Thread', state.thread], ['Directory', state.cwd], ['Model', `${state.model} (${state.provider})`], ['Effort', state.effort], ['Asks', state.approval], ['Sandbox', state.sandbox],
    ['Rung', state.rung && `${state.rung} of 5${state.rung_note ? `: ${state.rung_note}` : ''}`], ['Tokens', state.tokens], ['Context left', state.context_left == null ? null : `${state.context_left} %`]]
  return make('dl', {}, ...rows.filter(([, value]) => value).flatMap(([name, value]) => [make('dt', {text: name}), make('dd', {text: value})]))
}

drawHead()
conversation.empty()
go(location.hash.slice(1))
