"""Line diffs: which ranges differ, and unified diff text from them.

Near-linear on large files: common ends are cut off, then lines that stand once on both sides split the rest; only
small remains go to `difflib`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

_DIFFLIB_BUDGET = 400_000
"""Pairs of equal lines `difflib` may have to look at in one block; beyond it the block counts as rewritten."""
_STRIDE = 512


class Range(msgspec.Struct, frozen=True):
    """`old[old_start:old_end]` became `new[new_start:new_end]`."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int

    def moved(self, old: int, new: int) -> Range:
        """The range so many lines further down."""
        return Range(self.old_start + old, self.old_end + old, self.new_start + new, self.new_end + new)


def changed_ranges(old: Sequence[str], new: Sequence[str]) -> list[Range]:
    """Where two texts differ, in order, never touching each other."""
    if len(old) <= 1 >= len(new):  # most changes of a patch: no need to search
        return [] if [*old] == [*new] else [Range(0, len(old), 0, len(new))]
    found: list[Range] = []
    todo = [Range(0, len(old), 0, len(new))]
    while todo:
        block = _trim(old, new, todo.pop())
        if block.old_start == block.old_end or block.new_start == block.new_end:
            if block.old_start != block.old_end or block.new_start != block.new_end:
                found.append(block)
            continue
        anchors = _anchors(old, new, block)
        if anchors:
            todo += reversed(_between(block, anchors))
        else:
            found += _small(old, new, block)
    return joined(found)


class Side(msgspec.Struct, frozen=True):
    """One side of a diff."""

    lines: Sequence[str]
    """Without line ends."""
    final_newline: bool
    """Whether the last line ends in a newline."""


def difference(old: Side, new: Side) -> list[Range]:
    """Where two sides differ, a newline missing at the end included."""
    if old.final_newline and new.final_newline:
        return changed_ranges(old.lines, new.lines)
    return changed_ranges(_marked(old), _marked(new))


def _marked(side: Side) -> Sequence[str]:
    """The lines, the last one another when it has no newline."""
    if side.final_newline or not side.lines:
        return side.lines
    return [*side.lines[:-1], side.lines[-1] + "\n"]


def unified(old: Side, new: Side, ranges: Sequence[Range], *, context: int) -> str:
    """Unified diff text without file headers; empty when nothing differs.

    Args:
        old: Before.
        new: After.
        ranges: Where they differ, as `difference` gives them.
        context: Lines shown around a change.
    """
    out: list[str] = []
    for group in groups(ranges, context):
        first, last = group[0], group[-1]
        old_start = max(0, first.old_start - context)
        new_start = first.new_start - min(context, first.old_start)
        old_end = min(len(old.lines), last.old_end + context)
        new_end = last.new_end + old_end - last.old_end
        out.append(f"@@ -{_span(old_start, old_end)} +{_span(new_start, new_end)} @@\n")
        at = old_start
        for change in group:
            _emit(out, " ", old, at, change.old_start)
            _emit(out, "-", old, change.old_start, change.old_end)
            _emit(out, "+", new, change.new_start, change.new_end)
            at = change.old_end
        _emit(out, " ", old, at, old_end)
    return "".join(out)


def _emit(out: list[str], sign: str, side: Side, start: int, end: int) -> None:
    if start >= end:
        return
    out.append(sign + f"\n{sign}".join(side.lines[start:end]) + "\n")
    if end == len(side.lines) and not side.final_newline:
        out.append("\\ No newline at end of file\n")


def _span(start: int, end: int) -> str:
    """A range of a hunk header: 1-based, the line before it when it is empty."""
    if end - start == 1:
        return str(start + 1)
    return f"{start + (end > start)},{end - start}"


def groups(ranges: Sequence[Range], context: int) -> list[list[Range]]:
    """Changes whose context would touch, together."""
    groups: list[list[Range]] = []
    for change in ranges:
        if groups and change.old_start - groups[-1][-1].old_end <= 2 * context:
            groups[-1].append(change)
        else:
            groups.append([change])
    return groups


