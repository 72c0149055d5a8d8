"""What a person is shown of a verified patch: one `FileChange` per file.

Source: spec/apply-patch.md section 4 (unified diff with one line of context, no file headers). A file that is added
over another, or moved onto one, is shown with what it replaces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from codex_kernel.patch.diff import Range, difference, unified
from codex_kernel.patch.text import FileText, readable
from codex_protocol.file_changes import AddedFile, DeletedFile, FileChange, UpdatedFile

if TYPE_CHECKING:
    from codex_kernel.patch.disk import Snapshot
    from codex_kernel.patch.verify import FileEdit

CONTEXT = 1
"""Unchanged lines around a change; changes whose context would touch are one hunk."""
_BINARY_PROBE = 8000


class Shown(msgspec.Struct, frozen=True):
    """One file's change as a person is shown it."""

    named: Path
    kind: Literal["add", "delete", "update"]
    source: FileEdit
    """Whose text is shown as it was before."""
    target: FileEdit
    """Whose text is shown as it will be; another than `source` when the file is moved."""
    ranges: Sequence[Range] | None
    """Which lines change; None: compare."""

    def difference(self, text_of: Callable[[bytes], FileText]) -> Sequence[Range]:
        """Which lines an update changes."""
        if self.ranges is not None:
            return self.ranges
        assert self.source.before is not None  # noqa: S101 - narrows: it is an update
        assert self.target.after is not None  # noqa: S101
        return difference(text_of(self.source.before.data).side(), text_of(self.target.after).side())


def change_map(files: Sequence[FileEdit], text_of: Callable[[bytes], FileText]) -> dict[Path, FileChange]:
    """The changes by the path each file is named by; files that come and go within the patch are left out.

    Args:
        files: In the patch's order.
        text_of: The lines of a file's bytes.
    """
    return {shown.named: _change(shown, text_of) for shown in shown_files(files)}


def shown_files(files: Sequence[FileEdit]) -> list[Shown]:
    """What a person is shown of the files, in the patch's order."""
    by_path = {edit.path: edit for edit in files}
    moved = {edit.moved_from: edit for edit in files if _is_move(edit, by_path)}
    found = (_shown(edit, moved.get(edit.path), is_target=_is_move(edit, by_path)) for edit in files)
    return [shown for shown in found if shown is not None]


def _is_move(edit: FileEdit, by_path: dict[Path, FileEdit]) -> bool:
    """Whether the edit is shown at the place its content came from."""
    if edit.moved_from is None:
        return False
    source = by_path[edit.moved_from]
    return source.after is None and source.before is not None


def _shown(edit: FileEdit, target: FileEdit | None, *, is_target: bool) -> Shown | None:
    before = edit.before
    if target is not None and target.after is not None and before is not None:
        return Shown(edit.named, "update", edit, target, target.ranges)
    if is_target or edit.after is None:
        return None if before is None else Shown(edit.named, "delete", edit, edit, None)
    if before is None or before.is_link():
        return Shown(edit.named, "add", edit, edit, None)
    ranges = edit.ranges if edit.moved_from is None else None  # else they count from the file it was moved from
    return Shown(edit.named, "update", edit, edit, ranges)


def _change(shown: Shown, text_of: Callable[[bytes], FileText]) -> FileChange:
    before, after = shown.source.before, shown.target.after
    if shown.kind == "delete" and before is not None:
        return FileChange(delete=DeletedFile(_former_text(before)))
    assert after is not None  # noqa: S101 - narrows: only what is deleted has none
    if shown.kind == "add" or before is None:
        return FileChange(add=AddedFile(readable(after.decode("utf-8", "surrogateescape"))))
    old, new = text_of(before.data).side(), text_of(after).side()
    diff = readable(unified(old, new, shown.difference(text_of), context=CONTEXT))
    moved_to = str(shown.target.named) if shown.target is not shown.source else None
    return FileChange(update=UpdatedFile(diff, moved_to))


def _former_text(before: Snapshot) -> str:
    if b"\0" in before.data[:_BINARY_PROBE]:
        return ""
    try:
        return before.data.decode()
    except UnicodeDecodeError:
        return ""
