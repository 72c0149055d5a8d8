"""Why a chunk fits nowhere: what was expected, and what the file has instead, for the model to mend its patch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from codex_kernel.patch.match import Haystack, seek_sequence
from codex_kernel.patch.parse import Chunk
from codex_kernel.patch.text import readable
from codex_protocol.errors import PatchError

_SHOWN_LINES = 12
_SHOWN_CHARS = 300
_COMMON = 50
"""A line that stands more often than this tells nothing about the place."""
_LOOKED_AT = 5000
"""Lines compared by likeness, which is slow; equal lines are looked for in the whole file."""


def explain_lines(name: str, chunk: Chunk, lines: Sequence[str], haystack: Haystack, cursor: int) -> PatchError:
    """The error for old lines that were not found.

    Args:
        name: Which chunk, for the message.
        chunk: What does not fit.
        lines: The file's.
        haystack: Over `lines`.
        cursor: Index of the first line after the chunk before.
    """
    old, new = chunk.old(), chunk.new()
    if not lines:
        return PatchError(f"{name} expects lines, but the file is empty")
    where = f" at or after line {cursor + 1}" if cursor else ""
    message = f"{name} does not fit: the file does not have these lines{where}:\n{_quoted(old)}"
    hit = haystack.find(old)
    if hit is not None and hit >= cursor:
        if chunk.anchors:
            return PatchError(f"{message}\nThey are at line {hit + 1}, which is above '@@ {chunk.anchors[-1]}'.")
        return PatchError(f"{message}\nThey are at line {hit + 1}, which is not the end of the file.")
    if hit is not None:
        return PatchError(
            f"{message}\nThey are at line {hit + 1}, above the chunk before; put the chunks in the file's order."
        )
    done = seek_sequence(lines, new, cursor) if len(new) > 1 or any(line.strip() for line in new) else None
    if done is not None:
        return PatchError(f"{message}\nThe new lines are at line {done + 1} already: this change seems to be made.")
    return PatchError(message + _nearest(old, lines, cursor))


def explain_anchor(
    name: str, anchors: Sequence[str], lines: Sequence[str], haystack: Haystack, cursor: int
) -> PatchError:
    """The error for a `@@` line that was not found; arguments as for `explain_lines`."""
    missing = next((anchor for anchor in anchors if haystack.find((anchor,)) is None), None)
    if missing is None:
        names = "', '".join(anchors)
        return PatchError(f"{name} does not fit: the lines of '@@ {names}' are not there in this order")
    return PatchError(
        f"{name} does not fit: no line is '{_cut(missing)}' (its @@ line)" + _nearest((missing,), lines, cursor)
    )


def _nearest(wanted: Sequence[str], lines: Sequence[str], cursor: int) -> str:
    start = _by_equal_lines(wanted, lines)
    if start is None:
        start = _by_likeness(wanted, lines, cursor)
    if start is None:
        return "\nNothing in the file is like them. Read the file again before you change it."
    start = max(0, min(start, len(lines) - 1))
    end = min(len(lines), start + max(1, min(len(wanted), _SHOWN_LINES)))
    shown = "\n".join(f"{index + 1:>5}| {_cut(lines[index])}" for index in range(start, end))
    return f"\nThe most similar place, with line numbers:\n{shown}"


def _by_equal_lines(wanted: Sequence[str], lines: Sequence[str]) -> int | None:
    """Where most of the wanted lines would stand in their place, indentation aside."""
    asked: dict[str, list[int]] = {}
    for index, line in enumerate(wanted):
        if line.strip():
            asked.setdefault(line.strip(), []).append(index)
    found: dict[str, list[int]] = {}
    for index, line in enumerate(lines):
        key = line.strip()
        if key in asked:
            found.setdefault(key, []).append(index)
    votes: Counter[int] = Counter()
    for key, places in found.items():
        if len(places) <= _COMMON and len(asked[key]) <= _COMMON:
            votes.update(place - index for place in places for index in asked[key])
    if not votes:
        return None
    return min(votes, key=lambda start: (-votes[start], start))


def _by_likeness(wanted: Sequence[str], lines: Sequence[str], cursor: int) -> int | None:
    """Where the longest wanted line has a line like it."""
    from difflib import SequenceMatcher

    index = max(range(len(wanted)), key=lambda at: len(wanted[at].strip()))
    text = wanted[index].strip()[:_SHOWN_CHARS]
    if not text:
        return None
    start = cursor if len(lines) - cursor >= _LOOKED_AT or len(lines) > _LOOKED_AT else 0
    matcher = SequenceMatcher(None, "", text, autojunk=False)
    best, best_at = 0.6, None
    for at in range(start, min(len(lines), start + _LOOKED_AT)):
        matcher.set_seq1(lines[at].strip()[:_SHOWN_CHARS])
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best and (ratio := matcher.ratio()) > best:
            best, best_at = ratio, at
    return None if best_at is None else best_at - index


def _quoted(lines: Sequence[str]) -> str:
    shown = [f"    {_cut(line)}" for line in lines[:_SHOWN_LINES]]
    if len(lines) > _SHOWN_LINES:
        shown.append(f"    ({len(lines) - _SHOWN_LINES} more)")
    return "\n".join(shown)


def _cut(line: str) -> str:
    line = readable(line)
    return line if len(line) <= _SHOWN_CHARS else f"{line[:_SHOWN_CHARS]}… ({len(line)} characters)"
