// One sentence to the person: shown for a while, and read out.
import {make} from '/assets/dom.js'

const SHOWN_MS = 8000

export class Saying {
  constructor() {
    this.status = make('div', {cls: 'sr', role: 'status', 'aria-live': 'polite'})
    this.toast = make('div', {cls: 'toast', hidden: true})
  }

  say(text) {
    this.status.textContent = text
    this.toast.textContent = text
    this.toast.hidden = !text
    clearTimeout(this.timer)
    this.timer = setTimeout(() => { this.toast.hidden = true }, SHOWN_MS)
  }

  // Read out alone: it stands on the screen already.
  read(text) { this.status.textContent = text }
}
