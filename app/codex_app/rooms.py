"""One open thread: the connection to its kernel, the hub that draws it, and the viewers who are told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from codex_app.hub import Batch, Hub
from codex_client.connection import Connection
from codex_client.errors import KernelLost
from codex_protocol.attach import Snapshot
from codex_protocol.errors import ThreadError
from codex_protocol.events import Error, Event, EventMsg, NumberedEvent
from codex_protocol.ops import Op

log = logging.getLogger(__name__)

Told = TypeVar("Told", bound=EventMsg)
FRAME_S = 1 / 30
_ANSWER_S = 20.0
_IN_TURN = frozenset({"changes", "diff", "lines_around"})
"""Asked by several tabs and for several things: a newer one does not take the place of one that runs."""
_IN_FLIGHT_BYTES = 1 << 20
"""A viewer that has not acknowledged so much is told nothing more until it has."""


class Socket(Protocol):
    """The way to one browser tab."""

    def tell(self, data: bytes | dict[str, Any]) -> None:
        """Send it; never blocks."""
        ...


class Viewer:
    """A tab that shows a thread: what it was sent, what it has drawn."""

    def __init__(self, socket: Socket, room: Room) -> None:
        self.socket = socket
        self.room = room
        self.sent = 0
        self._in_flight: dict[int, int] = {}

    def begin(self, boot: str, number: int) -> None:
        """Bring it up to date: the batches it missed, or a snapshot."""
        hub = self.room.hub
        missed = hub.since(boot, number)
        if missed is None:
            told = {"type": "batch", "boot": hub.boot, "n": hub.number, "patches": [hub.snapshot()]}
            self.sent = hub.number
            self._in_flight.clear()
            self.socket.tell(told)
            return
        self.sent = number
        for batch in missed:
            self.take(batch)

    def take(self, batch: Batch) -> None:
        """Send a batch, unless the tab is behind."""
        if batch.number != self.sent + 1 or sum(self._in_flight.values()) > _IN_FLIGHT_BYTES:
            return
        self.sent = batch.number
        self._in_flight[batch.number] = len(batch.data)
        self.socket.tell(batch.data)

    def acknowledge(self, number: int) -> None:
        """It has drawn all up to `number`; what was held back follows."""
        for sent in [sent for sent in self._in_flight if sent <= number]:
            del self._in_flight[sent]
        if self.sent < self.room.hub.number and not self._in_flight:
            self.begin(self.room.hub.boot, self.sent)


class Room:
    """A thread that somebody looked at since the server began.

    Args:
        connect: A connection to the thread's kernel, which is started when there is none; attaches nothing yet.
    """

    def __init__(self, connect: Callable[[Room], Awaitable[Connection]]) -> None:
        self.hub = Hub(self._schedule)
        self.viewers: set[Viewer] = set()
        self.watchers: set[Callable[[], None]] = set()
        """Called when something changed, at most thirty times a second; must not block."""
        self.thread_id = ""
        self.on_news: Callable[[], None] = lambda: None
        """Called when it began or ended to work or to wait for a person."""
        self._standing = (0, False)
        self._connect = connect
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()
        self._asking = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_left(self) -> bool:
        """Nobody looks, and the kernel has ended: the thread can be opened again from disk as well."""
        return self._connection is None and not self.viewers and not self.watchers and not self._lock.locked()

    async def connection(self) -> Connection:
        """The connection, made anew when the kernel was lost.

        Raises:
            CodexError: There is no kernel and none can be started.
        """
        async with self._lock:
            if self._connection is None:
                self._connection = await self._connect(self)
                self.thread_id = self._connection.thread_id
                self.hub.say(connected=True)
            return self._connection

    def listen_to(self, connection: Connection) -> None:
        """Draw what the thread reports; before it is attached to."""
        connection.listen(self.hub.apply, self._lost)

    async def submit(self, op: Op) -> None:
        """Hand an op to the thread.

        Raises:
            CodexError: The thread does not take it.
        """
        await (await self.connection()).submit(op)

    async def query(self, name: str, /, **arguments: Any) -> Any:
        """A question beside the thread.

        Raises:
            CodexError: It cannot be answered.
        """
        connection = await self.connection()
        if name not in _IN_TURN:
            return await connection.query(name, arguments)
        async with self._asking:
            return await connection.query(name, arguments)

    async def ask(self, op: Op, kind: type[Told]) -> Told:
        """The event of `kind` that answers an op.

        Raises:
            CodexError: The thread does not take the op, or says why it cannot answer.
        """
        connection = await self.connection()
        heard: list[Event] = []
        news = asyncio.Event()

        def listen(told: NumberedEvent | Snapshot) -> None:
            if isinstance(told, NumberedEvent) and isinstance(told.event.msg, kind | Error):
                heard.append(told.event)
                news.set()

        end = connection.listen(listen)
        try:
            id = await connection.submit(op)
            async with asyncio.timeout(_ANSWER_S):
                while True:
                    for event in heard:
                        if event.id == id and isinstance(event.msg, kind):
                            return event.msg
                        if event.id == id and isinstance(event.msg, Error):
                            raise ThreadError(event.msg.message)
                    news.clear()
                    await news.wait()
        except TimeoutError:
            raise ThreadError("the agent did not answer in time; try again") from None
        finally:
            end()

    async def reopen(self) -> None:
        """Open the thread again, so that changed settings count; one in which nothing was said becomes another.

        Raises:
            CodexError: It is at work, or cannot be opened.
        """
        connection = await self.connection()
        drawing = self.hub.drawing
        if drawing.state.get("busy"):
            raise ThreadError("a turn runs; this counts when the thread is opened the next time")
        said = any(entry.fields["kind"] == "user" for entry in drawing.entries.values())
        await connection.new_thread(resume=self.thread_id if said else None)
        self.thread_id = connection.thread_id

    async def aclose(self) -> None:
        """Look no more; the thread and its kernel go on."""
        if self._timer is not None:
            self._timer.cancel()
        if self._connection is not None:
            await self._connection.aclose()

    def _lost(self, error: KernelLost) -> None:
        log.warning("%s", error)
        self._connection = None
        self.hub.say(connected=False, busy=False)

    def _schedule(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FRAME_S, self._flush)

    def _flush(self) -> None:
        self._timer = None
        drawing = self.hub.drawing
        standing = (len(drawing.asks), bool(drawing.state.get("busy")))
        if standing != self._standing:
            self._standing = standing
            self.on_news()
        batch = self.hub.flush()
        if batch is None:
            return
        for viewer in tuple(self.viewers):
            viewer.take(batch)
        for watcher in tuple(self.watchers):
            watcher()


def need(room: Room | None) -> Room:
    """The room a tab is in.

    Raises:
        ThreadError: It has not said hello.
    """
    if room is None:
        raise ThreadError("no thread is open in this tab; reload the page")
    return room
