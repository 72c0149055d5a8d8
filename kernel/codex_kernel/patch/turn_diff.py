"""Everything the patches of a turn changed so far, as one git-style diff.

Source: spec/agent-loop.md section 10. Object ids are computed here; git is never asked.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from codex_kernel.patch.diff import Side, difference, unified
from codex_kernel.patch.disk import Snapshot, take
from codex_kernel.patch.text import FileText, Texts, readable

if TYPE_CHECKING:
    from codex_kernel.patch.verify import FileEdit, VerifiedPatch

_NO_OBJECT = "0" * 40
_CONTEXT = 3
_RACY_NS = 50_000_000
"""A file this fresh when it was read may change again without its times telling."""
_TO_QUOTE = re.compile(r'[\x00-\x1f"\\\x7f]')

_Signature = tuple[int, ...]
_UNSURE: _Signature = ()
"""Equals no file's: it is read again at the next look."""


class TurnDiff:
    """Remembers how files were before the turn's first patch to each. One per turn; not for several threads at once."""

    def __init__(self, base: Path) -> None:
        """Start with nothing changed.

        Args:
            base: What paths are shown relative to: the git root, outside a repository the thread's directory.
        """
        self._prefix = base.as_posix().rstrip("/") + "/"
        self._tracked: dict[Path, _Tracked] = {}
        """By current path."""
        self._moves: list[tuple[Path, Path]] = []
        """From where to where, of the patch taken in last."""

    def before(self, verified: VerifiedPatch) -> None:
        """Take in a patch that is about to be written; whether it really is, the files will tell."""
        self._settle()
        edits = {edit.path: edit for edit in verified.files if edit.has_effect()}
        for edit in edits.values():
            self._tracked.setdefault(edit.path, _Tracked(edit.path, edit.before))
            source = edits.get(edit.moved_from) if edit.moved_from is not None else None
            if source is not None and source.after is None:
                self._moves.append((source.path, edit.path))

    def written(self, verified: VerifiedPatch) -> None:
        """Take in that the patch just taken in was written: its files need not be read to know what they hold."""
        for edit in verified.files:
            if edit.has_effect() and edit.path in self._tracked:
                self._tracked[edit.path].written = _Written(edit, verified.texts)

    def _settle(self) -> None:
        """Compare files that were moved with what they were in their old place."""
        for source, target in self._moves:
            if self._tracked[target].before is None and os.path.lexists(target) and not os.path.lexists(source):
                moved = self._tracked.pop(source)
                moved.forget()
                self._tracked[target] = moved
        self._moves.clear()

    def text(self) -> str:
        """The diff from before the turn to the files as they are now; empty when nothing differs.

        Files are read again only when they changed since the last call.
        """
        self._settle()
        shown = sorted((self._name(path), path) for path in self._tracked)
        return "".join(
            self._tracked[path].block(path, self._name(self._tracked[path].path), name) for name, path in shown
        )

    def _name(self, path: Path) -> str:
        text = path.as_posix()
        return text.removeprefix(self._prefix) or text


class _Written(msgspec.Struct, frozen=True):
    """What a patch made of a file."""

    edit: FileEdit
    texts: Texts


