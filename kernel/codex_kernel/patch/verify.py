"""A whole patch against the files as they are, in memory: what would be written where, or why not.

Source: spec/apply-patch.md sections 4 to 6. Other than there, an update sees what earlier parts of the same patch
did, nothing is written unless everything fits, and a move onto itself is a plain update.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec

from codex_kernel.patch.changes import change_map
from codex_kernel.patch.diff import Range
from codex_kernel.patch.disk import Folders, Snapshot, take
from codex_kernel.patch.near_names import near_name
from codex_kernel.patch.parse import AddFile, DeleteFile, Hunk, Patch, UpdateFile, parse_patch
from codex_kernel.patch.text import FileText, Texts
from codex_kernel.patch.update import update_text
from codex_protocol.errors import PatchError
from codex_protocol.file_changes import FileChange

Allowed = Callable[[Path], bool]


class FileEdit(msgspec.Struct, frozen=True, kw_only=True):
    """One file before and after the patch."""

    path: Path
    """Where it really is: symbolic links and `..` resolved."""
    named: Path
    """As the patch names it, joined to its directory."""
    before: Snapshot | None
    """None: there was no file."""
    after: bytes | None
    """None: there is no file any more."""
    mode: int | None = None
    """Permission bits afterwards; None: the default for a new file."""
    moved_from: Path | None = None
    """Where its content was before, `path` of another edit."""
    ranges: tuple[Range, ...] | None = None
    """The lines that changed, when one update made them all; None: compare."""

    def has_effect(self) -> bool:
        """Whether the file on disk will be another."""
        if self.before is None or self.after is None:
            return self.before is not None or self.after is not None
        return self.before.is_link() or self.before.data != self.after


class VerifiedPatch(msgspec.Struct, frozen=True, kw_only=True):
    """A patch that fits the files as they were; nothing is written yet."""

    patch: Patch
    cwd: Path
    files: tuple[FileEdit, ...]
    """Every file touched, in the patch's order."""
    changes: dict[Path, FileChange]
    """What a person is shown: by absolute path as the patch names it."""
    summary: str
    """What the model is told once it is written."""
    texts: Texts
    """The lines of the files, before and after."""

    def written(self) -> tuple[Path, ...]:
        """The real paths that will be written or removed."""
        return tuple(edit.path for edit in self.files if edit.has_effect())


def verify(
    patch: Patch | str, cwd: Path, *, may_write: Allowed | None = None, may_read: Allowed | None = None
) -> VerifiedPatch:
    """The patch with its effect on each file.

    Args:
        patch: Or its text.
        cwd: Absolute; paths in the patch are relative to it.
        may_write: Asked for every resolved path that changes; None: all may.
        may_read: Asked for every resolved path whose text is needed.

    Raises:
        PatchError: It does not fit; the message names file and place, and says what the file has instead.
    """
    if isinstance(patch, str):
        patch = parse_patch(patch)
    with Folders() as folders:
        tree = _Tree(cwd, folders, may_read)
        for hunk in patch.hunks:
            tree.take_in(hunk)
    files = tree.edits()
    for edit in files:
        _check_place(edit, files)
        if may_write is not None and edit.has_effect() and not may_write(edit.path):
            raise PatchError(f"{_shown(edit)} may not be written: the sandbox policy protects it")
    return VerifiedPatch(
        patch=patch,
        cwd=cwd,
        files=files,
        changes=change_map(files, tree.texts.of),
        summary=summary_of(patch),
        texts=tree.texts,
    )


def summary_of(patch: Patch) -> str:
    """What the model is told once a patch is written: a line for each file."""
    groups: dict[str, list[str]] = {"A": [], "M": [], "D": []}
    for hunk in patch.hunks:
        match hunk:
            case AddFile():
                groups["A"].append(hunk.path)
            case DeleteFile():
                groups["D"].append(hunk.path)
            case UpdateFile():
                groups["M"].append(hunk.move_to or hunk.path)
    lines = [f"{letter} {path}" for letter, paths in groups.items() for path in paths]
    return "\n".join(["Success. Updated the following files:", *lines, ""])


class _File:
    """A file in memory while the patch is followed."""

    def __init__(self, path: Path, named: str, before: Snapshot | None) -> None:
        self.path = path
        self.named = named
        self.before = before
        self.data = None if before is None else before.data
        self.mode = None if before is None else stat.S_IMODE(before.mode)
        self.origin = None if before is None else path
        """The file whose content this one's is made from."""
        self.ranges: tuple[Range, ...] | None = None

    def set(self, data: bytes | None, origin: Path | None = None, ranges: tuple[Range, ...] | None = None) -> None:
        self.data = data
        self.origin = origin
        self.ranges = ranges

    def edit(self) -> FileEdit:
        return FileEdit(
            path=self.path,
            named=self.path if self.named == str(self.path) else Path(self.named),
            before=self.before,
            after=self.data,
            mode=self.mode,
            moved_from=self.origin if self.origin != self.path else None,
            ranges=self.ranges,
        )


