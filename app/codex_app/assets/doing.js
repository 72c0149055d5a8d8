// What commands can do to the thread and show of it; the browser's side of `commands.js`.
import {named} from '/assets/commands.js'
import {choose, enter, show} from '/assets/dialogs.js'
import {make, newId} from '/assets/dom.js'
import {showExport} from '/assets/export.js'
import {showRules} from '/assets/rules.js'
import {THEME_CHOICES, theme, wear} from '/assets/theme.js'
import {showWaiting} from '/assets/waiting.js'

const PRESETS = [
  ['Read only', 'it reads; everything else asks', {approval: 'on-request', sandbox: 'read-only'}],
  ['Auto', 'it works in this directory; more asks', {approval: 'on-request', sandbox: 'workspace-write'}],
  ['Full access', 'no sandbox and no questions', {approval: 'never', sandbox: 'danger-full-access'}],
]

const EFFORTS = [['minimal', 'answers at once'], ['low', 'thinks little'], ['medium', 'thinks as much as is usual'], ['high', 'thinks long']]

const SUMMARIES = [['auto', 'as the model sees fit'], ['concise', 'in short'], ['detailed', 'at length'], ['none', 'not at all']]

// `state()`: of the thread; `go(id)`: show another one; `back()`: the focus where one writes.
// `composer()`, `conversation()`, `questions()` and so on: the parts that commands reach into.
export const doing = ({link, state, say, go, back, toggleThreads, registry, inspect, search, composer, conversation, backtrack, tree, questions, list: threads, notifier, firstRun}) => {
  const ask = message => link.ask(message)
  const change = async what => { await ask({type: 'change', ...what}); say('Counts from the next turn on.') }
  const failed = error => say(error.message)
  const list = rows => make('dl', {}, ...rows.filter(([, value]) => value).flatMap(([name, value]) => [make('dt', {}, name), make('dd', {text: value})]))
  const status = async () => {
    const now = state()
    const leash = await ask({type: 'leash'})
    return list([['Thread', now.thread], ['Directory', now.where], ['Model', `${now.model} (${now.provider})`], ['Effort', now.effort], ['Summary', now.summary], ['Account', leash.account || 'none'],
      ['Asks', now.approval], ['Sandbox', now.sandbox], ['Rung', now.rung && `${now.rung} of 5${now.rung_note ? `: ${now.rung_note}` : ''}`],
      ['Tokens', now.tokens || '0'], ['Context left', now.context_left == null ? 'not known' : `${now.context_left} %`],
      ['Instructions', leash.instructions.join('\n') || 'no AGENTS.md'], ['MCP servers', leash.servers.map(server => `${server.name}${server.enabled ? '' : ' (disabled)'}`).join(', ') || 'none'],
      ['Rules', leash.rules.join('\n') || 'none']])
  }
  return {
    ask, say, go, toggleThreads, inspect, search,
    busy: () => !!state().busy,
    async newThread() { go(await ask({type: 'new'})) },
    async newElsewhere(directory) {
      const where = directory || await enter('A new thread in which directory?', {label: 'Directory', value: state().cwd || '', action: 'Begin', about: 'The whole path; ~ is your home.', list: threads().directories()}, back)
      if (where) go(await ask({type: 'new', directory: where}))
    },
    exportThread() { return showExport(state().thread, back) },
    showRules() { return showRules({ask, say, back}) },
    showWaiting() { showWaiting(questions().all(state().thread), {open: one => questions().open(one.ask, one.thread === state().thread ? '' : one.thread, one.thread === state().thread ? '' : one.in), say, back}) },
    async notify() { say(await notifier().toggle()) },
    chooseTheme(name) {
      if (name) return THEME_CHOICES.some(([known]) => known === name) ? wear(name) : say('/theme takes system, light or dark.')
      choose('Dark or light?', THEME_CHOICES.map(([known, title, about]) => [title + (known === theme() ? ' ✓' : ''), about, () => wear(known)]), back)
    },
    async archive() {
      const {thread} = state()
      await ask({type: 'archive', thread})
      say('Archived. “archived …” above the list of threads shows it.')
      go(await ask({type: 'new'}))
    },
    async logIn() { firstRun().logIn(await ask({type: 'setup'})) },
    async trust() { firstRun().trust(await ask({type: 'setup'})) },
    chooseApprovals() {
      const held = ([, , {approval, sandbox}]) => approval === state().approval && sandbox === state().sandbox
      choose('What may the agent do without asking?', PRESETS.map(preset => [preset[0] + (held(preset) ? ' ✓' : ''), preset[1], () => change(preset[2]).catch(failed)]), back)
    },
    async chooseModel(model, effort) {
      if (model) return change({model, ...(effort ? {effort} : {})})
      const now = state()
      const choice = (title, about, what) => [title, about, () => change(what).catch(failed)]
      choose(`The model is ${now.model}`, [
        ...EFFORTS.map(([name, about]) => choice(name + (name === now.effort ? ' ✓' : ''), about, {effort: name})),
        ['Another model …', 'any name that the provider knows', () => enter('Which model?', {label: 'Model', value: now.model, action: 'Choose', about: 'Counts from the next turn on.'}, back).then(name => name && change({model: name})).catch(failed)],
      ], back)
    },
    async chooseSummary(how) {
      if (how) return SUMMARIES.some(([name]) => name === how) ? change({summary: how}) : say('/summary takes auto, concise, detailed or none.')
      choose('How much of its thinking is told?', SUMMARIES.map(([name, about]) => [name + (name === state().summary ? ' ✓' : ''), about, () => change({summary: name}).catch(failed)]), back)
    },
    async showStatus() { show('Status', await status(), back) },
    async drawStatus(element) { element.replaceChildren(await status()) },
    async showServers() {
      const {servers} = await ask({type: 'leash'})
      if (!servers.length) return say('No MCP servers are configured; [mcp_servers.NAME] in config.toml adds one.')
      show('MCP servers', list(servers.map(({name, where, enabled, tools}) => [name, `${where}${enabled ? '' : ' (disabled)'}\n${tools.join(', ') || 'no tools'}`])), back)
    },
    async showPrompts() {
      const {prompts} = await ask({type: 'suggest'})
      if (!prompts.length) return say('There are no prompts; each Markdown file in the folder prompts of the home is one.')
      choose('Your prompts', prompts.map(({name, about, argument}) => [`/${name} ${argument}`, about, () => composer().fill(`/${name} `)]), back)
    },
    async showSkills() {
      const {skills} = await ask({type: 'suggest'})
      if (!skills.length) return say('There are no skills; a folder with a SKILL.md in .agents/skills is one.')
      choose('Skills', skills.map(({name, about}) => [`$${name}`, about, () => composer().insert(`$${name} `)]), back)
    },
    async showRunning() {
      const running = await ask({type: 'running'})
      if (!running.length) return say('No command runs on behind the conversation.')
      show('Running commands', list(running.map(({id, script, seconds}) => [`${id}, ${seconds} s`, script])), back)
    },
    async stop() {
      if (state().busy) return ask({type: 'interrupt'})
      const ended = await ask({type: 'end_running'})
      say(ended ? `${ended === 1 ? 'One command was' : `${ended} commands were`} ended.` : 'Nothing runs.')
    },
    async init() {
      const text = await ask({type: 'expand', name: 'init'})
      return ask({type: 'send', id: newId(), text})
    },
    insert(text) { composer().insert(text) },
    async copyLast() {
      const id = conversation().lastAnswer()
      if (!id) return say('There is no answer to copy yet.')
      await navigator.clipboard.writeText(await ask({type: 'source', id}))
      say('The last answer is copied.')
    },
    // Another thread with this one's past, up to before one of the user's messages; that message comes into the field.
    async fork(before) {
      const {thread, text, files} = await ask({type: 'fork', ...(before == null ? {} : {before})})
      composer().carry(text, files)
      go(thread)
    },
    // A copy that ends behind the answer to one of the user's messages.
    async forkAfter(number, thread = '') {
      const {thread: copy} = await ask({type: 'fork', thread, ...(number == null ? {} : {after: number})})
      composer().carry('', [])
      go(copy)
    },
    showTree() { return tree().show() },
    backtrack() { backtrack().steps.back = 1; return backtrack().open() },
    resume(words) {
      const wanted = words.toLowerCase()
      const found = threads().threads.filter(({id, name}) => id !== state().thread && (id === words || name.toLowerCase().includes(wanted)))
      if (words && found.length === 1) return go(found[0].id)
      if (!found.length) return say(words ? `No other thread is called ${words}.` : 'There is no other thread.')
      choose(words ? `Threads with “${words}”` : 'Go on with which thread?', found.map(({id, name, directory}) => [name, directory, () => go(id)]), back, {dense: true})
    },
    async logOut() {
      say(await ask({type: 'log_out'}))
    },
    chooseCommand() {
      choose('Commands', registry().table.filter(({name}) => name !== 'commands').map(({name, about, argument, keys}) => [`/${name}${argument ? ` ${argument}` : ''}`, `${about}${keys ? `  ${named(keys)}` : ''}`,
        () => argument && !argument.startsWith('[') ? composer().fill(`/${name} `) : registry().run(name)]), back, {dense: true})
    },
    quit() {
      link.close()
      document.body.replaceChildren(make('main', {cls: 'closed'}, make('h1', {text: 'Closed'}), make('p', {text: 'Threads go on without this page. Reload it, or run codex, to come back.'})))
      close()
    },
    showKeys() { show('Keys', list(registry().keyList().map(([keys, about]) => [make('kbd', {text: keys}), about])), back) },
  }
}
