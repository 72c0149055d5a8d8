// What was written before, over all threads: Up goes back in it, Down comes forward again.
export class Past {
  // `load`: the entries of earlier, oldest first; asked for once, when somebody goes back.
  constructor(load) {
    this.load = load
    this.entries = null
    this.own = []
    this.at = null
  }

  add(text) {
    const list = this.entries || this.own
    if (text && list.at(-1) !== text) list.push(text)
    this.at = null
  }

  // Whether Up and Down go through the past: from an empty field, or from an entry that was not touched.
  active(text, caret) { return !text || (this.at !== null && text === this.entries?.[this.at] && (caret === 0 || caret === text.length)) }

  // The text of one step back (-1) or forward (1); '' behind the newest; null for no step.
  async step(by) {
    if (!this.entries) this.entries = [...await this.load().catch(() => []), ...this.own]
    if (!this.entries.length) return null
    if (this.at === null) {
      if (by > 0) return null
      this.at = this.entries.length - 1
    } else if (this.at + by >= this.entries.length) {
      this.at = null
      return ''
    } else this.at = Math.max(0, this.at + by)
    return this.entries[this.at]
  }
}
