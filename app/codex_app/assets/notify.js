// Tells a person who looks elsewhere: done, failed, needs an answer. By the tab's icon always, by the system when allowed.
const KEY = 'codex.notify'
const WORDS = {asking: 'needs your answer', done: 'is done', failed: 'failed'}

export class Notifier {
  // `open(id)`: shows a thread.
  constructor({open}) {
    this.open = open
    this.states = null
    this.shown = new Map()
    addEventListener('focus', () => this.seen())
  }

  get on() { try { return localStorage.getItem(KEY) === 'on' } catch { return false } }

  // Switch; what came of it, in words.
  async toggle() {
    if (this.on) { localStorage.removeItem(KEY); return 'Notifications are off; the tab’s title and icon still tell.' }
    if (!('Notification' in window)) return 'This browser has no notifications.'
    if (await Notification.requestPermission() !== 'granted') return 'The browser does not allow notifications for this page; its settings can.'
    localStorage.setItem(KEY, 'on')
    return 'Notifications are on: done, failed, needs your answer.'
  }

  // The threads as they are now; `current` is the one on the screen.
  threads(threads, current) {
    const before = this.states
    this.states = new Map(threads.map(thread => [thread.id, thread.state]))
    this.icon(threads.some(thread => thread.state === 'asking') ? 'waiting' : this.unseen ? 'done' : '')
    if (!before) return
    for (const thread of threads) {
      const was = before.get(thread.id)
      if (was === undefined || was === thread.state || (thread.id === current && document.hasFocus())) continue
      if (thread.state === 'asking') this.tell(thread, 'asking')
      else if (was !== 'stored' && ['idle', 'stored'].includes(thread.state) && was !== 'idle') this.tell(thread, thread.failed ? 'failed' : 'done')
    }
  }

  tell(thread, kind) {
    if (kind !== 'asking' && !document.hasFocus()) { this.unseen = true; this.icon('done') }
    if (!this.on || !('Notification' in window) || Notification.permission !== 'granted') return
    const note = new Notification(`${thread.name} ${WORDS[kind]}`, {body: [thread.directory, thread.doing].filter(Boolean).join(' · '), tag: thread.id, icon: '/assets/icon.svg'})
    note.onclick = () => { window.focus(); this.open(thread.id); note.close() }
  }

  seen() { this.unseen = false; if (this.badge === 'done') this.icon('') }

  icon(badge) {
    if (badge === this.badge) return
    this.badge = badge
    document.querySelector('link[rel="icon"]')?.setAttribute('href', `/assets/icon${badge ? `_${badge}` : ''}.svg`)
  }
}
