"""How the files of a directory are at one moment: fingerprints of all, texts of those that git does not have."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from codex_kernel.changes.listing import is_followed

if TYPE_CHECKING:
    from codex_kernel.changes.listing import Listing
    from codex_kernel.changes.pack import Pack

MAX_FILE_BYTES = 1 << 20
"""Of a larger file only that it changed is known."""
MAX_SCAN_BYTES = 64 << 20
"""What one scan keeps at most."""
_RACY_NS = 50_000_000
"""A file so fresh may change again without its time telling."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One file."""

    mode: int
    size: int
    changed_ns: int
    """Time of its last change of any kind; 0: too fresh to rely on."""
    inode: int
    ref: str
    """Its text: `git:ID`, `kept:…`, or empty when it was not kept."""


Files = dict[str, Entry]
"""By path below the root."""


def scan(
    root: Path,
    listing: Listing,
    before: Mapping[str, Entry],
    pack: Pack,
    may_read: Callable[[Path], bool] = lambda path: True,
) -> Files:
    """The files as they are now. Reads only those that changed since `before`, and at first those git has not.

    Args:
        root: Absolute.
        listing: Which files to look at; those of `before` that are still there are looked at too.
        before: The last scan.
        pack: Keeps texts.
        may_read: Texts of other files are not kept.
    """
    files: Files = {}
    now_ns = time.time_ns()
    left = MAX_SCAN_BYTES
    base = f"{root}/"
    with pack.many():
        for name in listing if before.keys() <= listing.keys() else {**dict.fromkeys(before, ""), **listing}:
            try:
                name.encode()  # names that are no UTF-8 cannot be written down
                status = os.lstat(base + name)
            except (OSError, ValueError):
                continue
            mode, size = status.st_mode, status.st_size
            if not is_followed(mode):
                continue
            changed_ns = status.st_ctime_ns
            known = before.get(name)
            if (
                known is not None
                and known.changed_ns == changed_ns
                and (known.size, known.inode, known.mode) == (size, status.st_ino, mode)
            ):
                files[name] = known
                continue
            blob = listing.get(name, "")
            if blob and known is None:
                ref = f"git:{blob}"
            else:
                ref = _keep(base + name, status, pack, left, may_read)
                left -= size if ref else 0
            fresh = now_ns - changed_ns < _RACY_NS
            files[name] = Entry(mode, size, 0 if fresh else changed_ns, status.st_ino, ref)
    return files


def _keep(path: str, status: os.stat_result, pack: Pack, left: int, may_read: Callable[[Path], bool]) -> str:
    if status.st_size > min(left, MAX_FILE_BYTES) or not may_read(Path(path)):
        return ""
    try:
        return pack.keep(read_now(path, status.st_mode))
    except OSError:
        return ""


def read_now(path: str, mode: int) -> bytes:
    """A file's bytes, or where it points when it is a link.

    Raises:
        OSError: It cannot be read.
    """
    if stat.S_ISLNK(mode):
        return os.fsencode(os.readlink(path))
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        return stream.read(MAX_FILE_BYTES + 1)
