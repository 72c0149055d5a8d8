"""The model client: thin I/O between a wire's two pure functions, a prompt's body and an answer's events."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from codex_kernel.model.exchange import HttpAnswer, HttpFault, Silence
from codex_kernel.model.interface import Prompt, ResponseEvent, Retrying
from codex_kernel.model.sse import SseSplitter
from codex_protocol.errors import StreamClosed

if TYPE_CHECKING:
    from codex_kernel.model.sending import Sender

SETTLED_WAIT_S = 5.0
"""How long remarks (token counts, the end mark) are waited for once the answer itself is whole."""
DRAIN_S = 2.0
"""How long the end of a finished stream is waited for in the background, so that its connection can serve again."""


class Reader(Protocol):
    """Reads one answer, an event's data at a time."""

    @property
    def done(self) -> bool:
        """The answer is whole and nothing follows."""
        ...

    @property
    def settled(self) -> bool:
        """The answer is whole, but remarks may follow."""
        ...

    def feed(self, data: bytes) -> Sequence[ResponseEvent]:
        """The events in one event's data.

        Raises:
            ModelError: The provider reports a failure, or the data cannot be read.
        """
        ...

    def finish(self) -> Iterator[ResponseEvent]:
        """What remains to be said; `Completed` is last.

        Raises:
            ModelError: The answer is not whole.
        """
        ...


class Wire(Protocol):
    """How one API is spoken."""

    path: str
    """Below the provider's base URL."""

    def encode(self, prompt: Prompt) -> bytes:
        """The request's body."""
        ...

    def reader(self, prompt: Prompt) -> Reader:
        """A reader for the answer."""
        ...


class HttpModelClient:
    """A `ModelClient` over HTTP."""

    def __init__(self, wire: Wire, sender: Sender, *, stream_max_retries: int) -> None:
        self.stream_max_retries = stream_max_retries
        self._wire = wire
        self._sender = sender
        self._draining: dict[asyncio.Task[None], HttpAnswer] = {}

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ResponseEvent, None]:
        """See `ModelClient.stream`."""
        response: HttpAnswer | None = None
        async with contextlib.aclosing(self._sender.open(self._wire.path, self._wire.encode(prompt))) as steps:
            async for step in steps:
                if isinstance(step, Retrying):
                    yield step
                else:
                    response = step
        if response is None:
            raise StreamClosed("The request ended without an answer.")
        reader, splitter, heard = self._wire.reader(prompt), SseSplitter(), False
        try:  # one loop, no helper generator: every generator on the way costs each delta a third of a microsecond
            while not reader.done:
                piece = await _next(response, reader)
                found = splitter.close() if piece is None else splitter.feed(piece)
                heard = heard or bool(found)
                for data in found:
                    for event in reader.feed(data):
                        yield event
                    if reader.done:
                        break
                if piece is None:
                    break
            if not heard:
                raise StreamClosed("The provider's answer held no event of a stream; check its base_url and wire_api.")
            for event in reader.finish():
                yield event
        finally:
            if reader.done:
                self._drain(response)
            else:
                await response.aclose()

    async def aclose(self) -> None:
        """Close connections."""
        draining = dict(self._draining)
        for task in draining:
            task.cancel()
        await asyncio.gather(*draining, return_exceptions=True)
        for response in draining.values():  # a task cancelled before its first step has closed nothing
            await response.aclose()
        await self._sender.aclose()

    def _drain(self, response: HttpAnswer) -> None:
        task = asyncio.create_task(_read_to_end(response))
        self._draining[task] = response
        task.add_done_callback(self._draining.pop)


async def _next(response: HttpAnswer, reader: Reader) -> bytes | None:
    """The next bytes of the answer; None at their end, or when a settled answer's remarks do not come."""
    try:
        if not reader.settled:
            return await response.read() or None
        async with asyncio.timeout(SETTLED_WAIT_S):
            return await response.read() or None
    except TimeoutError:
        return None
    except Silence:
        problem = "The provider fell silent in the middle of the response (idle time-out)."
    except HttpFault as error:
        problem = f"The connection broke in the middle of the response: {error}"
    if reader.settled:
        return None
    raise StreamClosed(problem)


async def _read_to_end(response: HttpAnswer) -> None:
    """Read a finished stream to its end, which follows at once from all but broken servers."""
    with contextlib.suppress(Exception):  # nothing of the answer depends on it
        try:
            async with asyncio.timeout(DRAIN_S):
                while await response.read():
                    pass
        finally:
            await response.aclose()
