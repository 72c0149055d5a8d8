"""Encoded history items, kept from one request to the next: a request costs only its new items.

Every request carries the whole history, so that encoding it afresh would cost more with each turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from codex_protocol.items import Item

E = TypeVar("E")


class EncodedItems(Generic[E]):
    """What an encoder made of items, by the items' identity: they are immutable and live as long as the history."""

    def __init__(self, encode: Callable[[Item], E]) -> None:
        self._encode = encode
        self._kept: dict[int, tuple[Item, E]] = {}

    def of(self, items: Iterable[Item]) -> list[E]:
        """The encoded form of each item, in order; items that left the history are forgotten."""
        kept, encode = self._kept, self._encode
        pieces: list[E] = []
        for item in items:
            entry = kept.get(id(item))
            if entry is None or entry[0] is not item:
                entry = kept[id(item)] = (item, encode(item))
            pieces.append(entry[1])
        if len(kept) > 2 * len(pieces) + 64:  # compacted or rolled back
            self._kept = {id(item): kept[id(item)] for item in items}
        return pieces
