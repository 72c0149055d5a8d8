// What a person can do here besides writing a message: the one table behind `/`, the menu, the buttons, the keys and `?`.
// There is no browser in here. `run` gets the page (what it can ask, show and change: `page.js`) and the words behind the name.
import {CHANGING, REVIEWING} from './diff_keys.js'

// name, about; argument: what may follow the name, in brackets when it need not; keys: as in `Alt+N`; idle: not while a
// turn runs; also: other names.
export const COMMANDS = [
  {name: 'model', about: 'another model or effort', argument: '[NAME [EFFORT]]', idle: true, run: (page, words) => page.chooseModel(...words.split(/\s+/).filter(Boolean))},
  {name: 'summary', about: 'how much of its thinking the model tells', argument: '[auto|concise|detailed|none]', idle: true, run: (page, how) => page.chooseSummary(how)},
  {name: 'approvals', about: 'what the agent may do without asking', also: ['permissions'], idle: true, run: page => page.chooseApprovals()},
  {name: 'new', about: 'a new thread in this directory', keys: 'Alt+N', also: ['clear'], run: page => page.newThread()},
  {name: 'new-in', about: 'a new thread in another directory', argument: '[DIRECTORY]', run: (page, directory) => page.newElsewhere(directory)},
  {name: 'resume', about: 'go on with another thread', argument: '[NAME]', run: (page, words) => page.resume(words)},
  {name: 'fork', about: 'go on in a copy of this thread', idle: true, run: page => page.fork(null)},
  {name: 'backtrack', about: 'edit an earlier message in a branch', idle: true, run: page => page.backtrack()},
  {name: 'tree', about: 'forks and branches of this thread', keys: 'Alt+B', run: page => page.showTree()},
  {name: 'rename', about: 'name the thread', argument: 'NAME', run: (page, name) => name ? page.ask({type: 'rename', name}) : page.say('Say the name too: /rename NAME')},
  {name: 'archive', about: 'take this thread out of the list', idle: true, run: page => page.archive()},
  {name: 'init', about: 'have AGENTS.md written', idle: true, run: page => page.init()},
  {name: 'compact', about: 'replace the history by a summary of it', idle: true, run: page => page.ask({type: 'compact'})},
  {name: 'review', about: 'have changes reviewed: all, or as the words say', argument: '[WHAT]', idle: true, run: (page, prompt) => page.ask({type: 'review_change', prompt})},
  {name: 'search', about: 'find what was said, run, printed or patched, in all threads', argument: '[WORDS]', keys: 'Ctrl+K', run: (page, words) => page.search(words)},
  {name: 'diff', about: 'what changed: in a turn, the thread, since the last commit', keys: 'Alt+D', run: page => page.inspect('diff')},
  {name: 'mention', about: 'name a file', run: page => page.insert('@')},
  {name: 'export', about: 'the thread as a file: HTML, Markdown, notebook', run: page => page.exportThread()},
  {name: 'copy', about: 'copy the last answer', run: page => page.copyLast()},
  {name: 'status', about: 'model, sandbox, tokens, files that instruct', run: page => page.showStatus()},
  {name: 'mcp', about: 'MCP servers and their tools', run: page => page.showServers()},
  {name: 'prompts', about: 'your prompts', run: page => page.showPrompts()},
  {name: 'skills', about: 'skills that $name can stand for', run: page => page.showSkills()},
  {name: 'ps', about: 'commands that run on behind the conversation', run: page => page.showRunning()},
  {name: 'stop', about: 'stop the running turn, or what runs on behind it', keys: 'Escape', run: page => page.stop()},
  {name: 'waiting', about: 'what waits for you, in all threads', keys: 'Alt+W', run: page => page.showWaiting()},
  {name: 'rules', about: 'commands that run, ask or are forbidden', run: page => page.showRules()},
  {name: 'login', about: 'an API key, ChatGPT, a local model or the demo', run: page => page.logIn()},
  {name: 'logout', about: 'forget the login', idle: true, run: page => page.logOut()},
  {name: 'trust', about: 'whether the settings of this folder count', idle: true, run: page => page.trust()},
  {name: 'theme', about: 'dark, light, or as the system has it', argument: '[system|light|dark]', run: (page, name) => page.chooseTheme(name)},
  {name: 'notify', about: 'notifications of the browser, on or off', run: page => page.notify()},
  {name: 'inspector', about: 'show or hide the inspector', keys: 'Alt+I', run: page => page.inspect()},
  {name: 'plots', about: 'tokens, context, time and files as plots', keys: 'Alt+P', run: page => page.inspect('plots')},
  {name: 'settings', about: 'model, effort, approvals and sandbox as a form', run: page => page.inspect('settings')},
  {name: 'threads', about: 'show or hide the list of threads', keys: 'Alt+T', run: page => page.toggleThreads()},
  {name: 'commands', about: 'all commands, to choose from', keys: 'Alt+K', run: page => page.chooseCommand()},
  {name: 'keys', about: 'all keys and commands', keys: '?', also: ['help'], run: page => page.showKeys()},
  {name: 'quit', about: 'close this page; threads go on', also: ['exit'], run: page => page.quit()},
]

// Keys of the message field, which do nothing elsewhere.
export const WRITING = [
  ['Enter', 'send; while a turn runs: steer it'], ['Shift+Enter', 'a new line'], ['Tab', 'while a turn runs: queue the message'],
  ['Esc Esc', 'in an empty field: edit an earlier message'], ['Up / Down', 'in an empty field: what you wrote before'], ['Alt+Up', 'the last queued message, to edit'],
  ['@', 'find a file'], ['/', 'find a command or prompt'], ['$', 'find a skill'],
]

export class Registry {
  constructor(page, table = COMMANDS) {
    this.page = page
    this.table = table
  }

  find(name) { return this.table.find(command => command.name === name || command.also?.includes(name)) }

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
    const review = [...new Map([...REVIEWING, ...CHANGING].map(([keys, about]) => [about, [named(keys), `in a diff: ${about}`]])).values(), ['Ctrl Enter', 'in a diff: send the comments']]
    return [...WRITING.map(([keys, about]) => [named(keys), about]), ...this.table.filter(command => command.keys).map(command => [named(command.keys), command.about]), ...review]
  }
}

export const named = keys => keys.replace('Escape', 'Esc').replace(/Arrow(?=[A-Z])/, '').replaceAll('+', ' ')

const pressed = (keys, event) => {
  const wanted = keys === '?' ? ['?'] : keys.split('+')
  const key = wanted.pop()
  if (wanted.includes('Alt') !== event.altKey || wanted.includes('Ctrl') !== !!(event.ctrlKey || event.metaKey)) return false
  if (key.length > 1 || !wanted.length) return event.key === key
  return event.code === `Key${key}` && wanted.includes('Shift') === !!event.shiftKey
}
