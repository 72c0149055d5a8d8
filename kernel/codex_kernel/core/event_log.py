"""The numbered stream of a thread's events: told to every listener in order, replayed to who missed some.

Deltas are kept only until the event that says the whole: memory does not grow with what streamed by.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable

from codex_protocol.events import (
    AgentMessage,
    AgentMessageDelta,
    AgentReasoning,
    AgentReasoningDelta,
    AgentReasoningRawContent,
    AgentReasoningRawContentDelta,
    Event,
    EventMsg,
    ExecCommandEnd,
    ExecCommandOutputDelta,
    NumberedEvent,
    TurnDiff,
)

log = logging.getLogger(__name__)

Listener = Callable[[NumberedEvent], None]

RETAINED_EVENTS = 20_000
"""Whole events kept for replay; who missed more needs a snapshot."""
RETAINED_CHARACTERS = 32 * 1024 * 1024
"""Of output and diffs in those events: past it the oldest events go, however few there are."""

_WHOLE_OF: dict[type, type] = {
    AgentMessage: AgentMessageDelta,
    AgentReasoning: AgentReasoningDelta,
    AgentReasoningRawContent: AgentReasoningRawContentDelta,
}
_DELTAS = (
    AgentMessageDelta,
    AgentReasoningDelta,
    AgentReasoningRawContentDelta,
    ExecCommandOutputDelta,
)


def _characters(msg: EventMsg) -> int:
    """How much text an event of a kind that may be large holds; 0 for any other."""
    match msg:
        case ExecCommandEnd():
            return len(msg.stdout) + len(msg.stderr) + len(msg.aggregated_output) + len(msg.formatted_output)
        case ExecCommandOutputDelta():
            return len(msg.chunk)
        case TurnDiff():
            return len(msg.unified_diff)
        case AgentMessage():
            return len(msg.message)
        case _:
            return 0


class EventLog:
    """Numbers events, keeps what a late listener needs, and calls listeners at once."""

    def __init__(self, *, retain: bool = True) -> None:
        """A new stream.

        Args:
            retain: Keep events for listeners that come late; False keeps them only until the first listener.
        """
        self.boot = os.urandom(8).hex()
        """Another value means another agent process: numbers start anew."""
        self.last = 0
        """Number of the newest event; the first is 1."""
        self._retain = True
        self._passing = not retain
        """Events are kept only for the first listener."""
        self._kept: dict[int, NumberedEvent] = {}
        self._deltas: dict[object, deque[int]] = {}
        """Numbers of the kept deltas, by what they are pieces of."""
        self._heavy: dict[int, int] = {}
        """Characters of the kept events that may be large, by number."""
        self._characters = 0
        self._listeners: list[Listener] = []
        self._lost_before = 0
        """Of this number and the ones before it some were dropped that are needed for replay."""
        self._oldest = 1
        """No kept event has a smaller number."""

    def emit(self, submission_id: str, msg: EventMsg) -> NumberedEvent:
        """Number an event, keep it for replay and tell every listener."""
        self.last += 1
        numbered = NumberedEvent(self.boot, self.last, Event(submission_id, msg))
        if self._retain:
            self._keep(numbered, msg)
        for listener in tuple(self._listeners):
            try:
                listener(numbered)
            except Exception:  # one listener's fault is not the agent's, nor the other listeners'
                log.exception("a listener failed and is told no more")
                self._listeners.remove(listener)
        return numbered

    def _keep(self, numbered: NumberedEvent, msg: EventMsg) -> None:
        if isinstance(msg, _DELTAS):
            key = msg.call_id if isinstance(msg, ExecCommandOutputDelta) else type(msg)
            numbers = self._deltas.setdefault(key, deque())
            numbers.append(numbered.n)
            while numbers[0] <= self._lost_before:
                numbers.popleft()
        else:
            key = msg.call_id if isinstance(msg, ExecCommandEnd) else _WHOLE_OF.get(type(msg))
            if key is not None:
                for n in self._deltas.pop(key, ()):
                    self._drop(n)
        self._kept[numbered.n] = numbered
        if characters := _characters(msg):
            self._heavy[numbered.n] = characters
            self._characters += characters
        while len(self._kept) > RETAINED_EVENTS or (self._characters > RETAINED_CHARACTERS and len(self._kept) > 1):
            while self._oldest not in self._kept:
                self._oldest += 1
            self._drop(self._oldest)
            self._lost_before = self._oldest

    def _drop(self, n: int) -> None:
        self._kept.pop(n, None)
        self._characters -= self._heavy.pop(n, 0)

    def can_replay(self, since: tuple[str, int] | None) -> bool:
        """Whether a listener at `since` can be brought up to date by replay alone; None asks from the start."""
        boot, n = since or (self.boot, 0)
        return boot == self.boot and n >= self._lost_before

    def subscribe(self, listener: Listener, since: tuple[str, int] | None = None) -> Callable[[], None]:
        """Call `listener` with what came after `since`, then with every event as it happens.

        Args:
            listener: Called synchronously, in order; must not block. One that raises is told no more.
            since: `(boot, n)` of the last event seen; None: everything that is kept.

        Returns:
            Call it to stop listening.
        """
        boot, seen = since or (self.boot, 0)
        if boot != self.boot:
            seen = 0
        for n, numbered in list(self._kept.items()):
            if n > seen:
                listener(numbered)
        self._listeners.append(listener)
        if self._passing:
            self._passing = self._retain = False
            self._kept.clear()
            self._deltas.clear()
            self._heavy.clear()
            self._characters = 0

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    async def events(self, since: tuple[str, int] | None = None) -> AsyncGenerator[NumberedEvent, None]:
        """Every event after `since` as it happens; never ends by itself. A slow reader holds nobody back."""
        waiting: list[NumberedEvent] = []
        there = asyncio.Event()

        def take(numbered: NumberedEvent) -> None:
            waiting.append(numbered)
            there.set()

        unsubscribe = self.subscribe(take, since)
        try:
            while True:
                await there.wait()
                there.clear()
                batch, waiting[:] = waiting[:], []
                for numbered in batch:
                    yield numbered
        finally:
            unsubscribe()
