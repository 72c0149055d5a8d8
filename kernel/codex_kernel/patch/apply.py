"""A verified patch to disk: every file is written beside its place first, then all are put in place.

Source: spec/apply-patch.md section 5. Other than there, nothing changes when a file cannot be written; when putting
in place fails midway, which takes a failing disk, the message says what was written.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from codex_kernel.patch.disk import Folders, Replaced, Snapshot, is_untouched, overwrite, stage, take, unlink_quietly
from codex_kernel.patch.verify import FileEdit, VerifiedPatch, verify
from codex_protocol.errors import PatchError

__all__ = ["Applied", "PatchStale", "apply", "check_unchanged", "verify"]

_NOT_REPLACEABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY)


class Applied(msgspec.Struct, frozen=True):
    """A patch that is on disk."""

    summary: str
    """`Success. Updated the following files:` and a line for each."""
    written: tuple[Path, ...]
    """Real paths written or removed."""


def apply(verified: VerifiedPatch) -> Applied:
    """Write a verified patch.

    Blocks for as long as the disk takes; nothing is synced.

    Raises:
        PatchError: A file is not as it was when the patch was verified, or cannot be written. Nothing was written,
            unless the message says what was.
    """
    if not verified.patch.hunks:
        raise PatchError("No files were modified.")
    edits = [edit for edit in verified.files if edit.has_effect()]
    with Folders() as folders:
        writing = _Writing(folders)
        try:
            for edit in edits:
                writing.check(edit)
            for edit in edits:
                writing.stage(edit)
        except BaseException:
            writing.undo()
            raise
        try:
            # Content is at its new place before it goes from the old one.
            for edit in sorted(edits, key=lambda edit: edit.after is None):
                writing.put_in_place(edit)
        except OSError as error:
            raise writing.stopped(edits, error) from error
        finally:
            writing.undo()
            writing.replaced.let_go()
    return Applied(verified.summary, tuple(edit.path for edit in edits))


def check_unchanged(verified: VerifiedPatch) -> None:
    """Refuse a patch whose files are not as they were when it was verified; nothing is written.

    Raises:
        PatchStale: Says which.
    """
    with Folders() as folders:
        writing = _Writing(folders)
        for edit in verified.files:
            if edit.has_effect():
                writing.check(edit)


class PatchStale(PatchError):
    """A file changed since the patch was verified.

    Attributes:
        path: The file as the patch names it.
    """

    def __init__(self, path: Path, reason: str | None) -> None:
        super().__init__(f"{path} changed since the patch was checked ({reason}); nothing was written, read it again")
        self.path = path


class _Writing:
    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._staged: dict[Path, str] = {}
        """Temporary file by the path it is for."""
        self._inodes: dict[Path, tuple[int, int]] = {}
        self._done: list[FileEdit] = []
        self.replaced = Replaced()

    def check(self, edit: FileEdit) -> None:
        """Refuse a file that is not as it was verified."""
        try:
            place, name = os.path.split(edit.path)
            folder = self._folders.descriptor(place)
            if edit.before is not None and is_untouched(name, folder, edit.before):
                self._inodes[edit.path] = edit.before.inode
                return
            now = take(name, folder)
        except FileNotFoundError:
            now = None
        except OSError as error:
            raise PatchStale(edit.named, error.strerror) from error
        if not _same(now, edit.before):
            raise PatchStale(edit.named, "it is not the file it was")
        if now is not None:
            self._inodes[edit.path] = now.inode

    def stage(self, edit: FileEdit) -> None:
        """Write the new content to a file beside its place."""
        if edit.after is None:
            return
        before = edit.before
        try:
            folder = self._folders.descriptor(os.path.dirname(edit.path), make=True)
            self._staged[edit.path] = stage(folder, edit.after, like=before, mode=edit.mode)
        except OSError as error:
            if error.errno in _NOT_REPLACEABLE and before is not None and not before.is_link():
                return  # a read-only folder: the file itself may still be writable
            raise PatchError(f"cannot write {edit.named}: {error.strerror}; nothing was changed") from error

    def put_in_place(self, edit: FileEdit) -> None:
        """Let the file on disk be the new one."""
        place, name = os.path.split(edit.path)
        folder = self._folders.descriptor(place)
        if edit.before is not None:
            self.replaced.hold(name, folder)
        if edit.after is None:
            self._remove(edit, folder)
        elif edit.path in self._staged:
            try:
                os.replace(self._staged[edit.path], name, src_dir_fd=folder, dst_dir_fd=folder)
                del self._staged[edit.path]
            except OSError as error:
                if error.errno not in _NOT_REPLACEABLE or edit.before is None:
                    raise
                overwrite(name, folder, edit.after, edit.before.data)  # a mount point
        elif edit.before is not None:
            overwrite(name, folder, edit.after, edit.before.data)
        self._done.append(edit)

    def _remove(self, edit: FileEdit, folder: int) -> None:
        status = os.stat(edit.path.name, dir_fd=folder, follow_symlinks=False)
        # Where upper and lower case are one name, a move to another spelling has just replaced this very file.
        if (status.st_dev, status.st_ino) == self._inodes[edit.path]:
            os.unlink(edit.path.name, dir_fd=folder)

    def undo(self) -> None:
        """Remove what lies beside its place, and folders that stayed empty."""
        for path, name in self._staged.items():
            try:
                unlink_quietly(name, self._folders.descriptor(str(path.parent)))
            except OSError:
                continue  # the folder itself is gone
        self._staged.clear()
        self._folders.unmake()

    def stopped(self, edits: Sequence[FileEdit], error: OSError) -> PatchError:
        """The error for a failure after the first file was put in place."""
        done = ", ".join(str(edit.named) for edit in self._done) or "nothing"
        rest = ", ".join(str(edit.named) for edit in edits if edit not in self._done)
        return PatchError(f"writing stopped: {error.strerror}. Written: {done}. Not written: {rest}.")


def _same(now: Snapshot | None, before: Snapshot | None) -> bool:
    if now is None or before is None:
        return now is before
    return now.data == before.data and now.is_link() == before.is_link()
