"""One thread as the page shows it: events become entries, and what changed leaves as numbered batches of patches.

No I/O, no clock and no browser in here. `flush` is called some thirty times a second while `dirty` is set; every viewer
gets the same batches. Whoever missed some asks with `since`, and takes a `snapshot` when they are gone.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from codex_app.drawing import Drawing
from codex_app.entries import Entry
from codex_protocol.attach import Snapshot
from codex_protocol.events import NumberedEvent

Json = dict[str, Any]
PAGE = 80
"""Entries in a snapshot, and in one step towards the past."""
_RING_BYTES = 2 << 20


class Batch(NamedTuple):
    """Patches that belong together, encoded once for all viewers."""

    number: int
    data: bytes


class Hub:
    """What viewers of one thread are told."""

    def __init__(self, on_dirty: Callable[[], None] = lambda: None) -> None:
        """Hold nothing yet; `on_dirty` is called when there is something to `flush` after there was not."""
        self.boot = secrets.token_hex(6)
        """Numbers of another boot mean nothing here."""
        self.number = 0
        self.dirty = False
        self._on_dirty = on_dirty
        self._ring: deque[Batch] = deque()
        self._ring_bytes = 0
        self._reset = False
        self.drawing = Drawing()

    def apply(self, told: NumberedEvent | Snapshot) -> None:
        """Take in what the thread reports; a snapshot takes the place of everything before."""
        if isinstance(told, Snapshot):
            self.drawing = Drawing.of(told)
            self._reset = True
        else:
            self.drawing.draw(told.event)
        self._mark()

    def say(self, **state: Any) -> None:
        """Change what the head shows from the server's side, as `connected`."""
        self.drawing.state.update(state)
        self.drawing.state_changed = True
        self._mark()

    def flush(self) -> Batch | None:
        """What changed since the last call; None for nothing."""
        self.dirty = False
        if self._reset:
            self._reset = False
            self._settle()
            self._ring.clear()
            self._ring_bytes = 0
            return self._number([{"op": "reset", **self._whole()}])
        patches = list(self._patches())
        return self._number(patches) if patches else None

    def since(self, boot: str, number: int) -> list[Batch] | None:
        """The batches after that one; None when only a snapshot helps."""
        if boot != self.boot or number > self.number:
            return None
        if number == self.number:
            return []
        if not self._ring or self._ring[0].number > number + 1:
            return None
        return [batch for batch in self._ring if batch.number > number]

    def snapshot(self) -> Json:
        """The thread as viewers have it after the last batch, its newest entries alone."""
        return {"op": "reset", **self._whole()}

    def older(self, before: str) -> Json:
        """The entries that stand before one."""
        ids = list(self.drawing.entries)
        at = ids.index(before) if before in self.drawing.entries else 0
        return {"items": self._views(ids[max(0, at - PAGE) : at]), "more": at > PAGE}

    def said(self, begins: str, again: int) -> int | None:
        """The number of a message of the user's.

        Args:
            begins: How it begins.
            again: How many later ones begin so too.
        """
        for entry in reversed(self.drawing.entries.values()):
            if entry.fields.get("number") is not None and entry.fields["text"].startswith(begins):
                if not again:
                    return entry.fields["number"]
                again -= 1
        return None

    def _whole(self) -> Json:
        ids = list(self.drawing.entries)
        return {
            "items": self._views(ids[-PAGE:]),
            "more": len(ids) > PAGE,
            "state": self.drawing.state,
            "asks": list(self.drawing.asks.values()),
            "answered": self.drawing.answered,
        }

    def _views(self, ids: list[str]) -> list[list[Any]]:
        return [[id, self.drawing.entries[id].view()] for id in ids]

    def _patches(self) -> list[Json]:
        drawing = self.drawing
        patches: list[Json] = [{"op": "remove", "id": id} for id in drawing.removed]
        for id in drawing.touched:
            entry = drawing.entries.get(id)
            if entry is not None:
                patches += _patch(id, entry)
        drawing.touched.clear()
        drawing.removed.clear()
        if drawing.state_changed:
            patches.append({"op": "state", "state": drawing.state})
        if drawing.asks_changed:
            patches.append({"op": "asks", "asks": list(drawing.asks.values()), "answered": drawing.answered})
        drawing.state_changed = drawing.asks_changed = False
        return patches

    def _settle(self) -> None:
        """Count everything as told."""
        for entry in self.drawing.entries.values():
            entry.growth()
            entry.whole = False
            entry.told = True
        self._patches()

    def _number(self, patches: list[Json]) -> Batch:
        self.number += 1
        batch = Batch(
            self.number, msgspec.json.encode({"type": "batch", "boot": self.boot, "n": self.number, "patches": patches})
        )
        self._ring.append(batch)
        self._ring_bytes += len(batch.data)
        while self._ring_bytes > _RING_BYTES and len(self._ring) > 1:
            self._ring_bytes -= len(self._ring.popleft().data)
        return batch

    def _mark(self) -> None:
        if not self.dirty:
            self.dirty = True
            self._on_dirty()


def _patch(id: str, entry: Entry) -> list[Json]:
    growth = entry.growth()
    if entry.whole:
        fresh = {} if entry.told else {"fresh": True}
        entry.whole, entry.told = False, True
        return [{"op": "put", "id": id, "item": entry.view(), **fresh}]
    return [{"op": "grow", "id": id, **growth}] if growth is not None else []
