// Files that are dragged over the page: the whole of it takes them.
import {make} from '/assets/dom.js'

export const dropping = (target, take) => {
  const veil = make('div', {cls: 'veil', hidden: true, text: 'Drop files to attach them'})
  const carries = event => event.dataTransfer?.types.includes('Files')
  addEventListener('dragover', event => { if (carries(event)) { event.preventDefault(); veil.hidden = false } })
  addEventListener('dragleave', event => { if (!event.relatedTarget) veil.hidden = true })
  addEventListener('drop', event => {
    veil.hidden = true
    if (!carries(event)) return
    event.preventDefault()
    take([...event.dataTransfer.files])
  })
  target.append(veil)
}
