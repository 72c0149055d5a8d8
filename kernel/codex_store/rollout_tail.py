"""The end of a rollout, read backwards: where its last whole line ends, and the last lines without reading the rest."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator

import msgspec

from codex_store.rollout_lines import UNREADABLE, Line

_CHUNK = 1 << 16


@functools.cache
def _line() -> msgspec.json.Decoder[Line]:
    return msgspec.json.Decoder(Line)


def lines_backwards(fd: int, end: int, max_bytes: int | None = None) -> Iterator[tuple[int, bytes]]:
    """The lines before byte `end`, last first, each with the offset it begins at and without its line end.

    Args:
        fd: An open file.
        end: Where to begin.
        max_bytes: How much is read at most; a line that begins before is left out. None: all of it.
    """
    start = end
    stop = 0 if max_bytes is None else max(0, end - max_bytes)
    rest: list[bytes] = []  # pieces of a line whose beginning is not read yet, last piece first
    while start > stop:
        size = min(_CHUNK, start - stop)
        start -= size
        chunk = os.pread(fd, size, start)
        *earlier, last = chunk.split(b"\n") if b"\n" in chunk else (chunk,)
        if not earlier:
            rest.append(last)
            continue
        at = start + size - len(last)
        yield at, b"".join([last, *reversed(rest)])
        for line in reversed(earlier[1:]):
            at -= len(line) + 1
            yield at, line
        rest = [earlier[0]]
    if start == 0 and rest:
        yield 0, b"".join(reversed(rest))


def whole_end(fd: int, size: int) -> tuple[int, bool]:
    """Where the last whole line ends, and whether its line end is missing.

    A last line without a line end is whole when it can be read.
    """
    if size == 0 or os.pread(fd, 1, size - 1) == b"\n":
        return size, False
    at, last = next(lines_backwards(fd, size))
    try:
        _line().decode(last)
    except UNREADABLE:
        return at, False
    return size, True


def last_ordinal(fd: int, size: int) -> int | None:
    """The highest number among the last lines of a file that numbers them: the last line that has one tells."""
    for _, raw in lines_backwards(fd, size):
        try:
            ordinal = _line().decode(raw).ordinal
        except UNREADABLE:
            continue
        if ordinal is not None:
            return ordinal
    return None
