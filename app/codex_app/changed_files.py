"""What a thread changed, for the page: files by number, drawn, and what to ask the agent to take them back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from codex_app.diff_parts import part_views
from codex_protocol.changes import ChangedFile, Changes, RevertPart
from codex_protocol.errors import UsageError
from codex_protocol.file_changes import FileChange, UpdatedFile
from codex_protocol.ops import RevertChanges
from codex_render import diff_html
from codex_render.diff_files import FileDiff, of_change, parse_diff
from codex_render.safe_text import one_line

Json = dict[str, Any]


class ChangedFiles:
    """One look at the changes; what the page says of them counts for this look."""

    def __init__(self, files: Sequence[FileDiff], told: Changes | None = None) -> None:
        """Take the files as they are drawn, and what the agent told of them; None: they cannot be taken back."""
        self._files = files
        self._told = told

    @classmethod
    def of(cls, told: Changes) -> ChangedFiles:
        """A turn's or the thread's."""
        return cls(file_diffs(told), told)

    @classmethod
    def of_diff(cls, diff: str) -> ChangedFiles:
        """Of a diff that is nobody's."""
        return cls(parse_diff(diff))

    @property
    def began(self) -> Sequence[float]:
        """When each turn of the thread first ran something; empty where nobody's changes are shown."""
        return () if self._told is None else self._told.began

    def view(self) -> Json:
        """All of it; `stamp` is another when something is."""
        told = self._told.files if self._told is not None else ()
        views = part_views(self._files)
        for view, file in zip(views, told, strict=False):
            view |= {"state": file.state, "back": bool(file.digest) and file.state != "reverted"}
        drawn = "".join(f"{view['html']}{view['body']}{view.get('state')}" for view in views)
        stamp = hashlib.sha256(drawn.encode()).hexdigest()
        return {
            "files": views,
            "turns": 0 if self._told is None else self._told.turns,
            "note": "" if self._told is None else one_line(self._told.note),
            "stamp": stamp,
        }

    def body(self, number: int) -> str:
        """The lines of a file that was not drawn at once, as HTML."""
        return diff_html.body_html(self._files[self._checked(number)])

    def take_back(self, number: int, hunk: int | None) -> RevertChanges:
        """The op that makes a file, or one of its hunks, as it was.

        Raises:
            UsageError: There is no such part, or it cannot be taken back.
        """
        if self._told is None:
            raise UsageError("this is not the agent's change alone; use git to undo it")
        file = self._told.files[self._checked(number)]
        if hunk is not None and not 0 <= hunk < len(self._files[number].hunks):
            raise UsageError(f"{file.path} has no part {hunk}")
        part = RevertPart(path=file.path, digest=file.digest, hunks=None if hunk is None else (hunk,))
        return RevertChanges(parts=(part,), turn=self._told.turn)

    def _checked(self, number: int) -> int:
        if not 0 <= number < len(self._files):
            raise UsageError("this file is not shown any more")
        return number


def file_diffs(told: Changes) -> list[FileDiff]:
    """The files of it, as they are drawn."""
    return [_file(file) for file in told.files]


def _file(file: ChangedFile) -> FileDiff:
    hunks = of_change(file.path, FileChange(update=UpdatedFile(file.diff))).hunks
    return FileDiff(file.path, file.old_path, file.status, hunks, file.note)
