// A thread as a file: which form, and what is taken out of it first.
import {show} from '/assets/dialogs.js'
import {make} from '/assets/dom.js'

const FORMS = [
  ['html', 'HTML', 'one file to read in any browser, without scripts'],
  ['md', 'Markdown', 'for a wiki, an issue, a mail'],
  ['ipynb', 'Notebook', 'its cells can be run again on the Codex kernel; opening it runs nothing'],
  ['jsonl', 'Lines', 'as the thread is kept, for programs'],
]

export const showExport = async (thread, after) => {
  const answer = await fetch(`/export/${thread}`)
  if (!answer.ok) throw new Error(answer.status === 404 ? 'Nothing was said in this thread yet.' : 'The thread could not be exported.')
  const {found} = await answer.json()
  const keep = make('input', {type: 'checkbox', on: {change: () => { for (const link of links) link.href = address(link.dataset.form) }}})
  const address = form => `/export/${thread}.${form}${keep.checked ? '?secrets=keep' : ''}`
  const links = FORMS.map(([form, name]) => make('a', {href: address(form), download: true, 'data-form': form, text: name}))
  const secrets = found.length
    ? make('div', {}, make('p', {text: found.length === 1 ? 'One secret is taken out:' : `${found.length} secrets are taken out:`}),
      make('ul', {cls: 'secrets'}, ...found.map(({kind, preview, times}) => make('li', {text: `${kind}: ${preview}${times > 1 ? `, ${times} times` : ''}`}))),
      make('label', {}, keep, found.length === 1 ? ' Leave it in' : ' Leave them in'))
    : make('p', {text: 'No secrets were found in it.'})
  show('Export this thread', make('div', {cls: 'export'}, secrets,
    make('p', {cls: 'small', text: 'Not every secret can be known by its look: read the file before you pass it on.'}),
    make('ul', {cls: 'forms'}, ...FORMS.map(([, , about], at) => make('li', {}, links[at], make('span', {text: ` ${about}`}))))), after)
  links[0].closest('dialog').querySelector('.forms a').focus()
}
