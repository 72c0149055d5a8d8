// Which threads the list shows: words to look for, and chips that each say what they hide and go away by a click.
import {make} from '/assets/dom.js'

const WAIT_MS = 200
const CHIPS = {
  search: value => [`with “${value}”`, 'Hides threads in which these words do not stand.'],
  directory: value => [`in ${value.split('/').pop() || value}`, `Hides threads outside ${value}.`],
  source: value => [`made by ${value}`, 'Hides threads that were begun in another way.'],
  archived: () => ['archived', 'Hides threads that are not archived.'],
}

export class ThreadFilter {
  constructor({changed, down}) {
    this.changed = changed
    this.values = {search: '', directory: '', source: '', archived: false}
    this.field = make('input', {type: 'search', placeholder: 'Find a thread', 'aria-label': 'Find a thread', spellcheck: 'false', autocomplete: 'off', on: {
      input: () => { clearTimeout(this.timer); this.timer = setTimeout(() => this.set({search: this.field.value.trim().slice(0, 200)}), WAIT_MS) },
      keydown: event => {
        if (event.key === 'ArrowDown') { event.preventDefault(); down() }
        else if (event.key === 'Escape' && this.field.value) { event.stopPropagation(); this.set({search: ''}) }
      }}})
    this.chips = make('div', {cls: 'chips', role: 'group', 'aria-label': 'What the list shows'})
    this.element = make('div', {cls: 'filter', role: 'search'}, this.field, this.chips)
    this.draw()
  }

  active() { return Object.values(this.values).some(Boolean) }

  set(change) {
    Object.assign(this.values, change)
    if (change.search !== undefined && this.field.value.trim() !== change.search) this.field.value = change.search
    this.draw()
    this.changed()
  }

  draw() {
    const chips = Object.entries(this.values).filter(([, value]) => value).map(([name, value]) => {
      const [text, about] = CHIPS[name](value)
      return make('button', {type: 'button', cls: 'chip', title: `${about} Click to show them again.`, 'aria-label': `Only ${text}. ${about} Press to remove.`, on: {click: () => { this.set({[name]: name === 'archived' ? false : ''}); this.field.focus() }}},
        make('span', {text: `only ${text}`}), ' ×')
    })
    if (!this.values.archived) chips.push(make('button', {type: 'button', cls: 'chip add', text: 'archived …', title: 'Show the archived threads instead', on: {click: () => this.set({archived: true})}}))
    this.chips.replaceChildren(...chips)
  }
}
