"""What a client has been told, in order and once: gaps are noticed, what came early waits, repetitions are dropped.

No I/O: who owns the sockets feeds messages in, and asks for a replay when this says so.
"""

from __future__ import annotations

from typing import Any

from codex_protocol.attach import Attached, Position, Snapshot, position_of

Content = dict[str, Any]
"""An event as `event_content` makes it."""

_MAX_EARLY = 50_000
_MAX_PAST = 64


class EventOrder:
    """The stream of one client. Before the first `Attached` it waits for one."""

    def __init__(self) -> None:
        """Nothing has been seen."""
        self.position: Position | None = None
        """Of the last event handed out."""
        self.waiting = True
        """Whether an `Attached` is needed before anything more can be handed out."""
        self._early: list[Content] = []
        self._past: list[str] = []
        """Boots that are over; what is left of them on the way says nothing any more."""

    def take_event(self, content: Content) -> list[Content]:
        """Take in an event from iopub; those that can be handed out now.

        Raises:
            UsageError: The content is no event.
        """
        at = position_of(content)
        if at.boot in self._past:
            return []
        if self.waiting or self.position is None:
            self._keep(content)
            return []
        if at.boot == self.position.boot:
            if at.n <= self.position.n:
                return []
            if at.n == self.position.n + 1:
                self.position = at
                return [content]
        self.waiting = True
        self._keep(content)
        return []

    def take_attached(self, attached: Attached) -> list[Content | Snapshot]:
        """Take in the answer to an attachment or a replay; what can be handed out now, a snapshot first."""
        out: list[Content | Snapshot] = []
        before = self.position
        if attached.snapshot is not None:
            out.append(attached.snapshot)
        else:
            seen = before.n if before is not None and before.boot == attached.boot else 0
            out += [content for content in attached.replay if position_of(content).n > seen]
        if before is not None and before.boot != attached.boot:
            self._past = [*self._past, before.boot][-_MAX_PAST:]
        if attached.boot in self._past:  # a thread that was left and is open again in the same process
            self._past.remove(attached.boot)
        last = attached.last
        if attached.snapshot is None and before is not None and before.boot == attached.boot:
            last = max(last, before.n)
        self.position = Position(attached.boot, last)
        self.waiting = False
        early, self._early = self._early, []
        for content in early:
            out += self.take_event(content)
        return out

    def ask_again(self) -> None:
        """From here on an `Attached` is needed: the way to the kernel was interrupted."""
        self.waiting = True

    def give_up(self) -> list[Content]:
        """Nobody can be asked any more: what came early and follows on what was handed out."""
        early, self._early = self._early, []
        out: list[Content] = []
        for content in early:
            at = position_of(content)
            if self.position is not None and at == Position(self.position.boot, self.position.n + 1):
                self.position = at
                out.append(content)
        return out

    def _keep(self, content: Content) -> None:
        # What is over the limit is asked for again: its successor shows the gap.
        if len(self._early) < _MAX_EARLY:
            self._early.append(content)
