"""What a person is shown of a verified patch: one `FileChange` per file.

Source: spec/apply-patch.md section 4 (unified diff with one line of context, no file headers). A file that is added
over another, or moved onto one, is shown with what it replaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codex_kernel.patch.diff import changed_ranges, unified
from codex_kernel.patch.text import FileText, readable
from codex_protocol.events import AddedFile, DeletedFile, FileChange, UpdatedFile

if TYPE_CHECKING:
    from codex_kernel.patch.disk import Snapshot
    from codex_kernel.patch.verify import FileEdit

_BINARY_PROBE = 8000


def change_map(files: Sequence[FileEdit]) -> dict[Path, FileChange]:
    """The changes by the path each file is named by; files that come and go within the patch are left out."""
    by_path = {edit.path: edit for edit in files}
    moved = {edit.moved_from: edit for edit in files if _is_move(edit, by_path)}
    changes: dict[Path, FileChange] = {}
    for edit in files:
        change = _change(edit, moved.get(edit.path), is_target=_is_move(edit, by_path))
        if change is not None:
            changes[edit.named] = change
    return changes


def _is_move(edit: FileEdit, by_path: dict[Path, FileEdit]) -> bool:
    """Whether the edit is shown at the place its content came from."""
    if edit.moved_from is None or edit.moved_from == edit.path:
        return False
    source = by_path[edit.moved_from]
    return source.after is None and source.before is not None


def _change(edit: FileEdit, target: FileEdit | None, *, is_target: bool) -> FileChange | None:
    before = edit.before
    if target is not None and before is not None and target.after is not None:
        ranges_known = target.ranges is not None and not before.is_link()
        diff = _diff(before.data, target.after, target if ranges_known else None)
        return FileChange(update=UpdatedFile(diff, str(target.named)))
    if is_target or edit.after is None:
        return None if before is None else FileChange(delete=DeletedFile(_former_text(before)))
    if before is None or before.is_link():
        return FileChange(add=AddedFile(readable(edit.after.decode("utf-8", "surrogateescape"))))
    known = edit if edit.moved_from is None else None
    return FileChange(update=UpdatedFile(_diff(before.data, edit.after, known)))


def _diff(before: bytes, after: bytes, known: FileEdit | None) -> str:
    old, new = FileText.decode(before).with_ends(), FileText.decode(after).with_ends()
    ranges = known.ranges if known is not None else None
    return readable(unified(old, new, changed_ranges(old, new) if ranges is None else ranges, context=1))


def _former_text(before: Snapshot) -> str:
    if b"\0" in before.data[:_BINARY_PROBE]:
        return ""
    try:
        return before.data.decode()
    except UnicodeDecodeError:
        return ""