class _Tracked:
    """One file's baseline, and its block of the diff as of the last look."""

    def __init__(self, path: Path, before: Snapshot | None) -> None:
        self.path = path
        """Where it was."""
        self.before = before
        self._before_id: str | None = None
        """Of the object it was; None until a diff needs it."""
        self._signature: _Signature | None = None
        self._state: tuple[str, str] | None = None
        """Object id and mode at the last look; None: there was no file."""
        self._block: str | None = None
        self.written: _Written | None = None
        """What was written since the last look."""

    def forget(self) -> None:
        """The file is somewhere else now."""
        self._block = None

    def block(self, path: Path, old_name: str, name: str) -> str:
        """The file's part of the diff; empty when it is as it was."""
        signature = _signature(path)
        written, self.written = self.written, None
        if self._block is not None and signature == self._signature:
            return self._block
        now = None
        if signature is not None:
            if written is None or not _holds(signature, written.edit):
                written = None
                with contextlib.suppress(OSError):  # a folder, or unreadable: not the file we knew
                    now = take(str(path))
            elif written.edit.after is not None:
                now = Snapshot(written.edit.after, signature[-1], inode=(0, 0), owner=(0, 0))
        state = None if now is None else (_object_id(now.data), _mode(now))
        if self._block is None or state != self._state:
            self._block = self._diff(old_name, name, now, state[0] if state else _NO_OBJECT, written)
        self._state = state
        fresh = signature is not None and time.time_ns() - signature[0] < _RACY_NS
        self._signature = _UNSURE if fresh else signature
        return self._block

    def _diff(self, old_name: str, name: str, now: Snapshot | None, now_id: str, written: _Written | None) -> str:
        before = self.before
        if before == now or (before and now and before.data == now.data and before.is_link() == now.is_link()):
            return ""
        lines = [f"diff --git {_quoted('a/' + old_name)} {_quoted('b/' + name)}"]
        if before is None or now is None:
            lines += [f"new file mode {_mode(now)}"] if now else [f"deleted file mode {_mode(before)}"]
        elif _mode(before) != _mode(now):
            lines += [f"old mode {_mode(before)}", f"new mode {_mode(now)}"]
        if self._before_id is None:
            self._before_id = _NO_OBJECT if before is None else _object_id(before.data)
        lines.append(f"index {self._before_id}..{now_id}")
        text_of = FileText.decode if written is None else written.texts.of
        old, new = _side(before, text_of), _side(now, text_of)
        if old is None or new is None or old.lines or new.lines:
            lines.append(f"--- {_quoted('a/' + old_name) if before else '/dev/null'}")
            lines.append(f"+++ {_quoted('b/' + name) if now else '/dev/null'}")
        if old is None or new is None:
            return readable("\n".join([*lines, "Binary files differ", ""]))
        known = written.edit if written is not None else None
        if known is None or known.ranges is None or known.moved_from is not None or known.before is not before:
            found = difference(old, new)
        else:
            found = known.ranges
        return readable("\n".join([*lines, ""]) + unified(old, new, found, context=_CONTEXT))


def _object_id(data: bytes) -> str:
    """What `git hash-object` says of a blob."""
    import hashlib  # 3 ms that a turn without patches need not wait for

    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _signature(path: Path) -> _Signature | None:
    """What changes when the file does, its time of change first; None when it is not there."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return (
        max(status.st_mtime_ns, status.st_ctime_ns),
        status.st_mtime_ns,
        status.st_size,
        status.st_ino,
        status.st_dev,
        status.st_mode,
    )


def _mode(file: Snapshot | None) -> str:
    """The file's mode as git writes it."""
    if file is None:
        return ""
    if file.is_link():
        return "120000"
    return "100755" if file.mode & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH) else "100644"


def _side(file: Snapshot | None, text_of: Callable[[bytes], FileText]) -> Side | None:
    """The file as one side of a diff; None when it is not text."""
    if file is None:
        return Side((), True)
    try:
        file.data.decode()
    except UnicodeDecodeError:
        return None
    return text_of(file.data).side()


def _holds(signature: _Signature, edit: FileEdit) -> bool:
    """Whether a file can be what was just written: nobody reads it to be surer than that, until the next look."""
    return edit.after is not None and stat.S_ISREG(signature[-1]) and signature[2] == len(edit.after)


def _quoted(name: str) -> str:
    """The name as git writes it: in quotes only when it would break the line or the quotes."""
    if not _TO_QUOTE.search(name):
        return name
    return '"' + _TO_QUOTE.sub(lambda char: f"\\{char[0]}" if char[0] in '"\\' else f"\\{ord(char[0]):03o}", name) + '"'
