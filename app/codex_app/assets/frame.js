// Inside the inspector's frame: Bokeh draws into our sections, each with the same numbers beside it as words and a table.
import {make} from '/assets/dom.js'

const told = JSON.parse(document.getElementById('told').textContent)
const say = message => parent.postMessage(message, location.origin)
const seen = {seen: false, dark: false}

// One document shows one thread or all; the other one is another address.
if (['thread', 'all'].includes(told.view)) {
  const to = view => { const at = new URL(location); at.searchParams.set('view', view); location.replace(at) }
  document.body.append(make('div', {role: 'group', 'aria-label': 'Which threads', cls: 'views'}, ...[['thread', 'This thread'], ['all', 'All threads']].map(([view, text]) =>
    make('button', {type: 'button', 'aria-pressed': String(view === told.view), text, on: {click: () => to(view)}}))))
}

const sections = new Map()
if (told.view === 'settings') document.body.append(make('p', {cls: 'small', text: 'For the turns of this thread that come; config.toml says what new threads begin with.'}))
for (const [place] of told.places) {
  if (place === 'seen' || place === 'said') continue
  const at = make('div', {id: `at-${place}`, cls: told.view === 'settings' ? '' : 'drawn'})
  if (told.view === 'settings') {
    const problem = make('p', {cls: 'problem small', role: 'alert'})
    sections.set(place, {at, problem})
    document.body.append(make('div', {cls: 'field'}, at, problem))
    continue
  }
  const title = make('h2', {id: `title-${place}`})
  const words = make('p', {cls: 'small words'})
  const section = make('section', {'data-place': place, 'aria-labelledby': title.id}, title, words, at)
  sections.set(place, {section, at, title, words})
  document.body.append(section)
}

let doc
try {
  const drawn = told.places.filter(([place]) => sections.has(place))
  const roots = Object.fromEntries(drawn.map(([place, id]) => [id, sections.get(place).at.id]))
  const [views] = await Bokeh.embed.embed_items({}, [{token: told.token, roots, root_ids: drawn.map(([, id]) => id)}])
  doc = views.roots[0].model.document
} catch (error) {
  say({say: 'failed', text: `Plots and settings cannot be drawn: ${error.message || error}`})
  throw error
}
doc.on_event('connection_lost', () => say({say: 'lost'}))

function plot(source, {section, at, title, words}) {
  const legend = make('ul', {cls: 'legend small'})
  const pointed = make('p', {cls: 'small pointed', 'aria-hidden': 'true'})
  const table = make('table')
  at.setAttribute('role', 'img')
  at.before(legend)
  section.append(pointed, make('details', {}, make('summary', {text: 'Numbers'}), make('div', {cls: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Numbers'}, table)))
  const write = () => {
    const [about] = source.tags
    title.textContent = about.title
    words.textContent = about.words
    at.setAttribute('aria-label', `${about.title}, drawn; the same is in the table of numbers below`)
    legend.hidden = about.parts.length < 2
    legend.replaceChildren(...about.parts.map(([label, colour]) => {
      const swatch = make('span', {cls: 'swatch'})
      swatch.style.backgroundColor = colour
      return make('li', {}, swatch, label)
    }))
    fill(table, source)
    section.classList.toggle('none', !length(source))
  }
  source.properties.tags.change.connect(write)
  source.properties.data.change.connect(write)
  source.inspect?.connect(() => { pointed.textContent = row(source, source.inspected.indices[0]) })
  source.selected.change.connect(() => {
    const [at] = source.selected.indices
    if (at == null) return
    go(source, at)
    source.selected.indices = []
  })
  write()
}

const length = source => source.data[source.tags[0].columns[0][0]]?.length ?? 0
const written = value => typeof value === 'number' ? value.toLocaleString('en', {maximumFractionDigits: 2}) : String(value)
const row = (source, at) => at == null ? '' : source.tags[0].columns.map(([field, name]) => typeof source.data[field][at] === 'number' ? `${name} ${written(source.data[field][at])}` : written(source.data[field][at])).join(' · ')

function go(source, at) {
  const place = source.data.goto[at]
  if (place) say({say: 'go', place})
}

function fill(table, source) {
  const {columns, title} = source.tags[0]
  const cell = (field, at, row) => {
    const value = source.data[field][row]
    const number = typeof value === 'number'
    if (at) return make('td', {cls: number ? 'number' : '', text: written(value)})
    return make('th', {scope: 'row'}, source.data.goto[row] ? make('button', {type: 'button', cls: 'go', title: 'Go there', text: written(value), on: {click: () => go(source, row)}}) : written(value))
  }
  table.replaceChildren(
    make('caption', {cls: 'sr', text: title}),
    make('thead', {}, make('tr', {}, ...columns.map(([, name], at) => make('th', {scope: 'col', cls: at && typeof source.data[columns[at][0]]?.[0] === 'number' ? 'number' : '', text: name})))),
    make('tbody', {}, ...Array.from({length: length(source)}, (_, row) => make('tr', {}, ...columns.map(([field], at) => cell(field, at, row))))))
}

// What can be seen of all this, and in which colours: the server draws nothing that is not seen.
addEventListener('message', event => {
  if (event.origin !== location.origin || event.source !== parent) return
  Object.assign(seen, {seen: !!event.data.seen, dark: !!event.data.dark})
  document.body.classList.toggle('dark', seen.dark)
  document.body.classList.toggle('light', !seen.dark)
  const told = doc.get_model_by_name('seen')
  if (told) told.data = {seen: [{...seen}]}
})

// Keys that are the page's: the frame hands them up.
addEventListener('keydown', event => {
  if (event.defaultPrevented || event.isComposing) return
  if (event.key === 'Escape' || (event.altKey && !event.ctrlKey)) { event.preventDefault(); say({say: 'key', key: event.key, code: event.code, alt: event.altKey}) }
})

const said = doc.get_model_by_name('said')
if (said) {
  const note = make('p', {cls: 'small', role: 'status'})
  document.body.append(note)
  const write = () => {
    for (const [place, {problem}] of sections) problem.textContent = said.data[place]?.[0] ?? ''
    note.textContent = said.data.said[0]
  }
  said.properties.data.change.connect(write)
  write()
}
for (const [place, parts] of sections) {
  const source = doc.get_model_by_name(`${place}-numbers`)
  if (source) plot(source, parts)
}
say({say: 'ready'})