def _trim(old: Sequence[str], new: Sequence[str], block: Range) -> Range:
    """The block without the lines both sides begin and end with."""
    a, a_end, b, b_end = block.old_start, block.old_end, block.new_start, block.new_end
    while a + _STRIDE <= a_end and b + _STRIDE <= b_end and old[a : a + _STRIDE] == new[b : b + _STRIDE]:
        a, b = a + _STRIDE, b + _STRIDE
    while a < a_end and b < b_end and old[a] == new[b]:
        a, b = a + 1, b + 1
    while (
        a + _STRIDE <= a_end and b + _STRIDE <= b_end and old[a_end - _STRIDE : a_end] == new[b_end - _STRIDE : b_end]
    ):
        a_end, b_end = a_end - _STRIDE, b_end - _STRIDE
    while a < a_end and b < b_end and old[a_end - 1] == new[b_end - 1]:
        a_end, b_end = a_end - 1, b_end - 1
    return Range(a, a_end, b, b_end)


def _anchors(old: Sequence[str], new: Sequence[str], block: Range) -> list[tuple[int, int]]:
    """Pairs of lines that stand once on each side of the block, as many as keep both orders."""
    once_old = _once(old, block.old_start, block.old_end)
    once_new = _once(new, block.new_start, block.new_end)
    pairs = [(at, once_new[line]) for line, at in once_old.items() if line in once_new]
    return _rising(pairs)


def _once(lines: Sequence[str], start: int, end: int) -> dict[str, int]:
    """Lines that stand exactly once in the slice, with their index, in order."""
    seen: dict[str, int] = {}
    for index in range(start, end):
        line = lines[index]
        seen[line] = -1 if line in seen else index
    return {line: index for line, index in seen.items() if index >= 0}


def _rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest run of pairs, first members rising already, whose second members rise too."""
    from bisect import bisect_left  # as difflib: most patches never need it

    tails: list[int] = []
    tail_at: list[int] = []
    before = [-1] * len(pairs)
    for index, (_, second) in enumerate(pairs):
        length = bisect_left(tails, second)
        before[index] = tail_at[length - 1] if length else -1
        if length == len(tails):
            tails.append(second)
            tail_at.append(index)
        else:
            tails[length] = second
            tail_at[length] = index
    run: list[tuple[int, int]] = []
    index = tail_at[-1] if tail_at else -1
    while index >= 0:
        run.append(pairs[index])
        index = before[index]
    return run[::-1]


def _between(block: Range, anchors: list[tuple[int, int]]) -> list[Range]:
    parts: list[Range] = []
    a, b = block.old_start, block.new_start
    for anchor_a, anchor_b in anchors:
        if (a, b) != (anchor_a, anchor_b):
            parts.append(Range(a, anchor_a, b, anchor_b))
        a, b = anchor_a + 1, anchor_b + 1
    parts.append(Range(a, block.old_end, b, block.new_end))
    return parts


def _small(old: Sequence[str], new: Sequence[str], block: Range) -> list[Range]:
    """The differences in a block that has no line of its own to hold on to."""
    a, b = old[block.old_start : block.old_end], new[block.new_start : block.new_end]
    count = Counter(b)
    if not any(line in count for line in a) or sum(count[line] for line in a) > _DIFFLIB_BUDGET:
        return [block]
    from difflib import SequenceMatcher  # 5 ms, and most patches never need it

    found: list[Range] = []
    for tag, i, i_end, j, j_end in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag != "equal":
            found.append(
                Range(block.old_start + i, block.old_start + i_end, block.new_start + j, block.new_start + j_end)
            )
    return found


def joined(ranges: list[Range]) -> list[Range]:
    """The same changes, those that touch as one."""
    out: list[Range] = []
    for change in ranges:
        if out and out[-1].old_end == change.old_start and out[-1].new_end == change.new_start:
            out[-1] = Range(out[-1].old_start, change.old_end, out[-1].new_start, change.new_end)
        else:
            out.append(change)
    return out
