"""A patch in the agent's own format (`*** Begin Patch`) as file diffs: what is read of it after the fact.

It says no line numbers, so the rows have none. Tolerant: this draws what stood in a thread and decides nothing.
"""

from __future__ import annotations

from codex_render.diff_files import FileDiff, Hunk, Status
from codex_render.diff_rows import DiffRow, RowKind

_HEADS: dict[str, Status] = {
    "*** Add File: ": "added",
    "*** Delete File: ": "deleted",
    "*** Update File: ": "modified",
}
_MOVE = "*** Move to: "
_END = "*** End Patch"
_KINDS: dict[str, RowKind] = {"+": "added", "-": "removed", " ": "context", "": "context"}


def files_of_patch(text: str) -> list[FileDiff]:
    """The files a patch names, in its order; what stands around the patch is passed over."""
    found: list[FileDiff] = []
    path = ""
    status: Status | None = None
    moved: str | None = None
    hunks: list[tuple[str, list[DiffRow]]] = []
    for line in text.split("\n"):
        head = next((head for head in _HEADS if line.startswith(head)), None)
        if head is not None or line.startswith(_END):
            if status is not None:
                found.append(_file(path, moved, status, hunks))
            status, path, moved, hunks = None, line[len(head or "") :].strip(), None, []
            if head is None:
                continue
            status = _HEADS[head]
        elif status is None or line.startswith("*** End of File"):
            continue
        elif line.startswith(_MOVE):
            moved = line[len(_MOVE) :].strip()
        elif line.startswith("@@"):
            hunks.append((line[2:].strip(), []))
        elif (kind := _KINDS.get(line[:1])) is not None:
            if not hunks:
                hunks.append(("", []))
            hunks[-1][1].append(DiffRow(kind, None, None, line[1:]))
    if status is not None:
        found.append(_file(path, moved, status, hunks))
    return found


def _file(path: str, moved: str | None, status: Status, hunks: list[tuple[str, list[DiffRow]]]) -> FileDiff:
    kept = [Hunk(rows, 0, heading) for heading, rows in hunks if rows]
    if moved is not None:
        return FileDiff(moved, path, "renamed", kept)
    return FileDiff(path, None, status, kept)
