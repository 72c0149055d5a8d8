"""A patch as the model wrote it, for a thread that is read from disk: its files' diffs, without line numbers.

Where its lines stood in the files is not written down, so none is said.
"""

from __future__ import annotations

from collections.abc import Callable

from codex_render.diff_files import FileDiff, Hunk, Status
from codex_render.diff_rows import DiffRow, RowKind

_BEGIN = "*** Begin Patch"
_END = "*** End Patch"
_FILES: dict[str, Status] = {
    "*** Add File: ": "added",
    "*** Update File: ": "modified",
    "*** Delete File: ": "deleted",
}
_MOVE = "*** Move to: "
_KINDS: dict[str, RowKind] = {"+": "added", "-": "removed", " ": "context"}


def files_of_patch(text: str, name: Callable[[str], str] = str) -> list[FileDiff]:
    """The files of a patch, in its order; none when it is none.

    Args:
        text: A patch, or a command that carries one.
        name: What a path is called.
    """
    _, begun, rest = text.partition(_BEGIN)
    body, ended, _ = rest.partition(_END)
    if not begun or not ended:
        return []
    files: list[_File] = []
    for line in body.split("\n"):
        if (header := next((header for header in _FILES if line.startswith(header)), None)) is not None:
            files.append(_File(line[len(header) :].strip(), _FILES[header], name))
        elif files:
            files[-1].take(line)
    return [file.diff() for file in files]


class _File:
    def __init__(self, path: str, status: Status, name: Callable[[str], str]) -> None:
        self._name = name
        self._path = name(path)
        self._old_path: str | None = None
        self._status: Status = status
        self._hunks: list[Hunk] = []
        self._rows: list[DiffRow] = []
        self._heading = ""

    def take(self, line: str) -> None:
        if line.startswith(_MOVE):
            self._old_path, self._path = self._path, self._name(line[len(_MOVE) :].strip())
            self._status = "renamed"
        elif line.startswith("@@"):
            self._close()
            self._heading = line[2:].strip()
        elif line[:1] in _KINDS:
            self._rows.append(DiffRow(_KINDS[line[0]], None, None, line[1:]))

    def diff(self) -> FileDiff:
        self._close()
        note = "" if self._hunks or self._status != "deleted" else "its lines are not kept"
        return FileDiff(self._path, self._old_path, self._status, self._hunks, note)

    def _close(self) -> None:
        if self._rows:
            self._hunks.append(Hunk(tuple(self._rows), 0, self._heading))
            self._rows = []
        self._heading = ""
