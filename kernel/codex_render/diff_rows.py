"""A unified diff as rows with line numbers: what the terminal paints and a page will draw."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from codex_protocol.file_changes import FileChange

RowKind = Literal["added", "removed", "context", "gap", "note"]
_HUNK = r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)"


class DiffRow:
    """One row.

    Attributes:
        kind: `gap` stands between two hunks, its text is what follows the hunk's header; `note` is git's remark.
        old: Line number before the change; None where the line was not there.
        new: Line number after the change; None where the line is gone.
        text: The line, without its sign and line end; untrusted.
    """

    __slots__ = ("kind", "new", "old", "text")

    def __init__(self, kind: RowKind, old: int | None, new: int | None, text: str) -> None:
        self.kind: RowKind = kind
        self.old = old
        self.new = new
        self.text = text


def rows_of_hunks(unified_diff: str) -> Iterator[DiffRow]:
    """The rows of one file's hunks; file headers before the first hunk are left out."""
    old = new = 0
    inside = False
    for line in _lines(unified_diff):
        if (match := re.match(_HUNK, line)) is not None:
            if inside or int(match[1]) > 1 or int(match[2]) > 1:
                yield DiffRow("gap", None, None, match[3])
            old, new, inside = int(match[1]), int(match[2]), True
        elif not inside:
            continue
        elif line.startswith("+"):
            yield DiffRow("added", None, new, line[1:])
            new += 1
        elif line.startswith("-"):
            yield DiffRow("removed", old, None, line[1:])
            old += 1
        elif line.startswith("\\"):
            yield DiffRow("note", None, None, line[1:].strip())
        else:
            yield DiffRow("context", old, new, line[1:])
            old += 1
            new += 1


def rows_of_change(change: FileChange) -> Iterator[DiffRow]:
    """The rows of one changed file: every line of an added or deleted one."""
    if change.add is not None:
        for number, line in enumerate(_lines(change.add.content), 1):
            yield DiffRow("added", None, number, line)
    elif change.delete is not None:
        for number, line in enumerate(_lines(change.delete.content), 1):
            yield DiffRow("removed", number, None, line)
    elif change.update is not None:
        yield from rows_of_hunks(change.update.unified_diff)


def counts(change: FileChange) -> tuple[int, int]:
    """How many lines were added and removed."""
    if change.add is not None:
        return len(_lines(change.add.content)), 0
    if change.delete is not None:
        return 0, len(_lines(change.delete.content))
    added = removed = 0
    for row in rows_of_change(change):
        added += row.kind == "added"
        removed += row.kind == "removed"
    return added, removed


def _lines(text: str) -> list[str]:
    """Split at line feeds alone: a form feed or a Unicode separator inside a line is part of it."""
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return lines
