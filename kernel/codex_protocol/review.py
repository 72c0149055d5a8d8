"""What a person says of the parts of a change: taken or not, with other text, with a note.

A hunk is named by the path of its file and its number in that file's unified diff, counted from 0. An added or deleted
file is one hunk, number 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from codex_protocol.errors import UsageError

if TYPE_CHECKING:
    from codex_protocol.file_changes import FileChange


class HunkChoice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is said of one hunk, or of a file as a whole; part of an op."""

    path: str
    """As the question names the file."""
    hunk: int | None = None
    """None: the file with everything that happens to it, its move included."""
    take: bool = True
    """False: it is not applied."""
    text: str | None = None
    r"""Stands in the place of the hunk's lines, context included, instead of the patch's text. Lines end in `\n`,
    whatever the file's own line ends; at the end of a file, a text without a last one leaves the file without it."""
    note: str | None = None
    """For the model: why."""


def check_choices(changes: Mapping[str, FileChange], choices: Sequence[HunkChoice]) -> None:
    """Refuse choices that do not speak of parts of `changes`.

    Raises:
        UsageError: Says which.
    """
    seen: set[tuple[str, int | None]] = set()
    for choice in choices:
        change = changes.get(choice.path)
        if change is None:
            raise UsageError(f"the patch has no file {choice.path!r}")
        if (choice.path, choice.hunk) in seen:
            raise UsageError(f"two choices speak of {_named(choice)}")
        seen.add((choice.path, choice.hunk))
        if choice.hunk is not None and not 0 <= choice.hunk < hunk_count(change):
            raise UsageError(f"the patch has no {_named(choice)}: it has {hunk_count(change)} there")
        if choice.text is None:
            continue
        if choice.hunk is None or change.delete is not None:
            raise UsageError(f"{_named(choice)} has no text that could be another")
        try:
            choice.text.encode()
        except UnicodeEncodeError:
            raise UsageError(f"the new text of {_named(choice)} is not valid Unicode") from None


def hunk_count(change: FileChange) -> int:
    """How many hunks a file's change has."""
    if change.update is None:
        return 1
    return sum(line.startswith("@@") for line in change.update.unified_diff.split("\n"))


def _named(choice: HunkChoice) -> str:
    return choice.path if choice.hunk is None else f"hunk {choice.hunk} of {choice.path}"
