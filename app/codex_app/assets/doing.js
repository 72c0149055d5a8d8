// What commands can do to the thread and show of it; the browser's side of `commands.js`.
import {choose, enter, show} from '/assets/dialogs.js'
import {make, setHtml} from '/assets/dom.js'
import {showRules} from '/assets/rules.js'
import {THEME_CHOICES, theme, wear} from '/assets/theme.js'
import {showWaiting} from '/assets/waiting.js'

const PRESETS = [
  ['Read only', 'it reads; everything else asks', {approval: 'on-request', sandbox: 'read-only'}],
  ['Auto', 'it works in this directory; more asks', {approval: 'on-request', sandbox: 'workspace-write'}],
  ['Full access', 'no sandbox and no questions', {approval: 'never', sandbox: 'danger-full-access'}],
]

// `state()`: of the thread; `go(id)`: show another one; `back()`: the focus where one writes.
// `questions()`, `list()`, `notifier`, `firstRun`: the parts that commands reach into.
export const doing = ({link, state, say, go, back, toggleThreads, keyList, inspect, questions, list: threads, notifier, firstRun}) => {
  const ask = message => link.ask(message)
  const change = async what => { await ask({type: 'change', ...what}); say('Counts from the next turn on.') }
  const list = rows => make('dl', {}, ...rows.filter(([, value]) => value).flatMap(([name, value]) => [make('dt', {}, name), make('dd', {text: value})]))
  return {
    ask, say, go, toggleThreads, inspect,
    busy: () => !!state().busy,
    async newThread() { go(await ask({type: 'new'})) },
    async newElsewhere(directory) {
      const where = directory || await enter('A new thread in which directory?', {label: 'Directory', value: state().cwd || '', action: 'Begin', about: 'The whole path; ~ is your home.', list: threads().directories()}, back)
      if (where) go(await ask({type: 'new', directory: where}))
    },
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
    chooseApprovals() { choose('What may the agent do without asking?', PRESETS.map(([name, about, what]) => [name, about, () => change(what).catch(error => say(error.message))]), back) },
    async chooseModel(model, effort) {
      if (model) await change({model, ...(effort ? {effort} : {})})
      else say(`The model is ${state().model}. /model NAME [EFFORT] changes it.`)
    },
    async showDiff() {
      const {html, problem} = await ask({type: 'diff'})
      show('Not committed', html ? setHtml(make('div', {cls: 'wide'}), html) : make('p', {text: problem || 'There are no changes.'}), back)
    },
    showStatus() {
      const now = state()
      show('Status', list([['Thread', now.thread], ['Directory', now.cwd], ['Model', `${now.model} (${now.provider})`], ['Effort', now.effort], ['Asks', now.approval], ['Sandbox', now.sandbox],
        ['Rung', now.rung && `${now.rung} of 5${now.rung_note ? `: ${now.rung_note}` : ''}`], ['Tokens', now.tokens], ['Context left', now.context_left == null ? null : `${now.context_left} %`]]), back)
    },
    showKeys() { show('Keys', list(keyList().map(([keys, about]) => [make('kbd', {text: keys}), about])), back) },
  }
}
