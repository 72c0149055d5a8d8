"""Unchanged lines between hunks: unfolded from both ends they are those of the file, each once."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_app.gaps import STEP, gap_at
from codex_protocol.errors import UsageError
from codex_protocol.file_changes import FileChange, UpdatedFile
from codex_render.diff_files import of_change


def diff_of(old: list[str], new: list[str]) -> str:
    return "".join(difflib.unified_diff([f"{line}\n" for line in old], [f"{line}\n" for line in new]))


@given(
    size=st.integers(0, 300),
    edits=st.dictionaries(st.integers(0, 299), st.sampled_from(["gone", "other", "more"]), min_size=1, max_size=6),
    turns=st.lists(st.booleans(), max_size=40),
)
def test_what_is_unfolded_from_both_ends_is_the_file_once(size: int, edits: dict[int, str], turns: list[bool]) -> None:
    old = [f"line {n}" for n in range(1, size + 1)]
    new: list[str] = []
    for at, line in enumerate(old):
        how = edits.get(at)
        new += {"gone": [], "other": [f"{line}!"], "more": [line, "more"], None: [line]}[how]
    hunks = of_change("a", FileChange(update=UpdatedFile(diff_of(old, new)))).hunks
    for hunk in range(len(hunks)):
        for below in (False, True):
            gap = gap_at(hunks, hunk, below=below)
            top: list[int] = []
            bottom: list[int] = []
            steps = iter(turns)
            while True:
                down = next(steps, True) if gap.last is not None else True
                shown, other = (len(top), len(bottom)) if down else (len(bottom), len(top))
                first, last = gap.next_lines(below=down, shown=shown, other=other)
                lines = list(range(first, min(last, size) + 1))
                if not lines:
                    break
                assert len(lines) <= STEP
                assert gap.left(size, shown=shown + len(lines), other=other) == gap.left(
                    size, shown=shown, other=other
                ) - len(lines)
                top, bottom = (top + lines, bottom) if down else (top, lines + bottom)
            every = [*top, *bottom]
            assert every == list(range(gap.first, (gap.last if gap.last is not None else size) + 1))
            assert [old[n - 1] for n in every] == [
                new[row.new - 1] for row in gap.rows(gap.first, [str(n) for n in every]) if row.new
            ]
            assert gap.left(size, shown=len(top), other=len(bottom)) == 0


def test_there_is_no_gap_beside_a_hunk_that_is_not_there() -> None:
    with pytest.raises(UsageError):
        gap_at([], 0, below=False)
