"""Taking changes back, whole or by hunk, where nobody has changed the same lines since.

Pure but for reading the files as they are; what comes out is written like a patch: all of it or nothing, and only when
the files are still as they were read.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from codex_kernel.changes.compare import CONTEXT, Compared
from codex_kernel.patch.diff import Range, changed_ranges, difference
from codex_kernel.patch.disk import Snapshot, take
from codex_kernel.patch.parse import Patch, UpdateFile
from codex_kernel.patch.splice import HunkSpan, byte_lines, hunk_spans
from codex_kernel.patch.text import FileText, Texts
from codex_kernel.patch.verify import FileEdit, VerifiedPatch
from codex_protocol.errors import PatchError

EDITED = "it was changed since at the same place; nothing of it was taken back"
GONE = "it is not as the agent left it; nothing of it was taken back"


def taken_back(compared: Compared, hunks: Sequence[int] | None, root: Path) -> tuple[FileEdit, ...]:
    """What has to be written so that a change, or some hunks of it, is undone.

    Args:
        compared: The change, with both texts known.
        hunks: Numbers in its diff, in any order; None for all, with its coming, going and moving.
        root: Absolute.

    Raises:
        PatchError: It cannot be undone without losing what somebody else did; says why.
    """
    change = compared.change
    here = _now(root / change.path)
    if change.before is None or change.after is None or change.old_path is not None:
        if hunks is not None and change.old_path is None:
            hunks = None  # a file that came or went is one part
        if hunks is None:
            return _whole(compared, here, root)
    if here is None:
        raise PatchError(GONE)
    now, old, new = here.data, compared.old or b"", compared.new or b""
    spans = _spans(old, new)
    numbers = range(len(spans)) if hunks is None else frozenset(hunks)
    chosen = [span for at, span in enumerate(spans) if at in numbers]  # in the file's order, each once
    data = old if hunks is None and now == new else without(old, new, now, chosen)
    mode = None if change.before is None else stat.S_IMODE(change.before.mode)
    path = root / change.path
    return (FileEdit(path=path, named=path, before=here, after=data, mode=mode),)


def _whole(compared: Compared, here: Snapshot | None, root: Path) -> tuple[FileEdit, ...]:
    change = compared.change
    if (None if here is None else here.data) != compared.new:
        raise PatchError(GONE)
    path = root / change.path
    edits = [FileEdit(path=path, named=path, before=here, after=None if change.before is None else compared.old)]
    if change.old_path is not None:
        source = root / change.old_path
        if _now(source) is not None:
            raise PatchError(f"there is a {change.old_path} again; nothing was moved")
        edits = [FileEdit(path=path, named=path, before=here, after=None)]
        edits.append(FileEdit(path=source, named=source, before=None, after=compared.old))
    mode = None if change.before is None else stat.S_IMODE(change.before.mode)
    if change.before is not None and stat.S_ISLNK(change.before.mode):
        raise PatchError("it was a symbolic link; make it again by hand")
    return tuple(edit if edit.after is None else _with_mode(edit, mode) for edit in edits)


def _with_mode(edit: FileEdit, mode: int | None) -> FileEdit:
    return FileEdit(path=edit.path, named=edit.named, before=edit.before, after=edit.after, mode=mode)


def _now(path: Path) -> Snapshot | None:
    try:
        found = take(str(path))
    except OSError as error:
        raise PatchError(f"it cannot be read: {error.strerror}") from error
    if found is not None and found.is_link():
        raise PatchError("it is a symbolic link now")
    return found


def _spans(old: bytes, new: bytes) -> list[HunkSpan]:
    before, after = FileText.decode(old).side(), FileText.decode(new).side()
    return hunk_spans(difference(before, after), len(before.lines), context=CONTEXT)


def without(old: bytes, new: bytes, now: bytes, spans: Sequence[HunkSpan]) -> bytes:
    """`now`, which came from `new`, with some hunks as in `old`.

    Raises:
        PatchError: Lines of a hunk, or those beside it, are not as in `new`.
    """
    old_lines, new_lines, now_lines = byte_lines(old), byte_lines(new), byte_lines(now)
    edits = changed_ranges(_keys(new_lines), _keys(now_lines))
    out: list[bytes] = []
    at = 0
    for span in spans:
        changed = span.changed
        if any(_touch(edit, changed) for edit in edits):
            raise PatchError(EDITED)
        above = [edit for edit in edits if edit.old_end <= changed.new_start]
        shift = sum((edit.new_end - edit.new_start) - (edit.old_end - edit.old_start) for edit in above)
        out += now_lines[at : changed.new_start + shift]
        out += old_lines[changed.old_start : changed.old_end]
        at = changed.new_end + shift
    return b"".join([*out, *now_lines[at:]])


def _keys(lines: Sequence[bytes]) -> list[str]:
    return [line.decode("utf-8", "surrogateescape") for line in lines]


def _touch(edit: Range, changed: Range) -> bool:
    """Whether somebody's edit of the new text lies in a hunk's new lines, or right beside them."""
    return edit.old_start <= changed.new_end and edit.old_end >= changed.new_start


def as_patch(edits: Sequence[FileEdit], root: Path) -> VerifiedPatch:
    """The edits in the form that `patch.apply` writes."""
    names = [str(edit.named) for edit in edits]
    patch = Patch(tuple(UpdateFile(name, ()) for name in names))
    return VerifiedPatch(patch=patch, cwd=root, files=tuple(edits), changes={}, summary="", texts=Texts())
