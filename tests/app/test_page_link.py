"""The page's end of the websocket, without a browser: which batches it takes."""

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
