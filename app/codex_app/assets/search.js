// Find what was said, run, printed or patched, in all threads; a hit leads to its place.
import {ago, make} from '/assets/dom.js'

const WAIT_MS = 160
const FILTERS = [['all', 'Everything'], ['said', 'Said'], ['run', 'Run'], ['printed', 'Printed'], ['patched', 'Patched']]
const KINDS = {prompt: 'you said', answer: 'it said', command: 'run', output: 'printed', patch: 'patched', call: 'called'}

export class Search {
  // `show(place)`: lead there; `threads()`: those of the list, for their names; `after()`: the focus where one writes.
  constructor({ask, show, after, threads}) {
    Object.assign(this, {ask, show, after, threads})
    this.kind = 'all'
    this.places = []
    this.at = 0
    this.field = make('input', {type: 'search', 'aria-label': 'Search all threads', placeholder: 'Words, “words that stand together”, begin*', autocomplete: 'off', spellcheck: 'false',
      role: 'combobox', 'aria-expanded': 'true', 'aria-controls': 'places', 'aria-autocomplete': 'list', on: {input: () => this.later()}})
    this.filters = make('div', {cls: 'scopes', role: 'radiogroup', 'aria-label': 'What to look in', on: {keydown: event => this.arrow(event)}})
    this.here = make('input', {type: 'checkbox', on: {change: () => this.look()}})
    this.list = make('ul', {id: 'places', cls: 'places', role: 'listbox', 'aria-label': 'Places'})
    this.note = make('p', {cls: 'small', role: 'status'})
    this.dialog = make('dialog', {cls: 'searching', 'aria-label': 'Search', on: {keydown: event => this.key(event), cancel: event => { event.preventDefault(); this.close() }}},
      this.field, this.filters, this.note, this.list)
  }

  open(words = '') {
    if (!this.dialog.isConnected) document.body.append(this.dialog)
    if (words) this.field.value = words
    this.drawFilters()
    this.dialog.showModal()
    this.field.focus()
    this.field.select()
    this.look()
  }

  close() {
    this.asked = null
    this.dialog.close()
    this.after()
  }

  drawFilters() {
    const focused = this.filters.contains(document.activeElement)
    this.filters.replaceChildren(...FILTERS.map(([kind, name]) => make('button', {
      type: 'button', role: 'radio', 'aria-checked': String(kind === this.kind), tabindex: kind === this.kind ? '0' : '-1', text: name, on: {click: () => this.choose(kind)},
    })), make('label', {cls: 'here'}, this.here, 'this thread alone'))
    if (focused) this.filters.querySelector('[aria-checked="true"]').focus()
  }

  choose(kind) {
    this.kind = kind
    this.drawFilters()
    this.look()
  }

  arrow(event) {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key]
    if (!step) return
    event.preventDefault()
    const at = FILTERS.findIndex(([kind]) => kind === this.kind)
    this.choose(FILTERS[(at + step + FILTERS.length) % FILTERS.length][0])
  }

  later() {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.look(), WAIT_MS)
  }

  async look() {
    const text = this.field.value.trim()
    const asked = this.asked = {}
    if (!/[\p{L}\p{N}]/u.test(text)) { this.draw([], 'Everything said, run, printed and patched is found by its words.'); return }
    if (!this.places.length) this.note.textContent = 'Searching …'
    try {
      const found = await this.ask({type: 'search', text: text.slice(0, 200), kind: this.kind, here: this.here.checked})
      if (asked === this.asked) this.draw(found, found.length ? `${found.length} place${found.length === 1 ? '' : 's'}, the best first` : 'These words stand together nowhere.')
    } catch (error) { if (asked === this.asked) this.draw([], error.message) }
  }

  draw(places, note) {
    this.places = places
    this.at = 0
    this.note.textContent = note
    const names = new Map(this.threads().map(({id, name}) => [id, name]))
    this.list.replaceChildren(...places.map((place, at) => make('li', {cls: 'place', role: 'option', id: `place${at}`, on: {click: () => this.take(at)}},
      make('div', {cls: 'small'}, make('span', {text: names.get(place.thread) || place.name || place.thread}),
        make('span', {text: KINDS[place.kind] || place.kind}), place.turn ? make('span', {text: `turn ${place.turn}`}) : null,
        place.at ? make('time', {title: new Date(place.at * 1000).toLocaleString(), text: ago(place.at)}) : null),
      make('div', {cls: `excerpt ${['prompt', 'answer'].includes(place.kind) ? 'said' : ''}`}, ...place.pieces.map(([text, marked]) => marked ? make('mark', {text}) : text)))))
    this.mark()
  }

  mark() {
    ;[...this.list.children].forEach((place, at) => place.setAttribute('aria-selected', String(at === this.at)))
    this.list.children[this.at]?.scrollIntoView({block: 'nearest'})
    this.places.length ? this.field.setAttribute('aria-activedescendant', `place${this.at}`) : this.field.removeAttribute('aria-activedescendant')
  }

  key(event) {
    if (event.isComposing) return
    if (event.key === 'Escape') { event.preventDefault(); this.close(); return }   // a search field would only empty itself
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key]
    if (step && this.places.length) { event.preventDefault(); this.at = (this.at + step + this.places.length) % this.places.length; this.mark() }
    else if (event.key === 'Enter' && event.target === this.field && this.places.length) { event.preventDefault(); this.take(this.at) }
  }

  take(at) {
    const place = this.places[at]
    this.close()
    this.show(place)
  }
}
