import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from codex_kernel.model import client as client_module
from codex_kernel.model.interface import Completed, ItemDone, Prompt, ResponseEvent, TextDelta
from codex_protocol.errors import ModelError, StreamClosed
from codex_protocol.items import CustomToolCall, FunctionCall, Message, Reasoning
from tests.support.http_client import PROMPT, collect, make
from tests.support.replies import Reply, custom_call, function_call, message, reasoning
from tests.support.wire import chat_events, responses_events

ITEMS = [
    reasoning("thinking, hard"),
    message("Grüße, 世界! 😀 and some more"),
    function_call("exec_command", {"cmd": "ls 'ü'"}, call_id="c1"),
    function_call("update_plan", {"plan": []}, call_id="c2"),
]
PATCH = custom_call("apply_patch", "*** Begin Patch\n*** End Patch", call_id="c3")
WIRES = {
    "responses": responses_events(Reply(items=[*ITEMS, PATCH], delta_chars=6)),
    "chat": chat_events(Reply(items=ITEMS, delta_chars=6)),
}
HEADERS = {"content-type": "text/event-stream"}


class Body(httpx.AsyncByteStream):
    def __init__(self, pieces: list[bytes], failure: Exception | None = None) -> None:
        self._pieces, self._failure = pieces, failure
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        if self._failure is not None:
            raise self._failure

    async def aclose(self) -> None:
        self.closed = True


async def read(
    wire: str, pieces: list[bytes], failure: Exception | None = None, prompt: Prompt = PROMPT
) -> list[ResponseEvent]:
    body = Body(pieces, failure)
    client = make(lambda _: httpx.Response(200, headers=HEADERS, stream=body), chat=wire == "chat")
    try:
        return await collect(client, prompt)
    finally:
        assert body.closed


@pytest.mark.parametrize("wire", WIRES)
async def test_an_answer_is_read_whole_however_its_bytes_are_cut(wire: str) -> None:
    raw = b"".join(WIRES[wire])
    whole = await read(wire, [raw])
    items = [event.item for event in whole if isinstance(event, ItemDone)]
    kinds = [type(item) for item in items]
    assert kinds[:4] == [Reasoning, Message, FunctionCall, FunctionCall]
    assert kinds[4:] == ([CustomToolCall] if wire == "responses" else [])
    assert "".join(event.delta for event in whole if isinstance(event, TextDelta)) == "Grüße, 世界! 😀 and some more"
    assert isinstance(whole[-1], Completed)
    assert whole[-1].usage is not None
    assert await read(wire, [raw[at : at + 1] for at in range(len(raw))]) == whole
    assert await read(wire, [raw.replace(b"\n", b"\r\n")]) == whole
    assert await read(wire, [b": hello\n\n", *WIRES[wire]]) == whole


@pytest.mark.parametrize("failure", [None, httpx.ReadError("reset"), httpx.RemoteProtocolError("incomplete chunk")])
@pytest.mark.parametrize("wire", WIRES)
async def test_an_answer_cut_at_any_byte_is_whole_or_broken_off_never_a_part(
    wire: str, failure: Exception | None
) -> None:
    raw = b"".join(WIRES[wire])
    whole = await read(wire, [raw])
    said = [event for event in whole if not isinstance(event, Completed)]
    outcomes = {"whole": 0, "broken": 0}
    cuts = range(0, len(raw), 1 if failure is None else 7)  # each costs a millisecond
    for cut in cuts:
        try:
            events = await read(wire, [raw[:cut]], failure)
        except StreamClosed:
            outcomes["broken"] += 1
        else:
            assert [event for event in events if not isinstance(event, Completed)] == said
            assert isinstance(events[-1], Completed)
            outcomes["whole"] += 1
    assert outcomes["broken"] > 0.8 * len(cuts)


@pytest.mark.parametrize("wire", WIRES)
async def test_every_event_of_an_answer_replaced_by_garbage_is_no_success_with_less(wire: str) -> None:
    frames = WIRES[wire]
    whole = {repr(event) for event in await read(wire, [b"".join(frames)]) if isinstance(event, ItemDone)}
    for garbage in (b"data: \xff\xfe\x00\n\n", b"data: {broken\n\n", b"data: [1,2\n\n", b'data: "text"\n\n'):
        for number in range(len(frames)):
            try:
                events = await read(wire, [*frames[:number], garbage, *frames[number + 1 :]])
            except ModelError:
                continue
            assert {repr(event) for event in events if isinstance(event, ItemDone)} == whole


async def test_nothing_after_the_end_of_an_answer_is_read_as_part_of_it() -> None:
    raw = b"".join(WIRES["responses"])
    assert await read("responses", [raw + b"data: {broken\n\n"]) == await read("responses", [raw])


async def test_an_event_without_end_is_refused_before_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from codex_kernel.model.sse import SseSplitter

    monkeypatch.setattr(client_module, "SseSplitter", lambda: SseSplitter(max_event_bytes=100_000))
    with pytest.raises(ModelError, match="one event of more than"):
        await read("responses", [b"data: " + b"x" * 50_000] * 4)


async def test_the_connection_is_dropped_when_the_caller_stops_in_the_middle() -> None:
    body = Body(WIRES["responses"])
    client = make(lambda _: httpx.Response(200, headers=HEADERS, stream=body))
    stream = client.stream(PROMPT)
    await anext(stream)
    await stream.aclose()
    assert body.closed
    await client.aclose()


class Silent(httpx.AsyncByteStream):
    """Sends its pieces, then nothing more, and does not end."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces
        self.waiting = asyncio.Event()
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        self.waiting.set()
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        self.closed = True


async def test_cancelling_drops_the_connection_at_once() -> None:
    body = Silent(WIRES["responses"][:2])
    client = make(lambda _: httpx.Response(200, headers=HEADERS, stream=body))

    async def consume() -> None:
        async for _ in client.stream(PROMPT):
            pass

    task = asyncio.create_task(consume())
    await asyncio.wait_for(body.waiting.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert body.closed
    await client.aclose()


async def test_an_answer_is_complete_although_its_stream_stays_open() -> None:
    body = Silent(WIRES["responses"])
    client = make(lambda _: httpx.Response(200, headers=HEADERS, stream=body))
    events = await asyncio.wait_for(collect(client), 5)
    assert isinstance(events[-1], Completed)
    assert body.closed


async def test_token_counts_that_never_come_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "SETTLED_WAIT_S", 0.01)
    frames = WIRES["chat"]
    finished = next(number for number, frame in enumerate(frames) if b'"finish_reason":"' in frame) + 1
    body = Silent(frames[:finished])
    client = make(lambda _: httpx.Response(200, headers=HEADERS, stream=body), chat=True)
    events = await asyncio.wait_for(collect(client), 5)
    assert isinstance(events[-1], Completed)
