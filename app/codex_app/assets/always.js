// "Always": rules of several breadths for a command, which a person may edit, with what each would have let run so far.
import {make} from '/assets/dom.js'

const WAIT_MS = 300

// Words as a person writes them: quoted where a blank stands inside.
export const wordsOf = line => [...line.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g)].map(([, double, single, bare]) => double !== undefined ? double.replace(/\\(.)/g, '$1') : single ?? bare)
export const lineOf = words => words.map(word => /[\s"'\\]/.test(word) || !word ? `"${word.replace(/["\\]/g, '\\$&')}"` : word).join(' ')

export class Always {
  // `rules`: suggestions, narrowest first. `preview(prefixes)`: which commands these would have let run.
  constructor(rules, {preview, give}) {
    this.rules = rules
    this.preview = preview
    this.field = make('textarea', {cls: 'prefixes', rows: '2', spellcheck: 'false', 'aria-label': 'Commands that begin with these words, one rule a line', on: {input: () => this.edited()}})
    this.found = make('div', {cls: 'small preview', role: 'status'})
    this.choices = make('div', {cls: 'breadths', role: 'radiogroup', 'aria-label': 'How broad'}, ...rules.map((rule, at) => make('label', {},
      make('input', {type: 'radio', name: 'breadth', checked: at === 0, on: {change: () => this.choose(at)}}), ' ', make('code', {text: rule.prefixes.map(words => `${lineOf(words)} …`).join(' ; ')}))))
    this.yes = make('button', {type: 'button', cls: 'allow', 'data-decision': 'always', 'aria-keyshortcuts': 'k', on: {click: give}}, 'Keep this rule and run it', make('kbd', {text: 'k'}))
    this.element = make('details', {cls: 'always'}, make('summary', {}, 'Always allow commands like this …', make('kbd', {text: 'a'})),
      this.choices, this.field, this.found,
      make('p', {cls: 'small', text: 'Commands that begin like this run in every thread from now on without a question and outside the sandbox. /rules lists rules and takes them back.'}), this.yes)
    this.choose(0)
  }

  choose(at) {
    this.field.value = this.rules[at].prefixes.map(lineOf).join('\n')
    this.tell(this.rules[at].would_allow)
  }

  prefixes() { return this.field.value.split('\n').map(wordsOf).filter(words => words.length) }

  edited() {
    clearTimeout(this.timer)
    this.yes.disabled = !this.prefixes().length
    this.timer = setTimeout(async () => {
      const prefixes = this.prefixes()
      if (prefixes.length) try { this.tell(await this.preview(prefixes)) } catch (error) { this.found.textContent = error.message }
    }, WAIT_MS)
  }

  tell(lines) {
    this.found.replaceChildren(lines.length ? `Of this thread’s commands it would have let run: ` : 'It would have let no other command of this thread run.',
      ...lines.slice(0, 8).map(line => make('code', {text: line})), ...(lines.length > 8 ? [` and ${lines.length - 8} more`] : []))
  }

  unfold() { this.element.open = true; this.field.focus() }
}
