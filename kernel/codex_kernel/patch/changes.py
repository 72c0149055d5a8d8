"""What a person is shown of a verified patch: one `FileChange` per file.

Source: spec/apply-patch.md section 4 (unified diff with one line of context, no file headers). A file that is added
over another, or moved onto one, is shown with what it replaces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codex_kernel.patch.diff import Range, difference, unified
from codex_kernel.patch.text import FileText, readable
from codex_protocol.events import AddedFile, DeletedFile, FileChange, UpdatedFile

if TYPE_CHECKING:
    from codex_kernel.patch.disk import Snapshot
    from codex_kernel.patch.verify import FileEdit

_BINARY_PROBE = 8000


def change_map(files: Sequence[FileEdit], text_of: Callable[[bytes], FileText]) -> dict[Path, FileChange]:
    """The changes by the path each file is named by; files that come and go within the patch are left out.

    Args:
        files: In the patch's order.
        text_of: The lines of a file's bytes.
    """
    by_path = {edit.path: edit for edit in files}
    moved = {edit.moved_from: edit for edit in files if _is_move(edit, by_path)}
    changes: dict[Path, FileChange] = {}
    for edit in files:
        change = _change(edit, moved.get(edit.path), text_of, is_target=_is_move(edit, by_path))
        if change is not None:
            changes[edit.named] = change
    return changes


def _is_move(edit: FileEdit, by_path: dict[Path, FileEdit]) -> bool:
    """Whether the edit is shown at the place its content came from."""
    if edit.moved_from is None:
        return False
    source = by_path[edit.moved_from]
    return source.after is None and source.before is not None


def _change(
    edit: FileEdit, target: FileEdit | None, text_of: Callable[[bytes], FileText], *, is_target: bool
) -> FileChange | None:
    before = edit.before
    if target is not None and target.after is not None and before is not None:
        diff = _diff(text_of(before.data), text_of(target.after), target.ranges)
        return FileChange(update=UpdatedFile(diff, str(target.named)))
    if is_target or edit.after is None:
        return None if before is None else FileChange(delete=DeletedFile(_former_text(before)))
    if before is None or before.is_link():
        return FileChange(add=AddedFile(readable(edit.after.decode("utf-8", "surrogateescape"))))
    ranges = edit.ranges if edit.moved_from is None else None  # else they count from the file it was moved from
    return FileChange(update=UpdatedFile(_diff(text_of(before.data), text_of(edit.after), ranges)))


def _diff(old: FileText, new: FileText, ranges: Sequence[Range] | None) -> str:
    found = difference(old.side(), new.side()) if ranges is None else ranges
    return readable(unified(old.side(), new.side(), found, context=1))


def _former_text(before: Snapshot) -> str:
    if b"\0" in before.data[:_BINARY_PROBE]:
        return ""
    try:
        return before.data.decode()
    except UnicodeDecodeError:
        return ""
