"""Names that people give to threads, in upstream's own file, so that both sides see them.

`session_index.jsonl` grows by one line per naming; a thread's last line counts. Source: files written by 0.169.0.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

import msgspec

from codex_protocol.errors import RolloutError, UsageError
from codex_store.rollout_lines import UNREADABLE, encode_payload, now_stamp

_FILE = "session_index.jsonl"
_MAX_CHARS = 200


class _Naming(msgspec.Struct, frozen=True):
    id: str
    thread_name: str
    updated_at: str = ""


@functools.cache
def _naming() -> msgspec.json.Decoder[_Naming]:
    return msgspec.json.Decoder(_Naming)


def thread_names(home: Path) -> dict[str, str]:
    """The name of every named thread by its id; `home` is a home's root. A file that cannot be read names nothing."""
    try:
        with (home / _FILE).open("rb") as file:
            lines = file.read().split(b"\n")
    except OSError:
        return {}
    names: dict[str, str] = {}
    for line in lines:
        try:
            entry = _naming().decode(line)
        except UNREADABLE:
            continue
        names[entry.id.lower()] = entry.thread_name.strip()
    return {thread_id: name for thread_id, name in names.items() if name}


def thread_name(home: Path, thread_id: str) -> str | None:
    """The name of one thread."""
    return thread_names(home).get(thread_id.lower())


def clean_name(name: str) -> str:
    """A name as it is kept: one line, no blanks around it.

    Raises:
        UsageError: Nothing is left, or it is too long.
    """
    cleaned = " ".join("".join(char if char.isprintable() else " " for char in name).split())
    if not cleaned:
        raise UsageError("A thread's name cannot be empty.")
    if len(cleaned) > _MAX_CHARS:
        raise UsageError(f"A thread's name can have at most {_MAX_CHARS} characters.")
    return cleaned


def record_name(home: Path, thread_id: str, name: str) -> None:
    """Name a thread; `""` takes its name away.

    Raises:
        RolloutError: The file cannot be written.
    """
    import fcntl

    entry = _Naming(id=thread_id, thread_name=name, updated_at=now_stamp().decode())
    path = home / _FILE
    try:
        lock = os.open(home / f"{_FILE}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, _separator(fd) + encode_payload(entry) + b"\n")
                os.fsync(fd)
            finally:
                os.close(fd)
        finally:
            os.close(lock)
    except OSError as error:
        raise RolloutError(f"The name cannot be saved in {path}: {error.strerror or error}.") from error


def _separator(fd: int) -> bytes:
    """A line end when the last writer left none."""
    size = os.fstat(fd).st_size
    return b"\n" if size and os.pread(fd, 1, size - 1) != b"\n" else b""
