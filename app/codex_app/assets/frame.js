// Inside the inspector's frame: Bokeh draws into our sections, each with a table of the same numbers beside it.
import {make} from '/assets/dom.js'

const told = JSON.parse(document.getElementById('told').textContent)
const say = message => parent.postMessage(message, location.origin)
const SECTIONS = {
  tokens: ['plots', 'Tokens by turn'],
}

const bodies = new Map()
for (const [place] of told.places) {
  const [tab, title] = SECTIONS[place] || []
  if (!tab) continue
  const at = make('div', {id: `at-${place}`, cls: 'drawn'})
  const section = make('section', {'data-tab': tab, 'data-place': place, hidden: true, 'aria-labelledby': `title-${place}`}, make('h2', {id: `title-${place}`, text: title}), at)
  bodies.set(place, {section, at})
  document.body.append(section)
}

let doc
try {
  const drawn = told.places.filter(([place]) => bodies.has(place))
  const roots = Object.fromEntries(drawn.map(([place, id]) => [id, bodies.get(place).at.id]))
  const [views] = await Bokeh.embed.embed_items({}, [{token: told.token, roots, root_ids: drawn.map(([, id]) => id)}])
  doc = [...views.roots ?? views][0].model.document
} catch (error) {
  say({say: 'failed', text: `The plots cannot be drawn: ${error.message || error}`})
  throw error
}
doc.on_event?.('connection_lost', () => say({say: 'lost'}))

for (const [place, {section, at}] of bodies) {
  const source = doc.get_model_by_name(`${place}-numbers`)
  if (!source) continue
  const legend = make('div', {cls: 'legend small'})
  at.before(legend)
  const table = make('table')
  section.append(make('details', {}, make('summary', {text: 'Numbers'}), make('div', {cls: 'scroll', tabindex: '0'}, table)))
  const draw = () => drawTable(table, source, section)
  source.properties.data.change.connect(draw)
  source.selected.change.connect(() => {
    const [at] = source.selected.indices
    if (at == null) return
    go(source, at)
    source.selected.indices = []
  })
  draw()
}

function go(source, at) {
  const place = source.data.goto?.[at]
  if (place !== undefined && place !== '') say({say: 'go', place: String(place)})
}

function drawTable(table, source, section) {
  const columns = source.tags
  const data = source.data
  const length = data[columns[0][0]]?.length ?? 0
  table.replaceChildren(
    make('caption', {cls: 'sr', text: section.querySelector('h2').textContent}),
    make('thead', {}, make('tr', {}, ...columns.map(([, name]) => make('th', {scope: 'col', text: name})))),
    make('tbody', {}, ...Array.from({length}, (_, row) => make('tr', {}, ...columns.map(([field], at) => {
      const value = data[field][row]
      const text = typeof value === 'number' ? value.toLocaleString() : String(value)
      if (at) return make('td', {cls: typeof value === 'number' ? 'number' : '', text})
      const to = data.goto?.[row]
      return make('th', {scope: 'row'}, to === undefined || to === '' ? text : make('button', {type: 'button', cls: 'go', title: 'Go there', text, on: {click: () => go(source, row)}}))
    })))))
  section.classList.toggle('none', !length)
}

addEventListener('message', event => {
  if (event.origin !== location.origin || event.source !== parent) return
  const {seen, tab, dark} = event.data
  document.body.classList.toggle('dark', !!dark)
  document.body.classList.toggle('light', !dark)
  for (const {section} of bodies.values()) section.hidden = section.dataset.tab !== tab
  const shown = doc.get_model_by_name('shown')
  shown.data = {tab: [String(tab)], seen: [!!seen], dark: [!!dark]}
})

// Keys that are the page's: the frame hands them up.
addEventListener('keydown', event => {
  if (event.defaultPrevented || event.isComposing) return
  if (event.key === 'Escape' || (event.altKey && !event.ctrlKey)) { event.preventDefault(); say({say: 'key', key: event.key, code: event.code, alt: event.altKey}) }
})

say({say: 'ready'})
