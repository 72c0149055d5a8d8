"""What of a rollout a search index has taken in, and the texts that came since."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path

import msgspec

from codex_store.item_lines import decode_item
from codex_store.item_texts import texts
from codex_store.rollout_lines import UNREADABLE, Line, Typed
from codex_store.rollout_paths import COMPRESSED
from codex_store.rollout_segments import first_meta, open_rollout

MAX_TEXT_CHARS = 100_000
"""Of one entry; what a longer output says after that is not found."""
_CHECK_BYTES = 256
_line = msgspec.json.Decoder(Line)
_typed = msgspec.json.Decoder(Typed)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How far a file was read, and how to tell that it was only added to."""

    size: int
    mtime_ns: int
    inode: int
    offset: int
    """Behind the last whole line that was read."""
    check: str
    """Digest of the bytes before `offset`."""
    turn: int = 0
    marked: bool = False
    """Whether the file says when turns begin."""


class Entry(msgspec.Struct, frozen=True):
    """A text to find."""

    text: str
    turn: int
    kind: str
    at_ms: int | None


class Stored:
    """A state, compared with the file."""

    def __init__(self, state: State) -> None:
        self.state = state

    def unchanged(self, path: Path) -> bool:
        """Whether the file is as it was read.

        Raises:
            OSError: It cannot be looked at.
        """
        found = path.stat()
        state = self.state
        return (found.st_size, found.st_mtime_ns, found.st_ino) == (state.size, state.mtime_ns, state.inode)


def read_entries(path: Path, state: State | None) -> tuple[list[Entry], State, bool]:
    """The texts that came since `state`, the new state, and whether the file had to be read from its beginning.

    Raises:
        OSError: The file cannot be looked at.
        RolloutError: It cannot be read.
    """
    meta = first_meta(path)
    copied_before = _ms(meta.timestamp) if meta is not None and meta.forked_from_id else None
    found = path.stat()
    entries: list[Entry] = []
    with open_rollout(path) as file:
        fd = None if path.name.endswith(COMPRESSED) else file.fileno()
        anew = state is None or fd is None or not _only_added_to(fd, found, state)
        start = 0 if anew or state is None else state.offset
        turn, marked = (0, False) if anew or state is None else (state.turn, state.marked)
        file.seek(start)
        offset = start
        for raw in file:
            if not raw.endswith(b"\n"):
                break  # being written
            offset += len(raw)
            try:
                line = _line.decode(raw)
                at_ms = _ms(line.timestamp)
                new = _entries(line, raw)
            except UNREADABLE:
                continue
            if new is None:
                marked = True
                turn += 1
                continue
            if not marked and any(kind == "prompt" for kind, _ in new):
                turn += 1
            if copied_before is None or at_ms is None or at_ms >= copied_before:
                entries += [Entry(text[:MAX_TEXT_CHARS], turn, kind, at_ms) for kind, text in new]
        check = "" if fd is None else _digest(fd, offset)
    fresh = State(
        size=found.st_size,
        mtime_ns=found.st_mtime_ns,
        inode=found.st_ino,
        offset=offset,
        check=check,
        turn=turn,
        marked=marked,
    )
    return entries, fresh, anew


def _entries(line: Line, raw: bytes) -> list[tuple[str, str]] | None:
    """The texts of a line; None for one that begins a turn."""
    if line.type == "event_msg" and line.payload:
        return None if _typed.decode(line.payload).type in ("task_started", "turn_started") else []
    if line.type == "response_item" and line.payload:
        return list(texts(decode_item(line.payload)[0]))
    if line.type and not line.payload and line.record_type is None:
        return list(texts(decode_item(raw)[0]))
    return []


def _only_added_to(fd: int, found: os.stat_result, state: State) -> bool:
    return found.st_ino == state.inode and found.st_size >= state.offset and _digest(fd, state.offset) == state.check


def _digest(fd: int, offset: int) -> str:
    start = max(0, offset - _CHECK_BYTES)
    return hashlib.sha256(os.pread(fd, offset - start, start)).hexdigest()


def _ms(stamp: str) -> int | None:
    try:
        return round(datetime.fromisoformat(stamp).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