class _Tree:
    """The files a patch touches, by resolved path, as they are after the hunks taken in so far."""

    def __init__(self, cwd: Path, folders: Folders, may_read: Allowed | None) -> None:
        self.texts = Texts()
        self._cwd = str(cwd)
        self._opened = folders
        self._may_read = may_read
        self._files: dict[str, _File] = {}
        self._real: dict[str, str] = {}
        """Where folders lead, by their name in the patch."""

    def take_in(self, hunk: Hunk) -> None:
        match hunk:
            case AddFile():
                self._add(hunk)
            case DeleteFile():
                file = self._file(hunk.path, "delete", follow=False)
                if file.data is None:
                    raise self._missing(file, "delete", hunk.path)
                file.set(None)
            case UpdateFile():
                self._update(hunk)

    def edits(self) -> tuple[FileEdit, ...]:
        return tuple(file.edit() for file in self._files.values())

    def _add(self, hunk: AddFile) -> None:
        file = self._file(hunk.path, "add")
        if file.before is not None and file.before.is_link():
            file.mode = None
        file.set(_encoded(hunk.content(), hunk.path))

    def _update(self, hunk: UpdateFile) -> None:
        file = self._file(hunk.path, "update")
        if file.data is None:
            raise self._missing(file, "update", hunk.path)
        try:
            updated = update_text(self.texts.of(file.data), hunk.chunks)
        except PatchError as error:
            raise PatchError(f"cannot update {hunk.path}: {error}") from None
        pristine = file.before is not None and file.data is file.before.data
        data = _encoded(updated.text, hunk.path) if hunk.chunks else file.data
        self.texts.keep(data, updated.text)
        origin, mode = file.origin, file.mode
        target = file if hunk.move_to is None else self._file(hunk.move_to, "move to")
        if target is not file:
            self._file(hunk.path, "move", follow=False).set(None)
            target.mode = mode
        target.set(data, origin, tuple(updated.ranges) if pristine else None)

    def _missing(self, file: _File, verb: str, path: str) -> PatchError:
        if file.before is not None:
            return PatchError(f"cannot {verb} {path}: an earlier part of the patch moves or deletes it")
        near = near_name(path, self._cwd, self._may_read)
        return PatchError(f"cannot {verb} {path}: there is no such file" + (f"; there is {near}" if near else ""))

    def _file(self, path: str, verb: str, *, follow: bool = True) -> _File:
        """The file at `path`, read when it is met for the first time."""
        named = os.path.join(self._cwd, path)
        try:
            key = self._place(named)
            if key not in self._files:
                real = Path(key)
                before = self._read(real, path, verb)
                if follow and before is not None and before.is_link():
                    key = os.path.realpath(key)
                    real = Path(key)
                    before = self._files[key].before if key in self._files else self._read(real, path, verb)
                    if before is not None and before.is_link():
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                self._files.setdefault(key, _File(real, named, before))
        except IsADirectoryError:
            raise PatchError(f"cannot {verb} {path}: it is a directory") from None
        except NotADirectoryError:
            raise PatchError(f"cannot {verb} {path}: a part of its path is a file, not a directory") from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise PatchError(f"cannot {verb} {path}: {reason}") from error
        return self._files[key]

    def _read(self, real: Path, path: str, verb: str) -> Snapshot | None:
        """The file at a real path; by folders opened without following links, so that it is the one that was judged."""
        if self._may_read is not None and not self._may_read(real):
            raise PatchError(f"cannot {verb} {path}: the sandbox policy does not let it be read")
        folder, name = os.path.split(str(real))
        try:
            return take(name, self._opened.descriptor(folder))
        except FileNotFoundError:
            return None

    def _place(self, named: str) -> str:
        """Where a file is: its folder's real path and its own name."""
        folder, name = os.path.split(named)
        if name in ("", ".", ".."):
            raise IsADirectoryError
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder)
        return os.path.join(self._real[folder], name)


def _encoded(text: str | FileText, path: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text.encode()
    except UnicodeEncodeError:
        raise PatchError(f"cannot write {path}: its new text has characters that are not valid Unicode") from None


def _check_place(edit: FileEdit, files: tuple[FileEdit, ...]) -> None:
    """Refuse what is bound to fail when it is written."""
    if not edit.has_effect():
        return
    if edit.after is not None and edit.before is not None and not edit.before.is_link():
        if not os.access(edit.path, os.W_OK):
            raise PatchError(f"cannot write {_shown(edit)}: permission denied (the file is read-only)")
        return
    folder = edit.path.parent
    if edit.before is None:
        added = {other.path for other in files if other.after is not None}
        clash = next((parent for parent in edit.path.parents if parent in added), None)
        if clash is not None:
            raise PatchError(f"cannot add {_shown(edit)}: the patch makes {clash} a file, not a directory")
        while not os.path.lexists(folder):
            folder = folder.parent
        if not folder.is_dir():
            raise PatchError(f"cannot add {_shown(edit)}: {folder} is a file; delete it with a patch of its own first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PatchError(f"cannot write {_shown(edit)}: permission denied in {folder}")


def _shown(edit: FileEdit) -> str:
    return str(edit.named) if edit.named == edit.path else f"{edit.named} (really {edit.path})"
