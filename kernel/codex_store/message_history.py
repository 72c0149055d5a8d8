"""What the user typed, over all threads: `history.jsonl`, shared with upstream's programs.

Source: spec/agent-loop.md section 13. A new file is 0600; one that exists keeps its mode. The calls wait for a lock,
a second at most: keep them off an event loop.
"""

from __future__ import annotations

import errno
import os
import time

import msgspec

from codex_protocol.errors import RolloutError
from codex_store.home import Home
from codex_store.rollout_lines import UNREADABLE, encode_payload
from codex_store.rollout_paths import make_private

_ATTEMPTS = 10
_PAUSE_S = 0.1
_KEEP_SHARE = 0.8
_BLOCK = 1 << 20


class HistoryEntry(msgspec.Struct, frozen=True):
    """One thing the user typed."""

    session_id: str
    """The thread's id (the field keeps its wire name)."""
    ts: int
    """Seconds since 1970."""
    text: str


class HistoryMetadata(msgspec.Struct, frozen=True):
    """Which file there is, and how many entries it has."""

    log_id: int
    """Changes when entries were dropped from the beginning; 0 when there is no file."""
    count: int


_entry = msgspec.json.Decoder(HistoryEntry)


def append(home: Home, thread_id: str, text: str, *, max_bytes: int | None = None) -> None:
    """Add an entry; the oldest are dropped when the file grows past `max_bytes`.

    Raises:
        RolloutError: The file cannot be written, or others hold it for a second.
    """
    import fcntl

    line = encode_payload(HistoryEntry(thread_id, int(time.time()), text)) + b"\n"
    try:
        make_private(home.root)
        fd = _lock(home, os.O_RDWR | os.O_CREAT | os.O_APPEND, fcntl.LOCK_EX)
        try:
            size = os.fstat(fd).st_size
            if size and os.pread(fd, 1, size - 1) != b"\n":
                line = b"\n" + line
            _write_line(fd, line)
            if max_bytes is not None and size + len(line) > max_bytes:
                _drop_oldest(home, fd, size + len(line), max_bytes, len(line))
        finally:
            os.close(fd)
    except OSError as error:
        raise RolloutError(f"{home.history_file} cannot be written: {error.strerror or error}.") from error


def metadata(home: Home) -> HistoryMetadata:
    """The file's identity and number of entries; 0 and 0 when it cannot be read."""
    try:
        with home.history_file.open("rb") as file:
            log_id = os.fstat(file.fileno()).st_ino
            count = sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK), b""))
    except OSError:
        return HistoryMetadata(0, 0)
    return HistoryMetadata(log_id, count)


def lookup(home: Home, log_id: int, offset: int) -> HistoryEntry | None:
    """Entry number `offset`, from 0; None when there is none, or the file is not the one of `log_id` any more."""
    import fcntl

    if offset < 0:
        return None
    try:
        with open(_lock(home, os.O_RDONLY, fcntl.LOCK_SH), "rb") as file:
            if os.fstat(file.fileno()).st_ino != log_id:
                return None
            for number, line in enumerate(file):
                if number == offset:
                    return _entry.decode(line)
    except (OSError, RolloutError, *UNREADABLE):
        return None
    return None


def newest(home: Home, count: int) -> list[str]:
    """The texts of the newest entries, oldest first, each but once in a row; none when the file cannot be read."""
    try:
        with home.history_file.open("rb") as file:
            start = file.seek(0, os.SEEK_END)
            data = b""
            while start > 0 and data.count(b"\n") <= count:
                end, start = start, max(0, start - _BLOCK)
                file.seek(start)
                data = file.read(end - start) + data
    except OSError:
        return []
    texts: list[str] = []
    for line in data.splitlines()[-count:]:
        try:
            text = _entry.decode(line).text
        except UNREADABLE:
            continue
        if text and texts[-1:] != [text]:
            texts.append(text)
    return texts


def _lock(home: Home, flags: int, kind: int) -> int:
    """The file, open and held until it is closed."""
    import fcntl

    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_S)
        fd = os.open(home.history_file, flags | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
            if os.fstat(fd).st_ino == home.history_file.stat().st_ino:  # else it was replaced while we waited
                return fd
        except BlockingIOError:
            pass
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
    raise RolloutError(f"{home.history_file} is held by another program; nothing was added to it.")


def _write_line(fd: int, line: bytes) -> None:
    """All of the line, or nothing of it."""
    size = os.fstat(fd).st_size
    written = os.write(fd, line)
    if written < len(line):
        os.ftruncate(fd, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _drop_oldest(home: Home, fd: int, size: int, max_bytes: int, newest: int) -> None:
    """Put a file with the newest entries in the place of the old one; the newest one stays however long it is."""
    keep = min(size, max(int(max_bytes * _KEEP_SHARE), newest))
    kept = os.pread(fd, keep, size - keep)
    if keep < size and os.pread(fd, 1, size - keep - 1) != b"\n":
        kept = kept[kept.index(b"\n") + 1 :]
    fresh = home.history_file.with_name(f".{home.history_file.name}.new")
    out = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(out, os.fstat(fd).st_mode & 0o777)
        view = memoryview(kept)
        while view:
            view = view[os.write(out, view) :]
        os.rename(fresh, home.history_file)
    finally:
        os.close(out)
