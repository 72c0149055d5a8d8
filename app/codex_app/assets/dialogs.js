// Small dialogs: a choice, something to read, a yes or no, a line of text.
import {make} from '/assets/dom.js'

// Up and Down go from choice to choice. `dense`: for many, without frames.
export const choose = (title, choices, after, {dense = false} = {}) => {
  const dialog = make('dialog', {cls: `choices ${dense ? 'dense' : ''}`, 'aria-labelledby': 'choices-title', on: {keydown: event => {
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key]
    if (!step) return
    event.preventDefault()
    const buttons = [...dialog.querySelectorAll('button')]
    buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length]?.focus()
  }}})
  const close = () => { dialog.close(); dialog.remove(); after() }
  dialog.addEventListener('cancel', event => { event.preventDefault(); close() })
  dialog.append(make('h2', {id: 'choices-title', text: title}),
    ...choices.map(([name, about, use]) => make('button', {type: 'button', on: {click: () => { close(); use() }}}, make('b', {text: name}), ' ', make('span', {text: about}))),
    make('p', {cls: 'small'}, make('kbd', {text: 'Esc'}), ' changes nothing'))
  document.body.append(dialog)
  dialog.showModal()
  dialog.querySelector('button')?.focus()
}

// Returns what closes it.
export const show = (title, content, after, end = 'Close') => {
  const dialog = make('dialog', {cls: 'choices shown', 'aria-labelledby': 'shown-title'})
  const close = () => { dialog.close(); dialog.remove(); after() }
  dialog.addEventListener('cancel', event => { event.preventDefault(); close() })
  if (content.matches('dl')) content.tabIndex = 0     // its keys scroll it
  dialog.append(make('h2', {id: 'shown-title', text: title}), content, make('button', {type: 'button', text: end, on: {click: close}}))
  document.body.append(dialog)
  dialog.showModal()
  return close
}

// Whether that is meant; the focus is on "no".
export const confirm = (title, about, yes, after) => new Promise(done => {
  const close = show(title, make('div', {}, make('p', {text: about}), make('button', {type: 'button', cls: 'bad', text: yes, on: {click: () => { done(true); close() }}})), () => { done(false); after() }, 'No')
  ;[...document.querySelectorAll('dialog[open] > button')].pop().focus()
})

// A line of text; null when nothing is entered.
export const enter = (title, {label, value = '', action, about = '', list = []}, after) => new Promise(done => {
  const field = make('input', {type: 'text', value, 'aria-label': label, autocomplete: 'off', spellcheck: 'false', list: list.length ? 'enter-list' : null})
  const close = show(title, make('form', {cls: 'enter', on: {submit: event => { event.preventDefault(); done(field.value.trim() || null); close() }}},
    about ? make('p', {cls: 'small', text: about}) : null, field,
    list.length ? make('datalist', {id: 'enter-list'}, ...list.map(value => make('option', {value}))) : null,
    make('button', {type: 'submit', text: action})), () => { done(null); after() }, 'Cancel')
  field.focus()
  field.select()
})
