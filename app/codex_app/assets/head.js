// What is true of the thread in small type: above the conversation its place and leash, below it model, tokens and time.
import {make} from '/assets/dom.js'

const fact = (text, cls, about) => text ? make('span', {cls: `fact ${cls || ''}`, title: about, text}) : null

export class Head {
  constructor({toggleThreads, showKeys}) {
    this.showKeys = showKeys
    this.menu = make('button', {type: 'button', cls: 'menu', 'aria-controls': 'threads', on: {click: toggleThreads}})
    this.element = make('header', {cls: 'head'})
    this.foot = make('div', {cls: 'foot small'})
    this.state = {}
    setInterval(() => this.tick(), 1000)
  }

  // `connection`: connecting, open or lost; `waiting`: how many other threads wait; `missing`: there is no thread.
  draw(state, {connection, waiting, missing}) {
    this.state = state
    this.menu.replaceChildren('☰ ', make('span', {text: waiting ? `Threads (${waiting} waiting)` : 'Threads'}))
    this.element.replaceChildren(this.menu,
      make('h2', {text: state.name || state.directory?.split('/').pop() || (missing ? 'No thread' : 'Opening …')}),
      ...[fact(state.directory, 'path', state.where), fact(state.branch && `⎇ ${state.branch}`), fact(state.sandbox, state.sandbox === 'danger-full-access' ? 'bad' : ''),
        fact(state.rung && `rung ${state.rung} of 5`, state.rung > 2 ? 'wait' : '', state.rung_note || 'How commands are confined on this machine; 1 is all layers'),
        fact(state.approval && `asks: ${state.approval}`), fact(state.read_only && `followed, read-only: ${state.read_only} runs it`, 'wait'), this.connection(connection)].filter(Boolean))
    const left = state.context_left == null ? '' : `${state.context_left} % of the context left`
    this.foot.replaceChildren(...[state.model && `${state.model}${state.effort ? ` ${state.effort}` : ''}`, state.tokens && `${state.tokens} tokens`, left]
      .filter(Boolean).map(text => make('span', {text})), make('span', {cls: 'clock'}), make('button', {type: 'button', cls: 'plain', on: {click: this.showKeys}}, make('kbd', {text: '?'}), ' keys'))
    this.tick()
  }

  connection(connection) {
    if (connection === 'open' && this.state.connected === false) return make('span', {cls: 'fact bad', text: 'the agent has ended; your next message brings it back'})
    if (connection === 'open') return make('span', {cls: 'fact good', title: 'Connected to the server', text: '● connected'})
    return make('span', {cls: 'fact wait', text: connection === 'lost' ? '○ no connection, trying again' : '○ connecting'})
  }

  tick() {
    const clock = this.foot.querySelector('.clock')
    if (!clock) return
    const seconds = this.state.since ? Math.max(0, Math.floor(Date.now() / 1000 - this.state.since)) : null
    clock.textContent = this.state.busy ? `working${seconds == null ? '' : ` ${seconds >= 60 ? `${Math.floor(seconds / 60)} min ` : ''}${seconds % 60} s`}` : ''
  }
}
