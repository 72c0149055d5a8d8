// A first run: how to reach a model, and whether this folder is trusted. The answers are kept by the thread's agent.
import {make} from '/assets/dom.js'
import {show} from '/assets/dialogs.js'

const LOOK_MS = 1500

export class FirstRun {
  // `ask(message)`, `go(thread)`, `say(text)`, `back()`.
  constructor(page) {
    this.page = page
    this.asked = new Set()     // threads that were looked at
  }

  // Ask what is missing in the thread that is shown.
  async look(thread) {
    if (this.asked.has(thread) || document.querySelector('dialog[open]')) return
    this.asked.add(thread)
    let told
    try { told = await this.page.ask({type: 'setup'}) } catch { this.asked.delete(thread); return }
    if (told.needs_login) this.logIn(told)
    else if (told.asks_trust) this.trust(told)
  }

  logIn(told) {
    const key = make('input', {type: 'password', name: 'key', autocomplete: 'off', spellcheck: 'false', placeholder: 'sk-…', 'aria-label': 'API key'})
    const problem = make('p', {cls: 'bad', role: 'alert', hidden: true})
    const fail = text => { problem.textContent = text; problem.hidden = false }
    const done = async () => { close(); this.page.say('Logged in.'); await this.after() }
    const waits = make('p', {cls: 'small', role: 'status', hidden: true})
    const form = make('form', {cls: 'way', on: {submit: async event => {
      event.preventDefault()
      try { await this.page.ask({type: 'log_in', key: key.value}); key.value = ''; await done() } catch (error) { fail(error.message) }
    }}}, make('label', {}, make('b', {text: 'An API key'}), ' ', make('span', {cls: 'small', text: 'kept as `codex login` keeps it, readable by you alone'}), key), make('button', {type: 'submit', text: 'Use this key'}))
    const browser = make('div', {cls: 'way'}, make('button', {type: 'button', on: {click: async () => {
      // Opened before the answer is there: later the browser would take it for a pop-up.
      const tab = window.open('', '_blank')
      try {
        const {url} = await this.page.ask({type: 'log_in'})
        if (tab) { tab.opener = null; tab.location.replace(url) }
        waits.replaceChildren('Log in on the other tab; this page goes on by itself. ', make('a', {href: url, target: '_blank', rel: 'noopener noreferrer', text: 'The login page'}))
        waits.hidden = false
        this.watch(done, fail)
      } catch (error) { tab?.close(); fail(error.message) }
    }}}, make('b', {text: 'Log in with ChatGPT'}), ' ', make('span', {text: 'opens a new tab'})), waits)
    const local = told.local.map(server => make('button', {type: 'button', on: {click: () => { close(); this.begin({local: server.provider, model: server.models[0] || ''}) }}},
      make('b', {text: `${server.name} on this machine`}), ' ', make('span', {text: server.models.length ? server.models.slice(0, 3).join(', ') : 'it runs, without a model yet'})))
    const demo = make('button', {type: 'button', on: {click: () => { close(); this.begin({demo: true}) }}}, make('b', {text: 'The demo'}), ' ', make('span', {text: 'offline: a scripted model that shows how this works'}))
    const close = show('How should a model be reached?', make('div', {cls: 'first-run'},
      make('p', {text: `${told.provider} needs a login and there is none yet.`}), form, browser, ...local, demo, problem), () => {
      clearInterval(this.timer)
      this.page.back()
    }, 'Later')
    key.focus()
  }

  watch(done, fail) {
    clearInterval(this.timer)
    this.timer = setInterval(async () => {
      try {
        const told = await this.page.ask({type: 'setup'})
        if (!told.needs_login) { clearInterval(this.timer); await done() }
        else if (!told.waiting) { clearInterval(this.timer); fail(told.problem || 'The login was not completed.') }
      } catch { /* the connection comes back */ }
    }, LOOK_MS)
  }

  async begin(how) {
    try { this.page.go(await this.page.ask({type: 'new', ...how})) } catch (error) { this.page.say(error.message) }
  }

  async after() {
    try {
      const told = await this.page.ask({type: 'setup'})
      if (told.asks_trust) this.trust(told)
    } catch (error) { this.page.say(error.message) }
  }

  trust(told) {
    const answer = async trusted => {
      close()
      try {
        const {thread} = await this.page.ask({type: 'trust', trusted})
        this.asked.add(thread)
        this.page.go(thread)
        this.page.say(trusted ? 'Trusted: its settings count, and commands may write in it.' : 'Not trusted: nothing of it counts as settings, and commands only read.')
      } catch (error) { this.page.say(error.message) }
    }
    const no = make('button', {type: 'button', cls: 'safe', on: {click: () => answer(false)}}, make('b', {text: 'No, only read'}), ' ', make('span', {text: 'commands cannot write, and its settings are not read'}))
    const close = show(told.changed ? 'Its settings have changed. Do you still trust this folder?' : 'Do you trust this folder?', make('div', {cls: 'first-run'},
      make('pre', {cls: 'exact', tabindex: '0', text: told.directory}),
      make('p', {text: `If you do, ${told.repository ? 'the settings, rules, hooks and servers in its .codex folder count' : 'the settings in its .codex folder count'}, and commands may write in it inside the sandbox; until you do, nothing in it is read as settings.`}),
      ...(told.changed ? [make('p', {cls: 'wait', text: `Changed since you trusted it: ${told.changed}`})] : []),
      no, make('button', {type: 'button', cls: 'allow', on: {click: () => answer(true)}}, make('b', {text: 'Yes, I trust it'}), ' ', make('span', {text: 'remembered for this folder'}))), this.page.back, 'Ask me later')
    no.focus()
  }
}
