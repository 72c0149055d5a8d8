// The rules for commands: which count here, how often each spoke; one's own are taken back, changed and added here.
import {lineOf, wordsOf} from '/assets/always.js'
import {confirm, show} from '/assets/dialogs.js'
import {ago, make} from '/assets/dom.js'

const SAYS = {allow: 'runs without a question, outside the sandbox', prompt: 'asks', forbidden: 'never runs'}

export const showRules = async ({ask, say, back}) => {
  const body = make('div', {cls: 'rules'})
  const draw = ({rules, file}) => {
    body.replaceChildren(
      rules.length ? make('ul', {}, ...rules.map(rule => line(rule))) : make('p', {text: 'No rules count here.'}),
      editor(), make('p', {cls: 'small', text: `Yours stand in ${file}.`}))
  }
  const change = async (message, words) => { try { draw(await ask({type: 'rules', ...message})); say(words) } catch (error) { say(error.message) } }
  const line = rule => make('li', {cls: rule.decision},
    make('span', {cls: 'what'}, make('code', {text: `${rule.words} …`}), ' ', make('span', {text: SAYS[rule.decision]})),
    make('span', {cls: 'small', text: `${rule.hits ? `spoke ${rule.hits} times, last ${ago(Date.parse(rule.last_hit) / 1000)} ago` : 'has not spoken yet'} · ${rule.where}${rule.why ? ` · ${rule.why}` : ''}`}),
    rule.own ? make('span', {cls: 'buttons'},
      make('button', {type: 'button', text: 'Change', 'aria-label': `Change the rule ${rule.words}`, on: {click: () => edit(rule)}}),
      make('button', {type: 'button', text: 'Take back', 'aria-label': `Take back the rule ${rule.words}`, on: {click: () => remove(rule)}})) : null)
  const remove = async rule => {
    const yes = await confirm(`Take back the rule “${rule.words} …”?`, 'Commands that begin like this are asked about again, as the approval policy says.', 'Take it back', () => {})
    if (yes) await change({remove: {file: rule.file, line: rule.line, pattern: rule.pattern}}, 'The rule is gone.')
  }
  let old = null
  const edit = rule => {
    old = rule
    const field = body.querySelector('input[name="words"]')
    field.value = lineOf(rule.pattern.map(allowed => allowed[0]))
    body.querySelector('select').value = rule.decision
    body.querySelector('.edit button').textContent = 'Change it'
    field.focus()
  }
  const editor = () => make('form', {cls: 'edit', on: {submit: async event => {
    event.preventDefault()
    const prefix = wordsOf(event.target.words.value)
    if (!prefix.length) return say('Write the words that commands begin with.')
    const replaced = old
    old = null
    await change({add: {prefix, decision: event.target.decision.value}}, 'The rule counts from now on.')
    if (replaced) await change({remove: {file: replaced.file, line: replaced.line, pattern: replaced.pattern}}, 'The rule is changed.')
  }}}, make('label', {}, make('span', {text: 'Commands that begin with'}), make('input', {name: 'words', type: 'text', spellcheck: 'false', autocomplete: 'off', placeholder: 'git status'})),
    make('label', {}, make('span', {text: 'are'}), make('select', {name: 'decision'}, ...[['allow', 'allowed'], ['prompt', 'asked about'], ['forbidden', 'forbidden']].map(([value, text]) => make('option', {value, text})))),
    make('button', {type: 'submit', text: 'Add'}))
  draw(await ask({type: 'rules'}))
  show('Rules for commands', body, back)
}
