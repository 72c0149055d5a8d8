"""A unified diff of many files as data: what happened to each, its hunks, and both sides of a hunk in pairs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from codex_protocol.file_changes import FileChange
from codex_render.diff_rows import DiffRow, rows_of_change

Status = Literal["added", "deleted", "modified", "renamed"]
_hunk = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@ ?(.*)")
_quoted = re.compile(rb"\\([0-7]{3}|.)")
_QUOTES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


class Hunk:
    """Changed lines and those around them.

    Attributes:
        rows: Its lines; kinds `added`, `removed`, `context` and `note`.
        skipped: Unchanged lines between it and the hunk before (or the start of the file).
        heading: What follows `@@`: as a rule the function it is in; untrusted.
    """

    __slots__ = ("heading", "rows", "skipped")

    def __init__(self, rows: Sequence[DiffRow], skipped: int, heading: str) -> None:
        self.rows = rows
        self.skipped = skipped
        self.heading = heading


class FileDiff:
    """What happened to one file.

    Attributes:
        path: Its name now, or the one it had when it is gone; untrusted.
        old_path: Its name before, where that was another.
        status: What happened.
        hunks: The changed places, in order.
        note: What there is instead of lines, as `binary file`; empty for none.
        added: How many lines came.
        removed: How many lines went.
    """

    __slots__ = ("added", "hunks", "note", "old_path", "path", "removed", "status")

    def __init__(self, path: str, old_path: str | None, status: Status, hunks: Sequence[Hunk], note: str = "") -> None:
        self.path = path
        self.old_path = old_path
        self.status: Status = status
        self.hunks = hunks
        self.note = note
        self.added = sum(row.kind == "added" for hunk in hunks for row in hunk.rows)
        self.removed = sum(row.kind == "removed" for hunk in hunks for row in hunk.rows)


def parse_diff(text: str) -> list[FileDiff]:
    """The files of a unified diff, git's or plain; lines that belong to none are passed over."""
    return list(_Reader(text.split("\n")).files())


def of_changes(changes: Mapping[Path, FileChange] | Mapping[str, FileChange]) -> list[FileDiff]:
    """The files of a patch, in the order of their names."""
    return [of_change(str(path), change) for path, change in sorted(changes.items(), key=lambda item: str(item[0]))]


def of_change(path: str, change: FileChange) -> FileDiff:
    """One file of a patch."""
    if change.update is not None:
        reader = _Reader(change.update.unified_diff.split("\n"))
        hunks = list(reader.hunks_alone())
        moved = change.update.move_path
        if moved is not None and str(moved) != path:
            return FileDiff(str(moved), path, "renamed", hunks)
        return FileDiff(path, None, "modified", hunks)
    rows = list(rows_of_change(change))
    status: Status = "added" if change.add is not None else "deleted"
    return FileDiff(path, None, status, [Hunk(rows, 0, "")] if rows else [], "" if rows else "empty file")


def side_by_side(hunk: Hunk) -> list[tuple[DiffRow | None, DiffRow | None]]:
    """The hunk as pairs of old and new: context on both sides, changed lines opposite each other as far as they go."""
    pairs: list[tuple[DiffRow | None, DiffRow | None]] = []
    for group in groups(hunk.rows):
        if group[0].kind in ("context", "note"):
            pairs.extend((row, row) for row in group)
            continue
        old = [row for row in group if row.kind == "removed"]
        new = [row for row in group if row.kind == "added"]
        for at in range(max(len(old), len(new))):
            pairs.append((old[at] if at < len(old) else None, new[at] if at < len(new) else None))
    return pairs


def groups(rows: Sequence[DiffRow]) -> Iterator[list[DiffRow]]:
    """Runs of rows: unchanged ones, and removed lines with the added ones after them; a note joins what it follows."""
    run: list[DiffRow] = []
    for row in rows:
        if run and _begins_group(run, row):
            yield run
            run = []
        run.append(row)
    if run:
        yield run


def _begins_group(run: list[DiffRow], row: DiffRow) -> bool:
    if row.kind == "note":
        return False
    changed = run[0].kind in ("added", "removed")
    if (row.kind == "context") == changed:
        return True
    return row.kind == "removed" and any(before.kind == "added" for before in run)


