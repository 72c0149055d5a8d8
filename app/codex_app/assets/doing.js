// What commands can do to the thread and show of it; the browser's side of `commands.js`.
import {choose, show} from '/assets/dialogs.js'
import {make, setHtml} from '/assets/dom.js'

const PRESETS = [
  ['Read only', 'it reads; everything else asks', {approval: 'on-request', sandbox: 'read-only'}],
  ['Auto', 'it works in this directory; more asks', {approval: 'on-request', sandbox: 'workspace-write'}],
  ['Full access', 'no sandbox and no questions', {approval: 'never', sandbox: 'danger-full-access'}],
]

// `state()`: of the thread; `go(id)`: show another one; `back()`: the focus where one writes.
export const doing = ({link, state, say, go, back, toggleThreads, keyList, inspect}) => {
  const ask = message => link.ask(message)
  const change = async what => { await ask({type: 'change', ...what}); say('Counts from the next turn on.') }
  const list = rows => make('dl', {}, ...rows.filter(([, value]) => value).flatMap(([name, value]) => [make('dt', {}, name), make('dd', {text: value})]))
  return {
    ask, say, go, toggleThreads, inspect,
    busy: () => !!state().busy,
    async newThread() { go(await ask({type: 'new'})) },
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
