// A list of at most eight suggestions above the field: matched letters bold, what leads to a name dimmed.
import {make} from '/assets/dom.js'

export const ROWS = 8

// `text` with the letters at `at` bold, and the first `dim` characters dimmed.
export const marked = (text, at, dim = 0) => {
  const bold = new Set(at)
  const parts = []
  ;[...text].forEach((letter, index) => {
    const cls = `${index < dim ? 'dim' : ''}${bold.has(index) ? ' hit' : ''}`.trim()
    if (parts.length && parts.at(-1).cls === cls) parts.at(-1).text += letter
    else parts.push({cls, text: letter})
  })
  return parts.map(({cls, text: piece}) => cls.includes('hit') ? make('b', {cls, text: piece}) : make('span', {cls: cls || null, text: piece}))
}

export class Popup {
  constructor(field) {
    this.field = field
    this.rows = []
    this.at = 0
    this.element = make('ul', {role: 'listbox', id: 'suggestions', cls: 'popup', 'aria-label': 'Suggestions', hidden: true})
  }

  get open() { return !this.element.hidden }

  // Rows: {text, at, dim, about, use(how)}, `how` being `enter` or `tab`; `note` stands there when there are none.
  show(rows, note = '') {
    this.rows = rows.slice(0, ROWS)
    this.at = 0
    this.element.hidden = !this.rows.length && !note
    this.element.replaceChildren(...this.rows.map((row, at) => make('li', {role: 'option', id: `hit${at}`, on: {mousedown: event => { event.preventDefault(); row.use('enter') }}},
      make('span', {cls: 'name'}, ...marked(row.text, row.at || [], row.dim || 0)), row.about ? make('span', {cls: 'small', text: row.about}) : null)))
    if (!this.rows.length && note) this.element.append(make('li', {cls: 'small', role: 'option', 'aria-disabled': 'true', text: note}))
    this.mark()
  }

  hide() { this.show([]) }

  mark() {
    ;[...this.element.children].forEach((li, at) => li.setAttribute('aria-selected', String(at === this.at && !!this.rows.length)))
    if (this.rows.length) this.field.setAttribute('aria-activedescendant', `hit${this.at}`)
    else this.field.removeAttribute('aria-activedescendant')
  }

  // Whether the key was for the list.
  key(event) {
    if (!this.open) return false
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key]
    if (step && this.rows.length) { this.at = (this.at + step + this.rows.length) % this.rows.length; this.mark(); return true }
    if ((event.key === 'Tab' || event.key === 'Enter') && !event.shiftKey && this.rows.length) { this.rows[this.at].use(event.key.toLowerCase()); return true }
    return false
  }
}
