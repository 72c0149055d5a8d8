"""The lines a thread is made of: its own file's and, for a fork of upstream's, the part of others' it goes on from."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from codex_protocol.errors import RolloutError
from codex_store.home import Home
from codex_store.rollout_lines import SESSION_META, UNREADABLE, HistoryBase, Line, ThreadMeta
from codex_store.rollout_paths import COMPRESSED, find_rollout, home_of

_MAX_FORKS = 100
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"


@functools.cache
def _line() -> msgspec.json.Decoder[Line]:
    return msgspec.json.Decoder(Line)


@functools.cache
def _meta() -> msgspec.json.Decoder[ThreadMeta]:
    return msgspec.json.Decoder(ThreadMeta)


def thread_lines(path: Path, notices: list[str]) -> Iterator[tuple[bytes, bool]]:
    """Every line of a thread in order, with its line end if it has one, and whether it stands in the thread's own file.

    Args:
        path: The thread's rollout.
        notices: Gets one sentence when the thread a fork goes on from cannot be found.

    Raises:
        RolloutError: The file cannot be read.
    """
    bases: list[tuple[Path, HistoryBase]] = []
    meta = first_meta(path)
    seen = {path}
    while meta is not None and (base := meta.history_base) is not None:
        root = home_of(path)
        found = None if root is None else find_rollout(Home(root=root), base.thread_id)
        if found is None or found in seen or len(bases) >= _MAX_FORKS:
            notices.append(
                f"The thread {base.thread_id}, which this one was forked from, cannot be found; its part is missing."
            )
            break
        seen.add(found)
        bases.append((found, base))
        meta = first_meta(found)
    for source, base in reversed(bases):
        for line in _until(source, base):
            yield line, False
    with open_rollout(path) as file:
        for line in file:
            yield line, True


def first_meta(path: Path) -> ThreadMeta | None:
    """The meta line a rollout begins with; None when its first line is none.

    Raises:
        RolloutError: The file cannot be read.
    """
    with open_rollout(path) as file:
        return decode_meta(file.readline())


def decode_meta(raw: bytes) -> ThreadMeta | None:
    """The meta line in `raw`, in either shape; None when it is something else, or its id could not name a file."""
    try:
        line = _line().decode(raw)
        if line.type == SESSION_META and line.payload:
            meta = _meta().decode(line.payload)
        elif not line.type and line.id and line.timestamp:
            meta = _meta().decode(raw)
        else:
            return None
    except UNREADABLE:
        return None
    return meta if re.fullmatch(_NAME, meta.id) else None


def open_rollout(path: Path) -> IO[bytes]:
    """The file, for reading, unpacked if it is packed.

    Raises:
        RolloutError: It does not exist or cannot be read.
    """
    try:
        if path.name.endswith(COMPRESSED):
            return _open_packed(path)
        return path.open("rb", buffering=1 << 18)
    except FileNotFoundError as error:
        raise RolloutError(f"There is no thread at {path}.") from error
    except OSError as error:
        raise RolloutError(f"The thread at {path} cannot be read: {error.strerror or error}.") from error


def _open_packed(path: Path) -> IO[bytes]:
    import importlib

    for name in ("compression.zstd", "backports.zstd"):  # the standard library's from Python 3.14 on
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        return module.open(path, "rb")
    raise RolloutError(f"{path} is packed; unpack it with `zstd -d --rm {path}`, or install backports.zstd.")


def _until(path: Path, base: HistoryBase) -> Iterator[bytes]:
    """The lines of `path` that a fork goes on from."""
    offset = 0
    with open_rollout(path) as file:
        for line in file:
            offset += len(line)
            if base.end_byte_offset is not None:
                if offset > base.end_byte_offset:
                    return
            elif (number := _ordinal(line)) is not None and number >= base.end_ordinal_exclusive:
                return
            yield line


def _ordinal(raw: bytes) -> int | None:
    try:
        return _line().decode(raw).ordinal
    except UNREADABLE:
        return None
