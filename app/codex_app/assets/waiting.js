// One list over all threads of what waits for a person; each can be answered from here.
import {choose} from '/assets/dialogs.js'

const FIRST = 120

// `waiting`: `[{thread, in, ask}]`. `open(one)`: puts the question itself.
export const showWaiting = (waiting, {open, say, back}) => {
  if (!waiting.length) return say('Nothing waits for you.')
  choose(waiting.length === 1 ? 'One question waits for you' : `${waiting.length} questions wait for you`,
    waiting.map(one => [one.in || 'A thread', `${one.ask.question} ${(one.ask.exact || '').slice(0, FIRST)}`, () => open(one)]), back)
}
