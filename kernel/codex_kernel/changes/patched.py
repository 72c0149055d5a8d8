"""What a turn's patches touch, as it was before them: kept first, while the look at all files is still to come.

A patch tells which files it changes and holds what they were. So it need not wait for the listing that a command has to
wait for: how all files were before the turn is how they are after its patches, with these entries in their places.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from codex_kernel.changes.scan import MAX_FILE_BYTES, MAX_SCAN_BYTES, Entry, Files

if TYPE_CHECKING:
    from codex_kernel.changes.pack import Pack
    from codex_kernel.patch.disk import Snapshot
    from codex_kernel.patch.verify import FileEdit


class Patched(msgspec.Struct, kw_only=True):
    """One line: what a patch touched, as it was before."""

    root: str
    turn: int
    """Counted from 1."""
    at: float
    """Seconds since 1970."""
    files: dict[str, Entry | None]
    """By path below the root; None: there was no file."""


def before_patch(edits: Iterable[FileEdit], root: Path, pack: Pack) -> dict[str, Entry | None]:
    """The files below `root` that a verified patch changes, as they were when it was verified.

    Raises:
        OSError: Their texts could not be kept.
    """
    base = f"{root}/"
    found: dict[str, Entry | None] = {}
    left = MAX_SCAN_BYTES
    with pack.many():
        for edit in edits:
            path = str(edit.path)
            if not edit.has_effect() or not path.startswith(base) or not _can_be_written_down(path):
                continue
            before = edit.before
            keeps = before is not None and len(before.data) <= min(left, MAX_FILE_BYTES)
            ref = pack.keep(before.data) if before is not None and keeps else ""
            left -= len(before.data) if before is not None and ref else 0
            found[path[len(base) :]] = None if before is None else _entry(before, ref)
    return found


def _can_be_written_down(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _entry(before: Snapshot, ref: str) -> Entry:
    changed_ns = 0 if before.stamp is None else before.stamp[1]
    return Entry(before.mode, len(before.data), changed_ns, before.inode[1], ref)


def under(files: Files, patched: Mapping[str, Entry | None], root: Path, known: Files) -> Files:
    """The files as they were before the patches.

    Args:
        files: As they are after them.
        patched: As `before_patch` gives it; of several patches the first counts.
        root: Absolute.
        known: As of the last checkpoint. A file that is neither listed nor known, though it is there, does not count.
    """
    found = dict(files)
    for path, entry in patched.items():
        if entry is None:
            found.pop(path, None)
        elif path in files or path in known or not os.path.lexists(root / path):
            found[path] = entry
    return found
