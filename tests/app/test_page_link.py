"""The page's end of the websocket, without a browser: which batches it takes, and where what it asks goes."""

from __future__ import annotations

from pathlib import Path

from tests.support.page_modules import evaluate

SCRIPT = """
const drawn = [], sent = []
const told = {batch: patches => drawn.push(patches[0].op + patches[0].id), state() {}, failed() {}, shown() {}}
const link = new m.Link(told)
globalThis.WebSocket = {OPEN: 1}
link.socket = {readyState: 1, send: text => sent.push(JSON.parse(text))}
const take = (boot, n, op, id) => link.take({type: 'batch', boot, n, patches: [{op, id}]})
take('a', 4, 'reset', 1)
take('a', 5, 'put', 2)
take('a', 5, 'put', 2)
link.open('another')
take('a', 6, 'put', 3)
take('b', 9, 'reset', 4)
take('a', 7, 'put', 5)
take('b', 10, 'put', 6)
return {drawn, acks: sent.filter(message => message.type === 'ack').map(message => message.n)}
"""


def test_a_tab_takes_each_batch_once_and_none_of_the_thread_that_it_left(tmp_path: Path) -> None:
    found = evaluate(tmp_path, "link.js", SCRIPT)
    assert found == {"drawn": ["reset1", "put2", "reset4", "put6"], "acks": [4, 5, 9, 10]}


LEFT = """
const sent = [], said = []
const link = new m.Link({batch() {}, state() {}, failed() {}, shown() {}})
globalThis.WebSocket = {OPEN: 1}
const socket = {readyState: 1, send: text => sent.push(JSON.parse(text))}
link.socket = socket
const answer = async (type, value) => {
  link.take({type: 'answer', ref: sent.findLast(message => message.type === type).ref, value})
  await new Promise(resolve => setTimeout(resolve))
}
const asked = (text, options) => link.ask({type: 'send', text}, options)
  .then(() => said.push(`${text}: sent`), error => said.push(`${text}: ${error.message}`))
const texts = () => sent.filter(message => message.type === 'send').map(message => message.text)
link.open('0a')
asked('waits', {again: true})
await answer('hello', {thread: '0a'})
asked('under way', {again: true})
const first = texts()
socket.readyState = 3
asked('offline', {again: true})
await new Promise(resolve => setTimeout(resolve))
link.connect = () => {}
link.open('0b')
socket.readyState = 1
link.hello()
await answer('hello', {thread: '0b'})
asked('for b', {again: true})
link.open('0c')
asked('for c', {again: true})
link.open('0d')
await answer('hello', {thread: '0d'})
await answer('send', {})
return {first, then: texts(), said}
"""


def test_what_was_asked_of_a_thread_goes_to_no_other_one(tmp_path: Path) -> None:
    found = evaluate(tmp_path, "link.js", LEFT)
    unknown = "The connection was lost; look whether it arrived before you send it again."
    assert found["first"] == ["waits", "under way"]
    assert found["then"] == ["waits", "under way", "for b"]
    assert found["said"] == [
        f"waits: {unknown}",
        f"under way: {unknown}",
        "offline: Not sent: another thread was opened first.",
        "for c: Not sent: another thread was opened first.",
        "for b: sent",
    ]
