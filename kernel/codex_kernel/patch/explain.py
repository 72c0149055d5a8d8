"""Why a chunk fits nowhere: what was expected, and what the file has instead, for the model to mend its patch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from codex_kernel.patch.match import Haystack, seek_sequence
from codex_kernel.patch.parse import END_OF_FILE, Chunk
from codex_kernel.patch.text import readable
from codex_protocol.errors import PatchError

_SHOWN_LINES = 12
_SHOWN_CHARS = 300
_COMMON = 50
"""A line that stands more often than this tells nothing about the place."""
_LOOKED_AT = 5000
"""Lines compared by likeness, which is slow; equal lines are looked for in the whole file."""


def explain_lines(
    name: str,
    chunk: Chunk,
    lines: Sequence[str],
    haystack: Haystack,
    cursor: int,
    is_free: Callable[[int, int], bool],
) -> PatchError:
    """The error for old lines that were not found.

    Args:
        name: Which chunk, for the message.
        chunk: What does not fit.
        lines: The file's.
        haystack: Over `lines`.
        cursor: Index of the first line after the chunk before.
        is_free: Whether no chunk before changes lines from an index up to another.
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
        advice = f": leave '{END_OF_FILE}' out" if chunk.at_end else ""
        return PatchError(f"{message}\nThey are at line {hit + 1}, which is not the end of the file{advice}.")
    if hit is not None and not is_free(hit, hit + len(old)):
        return PatchError(
            f"{message}\nThey are at line {hit + 1}, where a chunk before has lines as well: make one chunk of both."
        )
    if hit is not None:
        return PatchError(
            f"{message}\nThey are at line {hit + 1}, above the chunk before; put the chunks in the file's order."
        )
    done = seek_sequence(lines, new, cursor) if _would_show(chunk, new) else None
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


def _would_show(chunk: Chunk, new: Sequence[str]) -> bool:
    """Whether finding the new lines in the file tells that the chunk was applied before."""
    if all(line[0] != "+" for line in chunk.body):  # what stands around a line that is gone must have met
        return chunk.body[0][0] == chunk.body[-1][0] == " "
    return len(new) > 1 or any(line.strip() for line in new)


def _nearest(wanted: Sequence[str], lines: Sequence[str], cursor: int) -> str:
    start = _by_equal_lines(wanted, lines)
    if start is None:
        start = _by_likeness(wanted, lines, cursor)
    if start is None and any("\r" in line for line in lines[:_SHOWN_LINES]):
        return "\nThe file's lines end with CR alone, which a patch cannot tell apart: change it with a command."
    if start is None:
        return "\nNothing in the file is like them. Read the file again before you change it."
    start = max(0, min(start, len(lines) - 1))
    end = min(len(lines), start + max(1, len(wanted)))
    differing = _first_difference(wanted, lines[start:end])
    first = start if differing < _SHOWN_LINES else start + differing - _SHOWN_LINES // 2
    shown = "\n".join(f"{at + 1:>5}| {_cut(lines[at])}" for at in range(first, min(end, first + _SHOWN_LINES)))
    told = f"\nThe most similar place, with line numbers:\n{shown}"
    if 0 < differing < min(len(wanted), end - start):
        told += f"\nThe first difference is at line {start + differing + 1}; the patch has: {_cut(wanted[differing])}"
    return told


def _first_difference(wanted: Sequence[str], found: Sequence[str]) -> int:
    """Index of the first pair of lines that differ, indentation and blanks at the end aside."""
    pairs = enumerate(zip(wanted, found, strict=False))
    return next((at for at, (one, other) in pairs if one.strip() != other.strip()), min(len(wanted), len(found)))


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
