// What a person can do here besides writing a message: the one table behind `/`, the menu, the buttons, the keys and `?`.
// There is no browser in here. `run` gets the page (what it can ask, show and change: `page.js`) and the words behind the name.
import {REVIEWING} from './diff_keys.js'
import {ranked} from './fuzzy.js'

// name, about; argument: what may follow the name; keys: as in `Alt+N`; idle: not while a turn runs; also: other names.
export const COMMANDS = [
  {name: 'new', about: 'a new thread in this directory', keys: 'Alt+N', run: page => page.newThread()},
  {name: 'approvals', about: 'what the agent may do without asking', idle: true, run: page => page.chooseApprovals()},
  {name: 'model', about: 'another model', argument: '[NAME [EFFORT]]', idle: true, run: (page, words) => page.chooseModel(...words.split(/\s+/).filter(Boolean))},
  {name: 'compact', about: 'replace the history by a summary of it', idle: true, run: page => page.ask({type: 'compact'})},
  {name: 'rename', about: 'name the thread', argument: 'NAME', run: (page, name) => name ? page.ask({type: 'rename', name}) : page.say('Say the name too: /rename NAME')},
  {name: 'new-in', about: 'a new thread in another directory', argument: '[DIRECTORY]', run: (page, directory) => page.newElsewhere(directory)},
  {name: 'archive', about: 'take this thread out of the list', idle: true, run: page => page.archive()},
  {name: 'waiting', about: 'what waits for you, in all threads', keys: 'Alt+W', run: page => page.showWaiting()},
  {name: 'rules', about: 'commands that run, ask or are forbidden', run: page => page.showRules()},
  {name: 'login', about: 'an API key, ChatGPT, a local model or the demo', run: page => page.logIn()},
  {name: 'trust', about: 'whether the settings of this folder count', idle: true, run: page => page.trust()},
  {name: 'theme', about: 'dark, light, or as the system has it', argument: '[system|light|dark]', run: (page, name) => page.chooseTheme(name)},
  {name: 'notify', about: 'notifications of the browser, on or off', run: page => page.notify()},
  {name: 'diff', about: 'what is not committed', run: page => page.showDiff()},
  {name: 'status', about: 'model, sandbox, tokens, files that instruct', run: page => page.showStatus()},
  {name: 'stop', about: 'stop the running turn', keys: 'Escape', run: page => page.ask({type: 'interrupt'})},
  {name: 'inspector', about: 'show or hide the inspector', keys: 'Alt+I', run: page => page.inspect()},
  {name: 'plots', about: 'tokens, context, time and files as plots', keys: 'Alt+P', run: page => page.inspect('plots')},
  {name: 'threads', about: 'show or hide the list of threads', keys: 'Alt+T', run: page => page.toggleThreads()},
  {name: 'keys', about: 'all keys and commands', keys: '?', also: ['help'], run: page => page.showKeys()},
]

// Keys of the message field, which do nothing elsewhere.
export const WRITING = [
  ['Enter', 'send; while a turn runs: steer it'], ['Shift+Enter', 'a new line'], ['Tab', 'while a turn runs: queue the message'],
  ['@', 'find a file'], ['/', 'find a command'],
]

export class Registry {
  constructor(page, table = COMMANDS) {
    this.page = page
    this.table = table
  }

  find(name) { return this.table.find(command => command.name === name || command.also?.includes(name)) }

  // What `/` offers for the letters behind it: `[{item, indices}]`.
  offered(query) { return ranked(this.table, query, command => command.name) }

  // The command that a line names, with the words behind it; null when it names none.
  parse(line) {
    const found = /^\/([^\s/]+)(?:\s+([\s\S]*))?$/.exec(line.trim())
    const command = found && this.find(found[1])
    return command ? {command, words: (found[2] || '').trim()} : null
  }

  // Every way of asking for a command ends here.
  async run(name, words = '') {
    const command = this.find(name)
    if (!command) return this.page.say(`There is no /${name}; ? lists what there is.`)
    if (command.idle && this.page.busy()) return this.page.say(`/${command.name} waits until the running turn has ended; Esc stops it.`)
    try { return await command.run(this.page, words) } catch (error) { this.page.say(error.message) }
  }

  // The command of a key, in `where`: `writing` leaves out the keys that are letters.
  byKey(event, {writing = false} = {}) {
    return this.table.find(command => command.keys && pressed(command.keys, event) && !(writing && command.keys.length === 1)) ?? null
  }

  // `[[keys, what they do]]`, for people.
  keyList() {
    const review = REVIEWING.map(([keys, about]) => [named(keys), `in a diff: ${about}`])
    return [...WRITING.map(([keys, about]) => [named(keys), about]), ...review, ...this.table.filter(command => command.keys).map(command => [named(command.keys), command.about])]
  }
}

export const named = keys => keys.replace('Escape', 'Esc').replaceAll('+', ' ')

const pressed = (keys, event) => {
  const wanted = keys === '?' ? ['?'] : keys.split('+')
  const key = wanted.pop()
  if (wanted.includes('Alt') !== event.altKey || wanted.includes('Ctrl') !== !!(event.ctrlKey || event.metaKey)) return false
  if (key.length > 1 || !wanted.length) return event.key === key
  return event.code === `Key${key}` && wanted.includes('Shift') === !!event.shiftKey
}
