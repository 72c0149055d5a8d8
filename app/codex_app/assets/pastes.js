// Long pastes stand in the field as `[Pasted Content 2048 chars]` and are sent whole. A label is all or nothing.
export const LONG = 1000
const LABEL = /\[Pasted Content \d+ chars(?: #\d+)?\]/g

export class Pastes {
  constructor(kept = []) { this.kept = new Map(kept) }

  // What to put into the field for pasted text.
  fold(text) {
    text = text.replace(/\r\n?/g, '\n')
    const length = [...text].length
    if (length <= LONG) return text
    let label = `[Pasted Content ${length} chars]`
    for (let number = 2; this.kept.has(label); number++) label = `[Pasted Content ${length} chars #${number}]`
    this.kept.set(label, text)
    return label
  }

  // The field's text with every paste in its place.
  expand(text) { return text.replace(LABEL, label => this.kept.get(label) ?? label) }

  // Forget what the field holds no more; a label that was edited is only text.
  prune(text) { for (const label of [...this.kept.keys()]) if (!text.includes(label)) this.kept.delete(label) }

  // Where a label lies that touches the caret from the side that is being deleted: `[start, end]`, or null.
  beside(text, caret, forward) {
    for (const found of text.matchAll(LABEL)) {
      const [start, end] = [found.index, found.index + found[0].length]
      if (this.kept.has(found[0]) && (forward ? caret >= start && caret < end : caret > start && caret <= end)) return [start, end]
    }
    return null
  }
}
