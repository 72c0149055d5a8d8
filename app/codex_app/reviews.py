"""A patch that waits for a person, in parts: drawn file by file, its hunks as text to edit, and what was chosen of it.

The page names parts by numbers; which path a number stands for is known here alone.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from codex_app.diff_parts import part_views
from codex_app.gaps import Gap, gap_at
from codex_app.words import relative
from codex_protocol.errors import UsageError
from codex_protocol.file_changes import FileChange
from codex_protocol.review import HunkChoice
from codex_render import diff_html
from codex_render.diff_files import FileDiff, Hunk, of_change
from codex_render.diff_rows import DiffRow

Json = dict[str, Any]


class Review:
    """One patch."""

    def __init__(self, changes: Mapping[str, FileChange], cwd: str) -> None:
        """Take the changes of a question; nothing is drawn yet."""
        self._changes = changes
        self._paths = sorted(changes)
        self._cwd = cwd

    @cached_property
    def files(self) -> list[FileDiff]:
        """The files, named relative to the thread's directory."""
        return [of_change(relative(path, self._cwd), self._changes[path]) for path in self._paths]

    def view(self) -> list[Json]:
        """Each file with its parts; `html` is from `codex_render`."""
        views = part_views(self.files)
        for view, file in zip(views, self.files, strict=True):
            view["editable"] = file.status != "deleted"
            view["unfolds"] = file.status in ("modified", "renamed")
        return views

    def body(self, number: int) -> str:
        """The lines of a file that was not drawn at once, as HTML."""
        return diff_html.body_html(self._file(number))

    def text(self, number: int, hunk: int) -> str:
        r"""What a hunk's lines become, to be edited; lines end in `\n`."""
        rows = self._hunk(number, hunk).rows
        new = [at for at, row in enumerate(rows) if row.kind in ("context", "added")]
        bare = bool(new) and new[-1] + 1 < len(rows) and rows[new[-1] + 1].kind == "note"
        text = "".join(rows[at].text.removesuffix("\r") + "\n" for at in new)
        return text[:-1] if bare else text

    def preview(self, number: int, hunk: int, text: str) -> str:
        """The hunk as it would be with another text, as HTML; empty when it would change nothing."""
        shown = self._hunk(number, hunk)
        old = [row for row in shown.rows if row.kind in ("context", "removed")]
        start = next((row.new for row in shown.rows if row.new is not None), 1)
        rows = list(_compared(old, text.split("\n")[: -1 if text.endswith("\n") else None], start))
        if all(row.kind == "context" for row in rows):
            return ""
        file = self._file(number)
        return diff_html.body_html(FileDiff(file.path, None, "modified", [Hunk(rows, 0, "")]), parted=False)

    def gap(self, number: int, hunk: int, *, below: bool) -> tuple[str, Gap]:
        """The path that the agent knows, and the unchanged lines before a hunk or behind it.

        Raises:
            UsageError: There is no such part.
        """
        return self._paths[number], gap_at(self._file(number).hunks, hunk, below=below)

    def choice(self, number: int, hunk: int | None, *, take: bool, text: str | None, note: str | None) -> HunkChoice:
        """What was chosen, with the path the agent knows.

        Raises:
            UsageError: There is no such part.
        """
        if hunk is not None:
            self._hunk(number, hunk)
        self._file(number)
        return HunkChoice(path=self._paths[number], hunk=hunk, take=take, text=text, note=note)

    def _file(self, number: int) -> FileDiff:
        if not 0 <= number < len(self.files):
            raise UsageError(f"the patch has no file {number}")
        return self.files[number]

    def _hunk(self, number: int, hunk: int) -> Hunk:
        hunks = self._file(number).hunks
        if not 0 <= hunk < len(hunks):
            raise UsageError(f"file {number} of the patch has no hunk {hunk}")
        return hunks[hunk]


def _compared(old: Sequence[DiffRow], typed: Sequence[str], start: int) -> Iterator[DiffRow]:
    """The rows of old lines against what was typed."""
    before = [row.text.removesuffix("\r") for row in old]
    for tag, i, i_end, j, j_end in difflib.SequenceMatcher(None, before, typed, autojunk=False).get_opcodes():
        if tag == "equal":
            for at in range(i_end - i):
                yield DiffRow("context", old[i + at].old, start + j + at, before[i + at])
            continue
        for row in old[i:i_end]:
            yield DiffRow("removed", row.old, None, row.text.removesuffix("\r"))
        for at in range(j, j_end):
            yield DiffRow("added", None, start + at, typed[at])