class _Reader:
    """Reads a diff line by line. The counts of a hunk's header say where it ends: `--- x` may be a removed line."""

    def __init__(self, lines: list[str]) -> None:
        if lines and not lines[-1]:
            lines.pop()
        self._lines = lines
        self._at = 0

    def files(self) -> Iterator[FileDiff]:
        head: list[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            plain_start = line.startswith("--- ") and self._next_starts("+++ ")
            if head and (line.startswith("diff --git ") or (plain_start and _has_names(head))):
                yield from _file(head, [])
                head = []
            if line.startswith("@@ ") and _hunk.match(line):
                yield from _file(head, list(self._hunks()))
                head = []
            else:
                head.append(line)
                self._at += 1
        yield from _file(head, [])

    def hunks_alone(self) -> Iterator[Hunk]:
        """All hunks of one file's diff, wherever they start."""
        while self._at < len(self._lines):
            if _hunk.match(self._lines[self._at]):
                yield from self._hunks()
            else:
                self._at += 1

    def _next_starts(self, prefix: str) -> bool:
        return self._at + 1 < len(self._lines) and self._lines[self._at + 1].startswith(prefix)

    def _hunks(self) -> Iterator[Hunk]:
        end = 1
        while self._at < len(self._lines) and (match := _hunk.match(self._lines[self._at])) is not None:
            self._at += 1
            old, new = int(match[1]), int(match[3])
            rows = list(self._rows(old, new, int(match[2] or 1), int(match[4] or 1)))
            skipped = max(0, old - end) if match[2] != "0" else max(0, old + 1 - end)
            yield Hunk(rows, skipped, match[5])
            end = old + int(match[2] or 1) if match[2] != "0" else old + 1

    def _rows(self, old: int, new: int, old_left: int, new_left: int) -> Iterator[DiffRow]:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            sign = line[:1] or " "
            if sign == "\\":
                yield DiffRow("note", None, None, line[1:].strip())
            elif old_left <= 0 and new_left <= 0:
                return
            elif sign == "+":
                yield DiffRow("added", None, new, line[1:])
                new, new_left = new + 1, new_left - 1
            elif sign == "-":
                yield DiffRow("removed", old, None, line[1:])
                old, old_left = old + 1, old_left - 1
            elif sign == " ":
                yield DiffRow("context", old, new, line[1:])
                old, new, old_left, new_left = old + 1, new + 1, old_left - 1, new_left - 1
            else:
                return  # cut short
            self._at += 1


def _has_names(head: Sequence[str]) -> bool:
    return any(line.startswith("+++ ") for line in head)


def _file(head: Sequence[str], hunks: Sequence[Hunk]) -> Iterator[FileDiff]:
    """The file a header and its hunks make; none when there is nothing."""
    names: dict[str, str] = {}
    note = ""
    for line in head:
        for key in ("--- ", "+++ ", "rename from ", "rename to ", "copy from ", "copy to "):
            if line.startswith(key):
                names[key] = line[len(key) :].split("\t")[0]
        if line.startswith("new file mode"):
            names.setdefault("--- ", "/dev/null")
        elif line.startswith("deleted file mode"):
            names.setdefault("+++ ", "/dev/null")
        elif line.startswith(("Binary files ", "GIT binary patch")):
            note = "binary file"
        elif line.startswith("new mode ") and not note:
            note = f"mode {line[9:].strip()}"
        elif line.startswith("diff --git "):
            names["git"] = line[11:]
    if not names and not hunks:
        return
    yield _named(names, hunks, note)


def _named(names: dict[str, str], hunks: Sequence[Hunk], note: str) -> FileDiff:
    from_git = _git_names(names.get("git", ""))
    old, new = names.get("--- "), names.get("+++ ")
    gone, came = new == "/dev/null", old == "/dev/null"
    old_path = names.get("rename from ") or names.get("copy from ")
    new_path = names.get("rename to ") or names.get("copy to ")
    before = _unquoted(old_path) if old_path else _path(old) if old and not came else from_git[0]
    after = _unquoted(new_path) if new_path else _path(new) if new and not gone else from_git[1]
    if came or gone:
        path = after if came else before
        return FileDiff(path, None, "added" if came else "deleted", hunks, note or ("" if hunks else "empty file"))
    if before and after and before != after:
        return FileDiff(after, before, "renamed", hunks, note)
    return FileDiff(after or before, None, "modified", hunks, note)


def _git_names(line: str) -> tuple[str, str]:
    """Both names of `diff --git a/NAME b/NAME`; they are the same wherever nothing else names them."""
    if line.startswith('"'):
        first, _, rest = line[1:].partition('" ')
        return _path(f'"{first}"'), _path(rest)
    half = len(line) // 2
    if len(line) % 2 and line[half] == " " and _path(line[:half]) == _path(line[half + 1 :]):
        return _path(line[:half]), _path(line[half + 1 :])
    first, _, rest = line.partition(" b/")
    return _path(first), rest


def _path(name: str) -> str:
    name = _unquoted(name)
    return name[2:] if name.startswith(("a/", "b/")) else name


def _unquoted(name: str) -> str:
    """Git quotes unusual names as C strings."""
    if len(name) < 2 or not (name.startswith('"') and name.endswith('"')):
        return name
    raw = _quoted.sub(lambda match: _byte(match[1]), name[1:-1].encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "replace")


def _byte(escaped: bytes) -> bytes:
    return bytes([int(escaped, 8) & 0xFF]) if len(escaped) == 3 else _QUOTES.get(escaped, escaped)
