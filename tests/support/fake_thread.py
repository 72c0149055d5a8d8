"""A thread that reports what a test tells it to, with the interface that front ends drive."""

from __future__ import annotations

from collections.abc import Callable

from codex_protocol.errors import ThreadError
from codex_protocol.events import Event, EventMsg, NumberedEvent, SessionConfigured
from codex_protocol.ops import Op


class FakeThread:
    """Keeps what was submitted; `tell` reports an event. `on_submit` may react."""

    def __init__(self, on_submit: Callable[[FakeThread, str, Op], None] | None = None) -> None:
        self.submitted: list[tuple[str, Op]] = []
        self.busy = False
        self.ended = False
        self.closed = False
        self._listeners: list[Callable[[NumberedEvent], None]] = []
        self._kept: list[NumberedEvent] = []
        self._on_submit = on_submit
        self.tell("", SessionConfigured(session_id="T", model="m"))

    @property
    def ops(self) -> list[Op]:
        """What was submitted, without ids."""
        return [op for _, op in self.submitted]

    def submit(self, op: Op, id: str | None = None) -> str:
        """Keep the op and let the test react."""
        if self.ended:
            raise ThreadError("the thread has ended")
        name = id if id is not None else str(len(self.submitted))
        self.submitted.append((name, op))
        if self._on_submit is not None:
            self._on_submit(self, name, op)
        return name

    def subscribe(self, listener: Callable[[NumberedEvent], None]) -> Callable[[], None]:
        """Replay, then every event."""
        for numbered in self._kept:
            listener(numbered)
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def tell(self, id: str, msg: EventMsg) -> None:
        """Report an event."""
        numbered = NumberedEvent("boot", len(self._kept) + 1, Event(id, msg))
        self._kept.append(numbered)
        for listener in tuple(self._listeners):
            listener(numbered)

    async def aclose(self) -> None:
        """Remember that it was closed."""
        self.closed = True
