// The websocket: comes back by itself, asks for what it missed, sends again what was not answered.

// What needs no thread to be shown; all else waits until one is.
const FREE = new Set(['hello', 'new', 'threads', 'archive', 'delete'])

export class Link {
  constructor(told) {
    this.told = told            // {batch, threads, state, welcome}
    this.boot = ''
    this.n = 0
    this.thread = ''
    this.ref = 0
    this.waiting = new Map()    // ref -> {message, resolve, reject, again}
    this.wait = 250
    this.shown = false
  }

  open(thread) {
    this.leave()
    this.thread = thread
    this.boot = ''
    this.n = 0
    this.shown = false
    if (this.socket && this.socket.readyState === WebSocket.OPEN) this.hello()
    else this.connect()
  }

  // What was asked of the thread before goes to no other one.
  leave() {
    for (const [ref, asked] of this.waiting) {
      if (FREE.has(asked.message.type)) continue
      asked.again = false
      if (asked.sent && this.socket?.readyState === WebSocket.OPEN) continue   // its answer is on the way
      this.waiting.delete(ref)
      asked.reject(new Error(asked.sent ? 'The connection was lost; look whether it arrived before you send it again.' : 'Not sent: another thread was opened first.'))
    }
  }

  // For good.
  close() {
    clearTimeout(this.timer)
    const socket = this.socket
    this.socket = null
    socket?.close()
  }

  connect() {
    if (this.socket && this.socket.readyState <= WebSocket.OPEN) return
    clearTimeout(this.timer)
    this.told.state('connecting')
    const socket = this.socket = new WebSocket(`ws://${location.host}/link`)
    socket.onmessage = event => { if (socket === this.socket) this.take(JSON.parse(event.data)) }
    socket.onopen = () => { this.wait = 250; this.hello() }
    socket.onclose = () => {
      if (socket !== this.socket) return
      this.shown = false
      this.told.state('lost')
      for (const [ref, asked] of this.waiting) if (!asked.again) { this.waiting.delete(ref); asked.reject(new Error('The connection was lost; try again.')) }
      this.timer = setTimeout(() => this.connect(), this.wait)
      this.wait = Math.min(4000, this.wait * 2)
    }
  }

  async hello() {
    const thread = this.thread
    try {
      const value = await this.ask({type: 'hello', thread, boot: this.boot, n: this.n})
      if (thread !== this.thread) return
      this.thread = value.thread
      this.shown = true
      this.told.state('open')
      this.told.shown(value.thread)
      for (const [ref, asked] of this.waiting) if (asked.again || !asked.sent) this.put(ref, asked)
    } catch (error) {
      if (thread !== this.thread) return
      for (const [ref, asked] of this.waiting) if (!asked.sent && !asked.again) { this.waiting.delete(ref); asked.reject(error) }
      if (this.socket?.readyState === WebSocket.OPEN) this.told.failed(error.message)
    }
  }

  // `again`: sent once more after a reconnect. Only for what the agent takes once however often it comes.
  ask(message, {again = false} = {}) {
    const ref = ++this.ref
    return new Promise((resolve, reject) => {
      const asked = {message, resolve, reject, again, sent: false}
      this.waiting.set(ref, asked)
      if (this.shown || FREE.has(message.type)) this.put(ref, asked)
      if (!asked.sent && !again && this.socket?.readyState !== WebSocket.OPEN) { this.waiting.delete(ref); reject(new Error('Not connected; try again in a moment.')) }
    })
  }

  put(ref, asked) {
    if (this.socket?.readyState !== WebSocket.OPEN) return
    asked.sent = true
    this.socket.send(JSON.stringify({...asked.message, ref}))
  }

  take(message) {
    if (message.type === 'batch') {
      const fresh = message.patches[0]?.op === 'reset'
      if (!fresh && (message.boot !== this.boot || message.n <= this.n)) return     // of the thread shown before; or known
      this.boot = message.boot
      this.n = message.n
      this.told.batch(message.patches)
      this.socket.send(JSON.stringify({type: 'ack', n: message.n}))
    } else if (message.type === 'answer') {
      const asked = this.waiting.get(message.ref)
      this.waiting.delete(message.ref)
      if (asked) message.problem != null ? asked.reject(new Error(message.problem)) : asked.resolve(message.value)
      else if (message.problem != null) this.told.failed(message.problem)
    } else if (message.type === 'threads') this.told.threads(message.threads, message.asks)
  }
}
