"""Two moments of a directory compared: which files are another, and their diffs."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from codex_kernel.changes.pack import Pack
from codex_kernel.changes.scan import Entry, read_now
from codex_kernel.patch.diff import Side, difference, unified
from codex_kernel.patch.text import FileText, readable
from codex_protocol.changes import ChangedFile, ChangeState, ChangeStatus

CONTEXT = 3
MAX_FILES = 1000
_NOT_KEPT = "its text was not kept: too large, or not to be read"
_BINARY_PROBE = 8000


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One file before and after."""

    path: str
    old_path: str | None = None
    before: Entry | None
    after: Entry | None


def changed(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> list[Change]:
    """The files whose text, kind or mode may be another, by name."""
    names = sorted({*before, *after})
    pairs = ((path, before.get(path), after.get(path)) for path in names)
    return [Change(path=path, before=old, after=new) for path, old, new in pairs if _differ(old, new)]


def _differ(old: Entry | None, new: Entry | None) -> bool:
    if old is None or new is None or old.ref != new.ref or _kind(old) != _kind(new):
        return True
    return not old.ref and (old.size, old.changed_ns, old.inode) != (new.size, new.changed_ns, new.inode)


def _kind(entry: Entry) -> int:
    return entry.mode & (stat.S_IFMT(entry.mode) | stat.S_IXUSR)


class Texts:
    """Texts of files by reference."""

    def __init__(self, pack: Pack, blobs: Mapping[str, bytes]) -> None:
        """Read from a thread's pack, and from git's objects that were fetched."""
        self._pack = pack
        self._blobs = blobs

    def of(self, entry: Entry) -> bytes | None:
        """The text; None when it was not kept."""
        if entry.ref.startswith("kept:"):
            return self._pack.read(entry.ref)
        blob = self._blobs.get(entry.ref.removeprefix("git:")) if entry.ref else None
        if blob is None or len(blob) == entry.size:
            return blob
        checked_out = blob.replace(b"\n", b"\r\n")  # git wrote it with other line ends than it keeps
        return checked_out if len(checked_out) == entry.size else None


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A change with its texts."""

    change: Change
    old: bytes | None
    """None: there was no file, or its text was not kept."""
    new: bytes | None
    known: bool
    """Whether both texts are there."""

    @property
    def digest(self) -> str:
        """Names this very change."""
        old, new = (b"-" if text is None else b"+" + text for text in (self.old, self.new))
        return hashlib.sha256(hashlib.sha256(old).digest() + hashlib.sha256(new).digest()).hexdigest()[:32]


def with_texts(change: Change, texts: Texts) -> Compared | None:
    """The change with its texts; None when they are the same after all."""
    old = texts.of(change.before) if change.before is not None else None
    new = texts.of(change.after) if change.after is not None else None
    known = (change.before is None or old is not None) and (change.after is None or new is not None)
    both = change.before is not None and change.after is not None
    if known and both and old == new and change.before and change.after and _kind(change.before) == _kind(change.after):
        return None
    return Compared(change=change, old=old, new=new, known=known)


def renamed(compared: list[Compared]) -> list[Compared]:
    """The same, a file that went and one that came with the same text as one change."""
    came = {
        one.new: one for one in compared if one.change.before is None and one.known and one.new and len(one.new) > 1
    }
    out: list[Compared] = []
    taken: set[str] = set()
    for one in compared:
        target = came.get(one.old) if one.change.after is None and one.old else None
        if target is not None and target.change.path not in taken:
            taken.add(target.change.path)
            moved = msgspec.structs.replace(target.change, old_path=one.change.path, before=one.change.before)
            out.append(Compared(change=moved, old=one.old, new=target.new, known=True))
        else:
            out.append(one)
    return [one for one in out if one.change.path not in taken or one.change.old_path is not None]


def shown(compared: Compared, root: Path) -> ChangedFile:
    """The change as front ends see it, with how the file is now."""
    change = compared.change
    status: ChangeStatus = (
        "added"
        if change.before is None
        else "deleted"
        if change.after is None
        else "renamed"
        if change.old_path
        else "modified"
    )
    diff, note = _diff(compared)
    return ChangedFile(
        path=readable(change.path),
        old_path=None if change.old_path is None else readable(change.old_path),
        status=status,
        diff=diff,
        note=note,
        state=state_of(compared, root),
        digest=compared.digest if compared.known else "",
    )


def _diff(compared: Compared) -> tuple[str, str]:
    if not compared.known:
        return "", _NOT_KEPT
    old, new = _side(compared.old), _side(compared.new)
    if old is None or new is None:
        return "", "binary file"
    diff = readable(unified(old, new, difference(old, new), context=CONTEXT))
    if diff or compared.change.old_path:
        return diff, ""
    return "", "empty file" if compared.change.before is None or compared.change.after is None else "another mode"


def _side(text: bytes | None) -> Side | None:
    if text is None:
        return Side((), True)
    if b"\0" in text[:_BINARY_PROBE]:
        return None
    return FileText.decode(text).side()


def text_now(path: Path) -> bytes | None:
    """The file's bytes now; None when there is none.

    Raises:
        OSError: It cannot be read.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return read_now(str(path), status.st_mode)


def state_of(compared: Compared, root: Path, now: Callable[[Path], bytes | None] = text_now) -> ChangeState:
    """How the file on disk compares with both texts."""
    change = compared.change
    try:
        here = now(root / change.path)
        before = now(root / change.old_path) if change.old_path else None
    except OSError:
        return "edited"
    if here == compared.new and before is None and compared.known:
        return "same"
    if change.old_path:
        return "reverted" if here is None and before == compared.old else "edited"
    return "reverted" if here == compared.old and compared.known else "edited"
