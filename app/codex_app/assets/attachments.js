// Files that go with the next message, as chips above the field. They are sent to the server when they are given.
import {make} from '/assets/dom.js'

const MAX_BYTES = 20 << 20  // the server's limit

export class Attachments {
  // `place()`: whose files these are now; `astray(file, place)`: one came after that place was left.
  constructor({changed, failed, place, astray}) {
    Object.assign(this, {changed, failed, place, astray})
    this.files = []
    this.coming = new Map()
    this.element = make('ul', {cls: 'chips', 'aria-label': 'Attached files', hidden: true})
  }

  get list() { return this.files.map(({id, path}) => id ? {id} : {path}) }

  set(files) { this.files = files || []; this.draw() }

  add(file) {
    if (!this.files.some(known => known.id === file.id && known.path === file.path)) this.files.push(file)
    this.draw()
    this.changed()
  }

  // Send files to the server; those that it refuses are said.
  async take(files) {
    const place = this.place()
    await Promise.all([...files].map(async file => {
      const coming = {name: file.name || 'pasted image'}
      const sending = this.upload(file, coming.name)
      this.coming.set(sending, coming)
      this.draw()
      try { this.arrived(await sending, place) } catch (error) { this.failed(error.message) } finally { this.coming.delete(sending); this.draw() }
    }))
  }

  arrived(file, place) {
    if (!place || place === this.place()) this.add(file)
    else this.astray(file, place)
  }

  async upload(file, name) {
    if (file.size > MAX_BYTES) throw new Error(`${name} is larger than 20 MiB`)
    let answer
    try { answer = await fetch('/upload', {method: 'POST', body: file, headers: {'X-Name': encodeURIComponent(name), 'Content-Type': 'application/octet-stream'}}) } catch { throw new Error(`${name} could not be sent: no connection; try again`) }
    const told = answer.ok ? await answer.json() : {problem: `${name} was refused (${answer.status})`}
    if (told.problem) throw new Error(told.problem)
    return told
  }

  // All files that were given are there, or were refused.
  settled() { return Promise.allSettled([...this.coming.keys()]) }

  remove(file) { this.files = this.files.filter(known => known !== file); this.draw(); this.changed() }

  draw() {
    this.element.hidden = !this.files.length && !this.coming.size
    this.element.replaceChildren(
      ...this.files.map(file => make('li', {cls: 'chip'},
        file.id && file.kind?.startsWith('image/') ? make('img', {src: `/upload/${file.id}`, alt: ''}) : null,
        make('span', {cls: 'name', text: file.name, title: file.path || file.name}),
        make('button', {type: 'button', cls: 'plain', 'aria-label': `Remove ${file.name}`, on: {click: () => this.remove(file)}}, '✕'))),
      ...[...this.coming.values()].map(({name}) => make('li', {cls: 'chip small', text: `sending ${name} …`})))
  }
}
