"""The unchanged lines between the hunks of a file's diff: which of them come next when one unfolds them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from codex_protocol.errors import UsageError
from codex_render.diff_files import Hunk
from codex_render.diff_rows import DiffRow

STEP = 40
"""So many lines are unfolded at a time."""


class Gap(msgspec.Struct, frozen=True):
    """Unchanged lines in a row, by their numbers before the change, from 1."""

    first: int
    last: int | None
    """None: up to the end of the file."""
    shift: int
    """Their numbers after the change are so much higher."""

    def next_lines(self, *, below: bool, shown: int, other: int) -> tuple[int, int]:
        """First and last of those that come next; none when the first is the larger.

        Args:
            below: They follow the hunk before the gap, not lead to the one behind it.
            shown: How many are shown at this end of the gap.
            other: And at its other end.
        """
        if below or self.last is None:
            start = self.first + shown
            end = start + STEP - 1
            return start, end if self.last is None else min(end, self.last - other)
        end = self.last - shown
        return max(end - STEP + 1, self.first + other), end

    def rows(self, start: int, lines: Sequence[str]) -> list[DiffRow]:
        """Lines of the file as rows of the diff."""
        return [DiffRow("context", start + at, start + at + self.shift, line) for at, line in enumerate(lines)]

    def left(self, total: int, *, shown: int, other: int) -> int:
        """How many are still folded, in a file of `total` lines."""
        return max(0, (total if self.last is None else self.last) - self.first + 1 - shown - other)


def gap_at(hunks: Sequence[Hunk], hunk: int, *, below: bool) -> Gap:
    """The gap before a hunk, or behind it.

    Raises:
        UsageError: There is no such hunk.
    """
    if not 0 <= hunk < len(hunks):
        raise UsageError(f"there is no part {hunk} of this file")
    wanted = hunk + below
    end = shift = 0
    for one in hunks[:wanted]:
        end += one.skipped + sum(row.kind in ("context", "removed") for row in one.rows)
        shift += sum((row.kind == "added") - (row.kind == "removed") for row in one.rows)
    return Gap(end + 1, end + hunks[wanted].skipped if wanted < len(hunks) else None, shift)
