"""Where the chunks of an update stand in a file.

Source: spec/apply-patch.md section 4. Other than there: an addition without old lines stands where its `@@` says, when
that is one place; and lines that stand to the letter at one place of the file alone are found there, also above the
chunk before, or when no line is like their `@@`; line numbers in an `@@` tell which of several places is meant; added
lines are indented as the file is.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect, insort
from collections.abc import Sequence

import msgspec

from codex_kernel.patch.explain import explain_anchor, explain_lines
from codex_kernel.patch.indentation import indented_alike
from codex_kernel.patch.match import Beginnings, Haystack
from codex_kernel.patch.parse import Chunk
from codex_kernel.patch.text import FileText, readable
from codex_kernel.patch.unreadable import shows_unreadable, with_bytes
from codex_protocol.errors import PatchError

_LINE_NUMBERS = r"-\d+(?:,\d+)? \+\d+(?:,\d+)? ?@@ ?(?P<rest>.*)"
_FIRST_LINE = r"(?:-|lines? )(?P<number>\d+)"
_SAYS_NOTHING = r"(?:lines? )?[\d\s,:.…@+-]*"
"""An anchor of numbers, dots and signs alone: what stands for a place nobody looked up."""
_LONGEST_NUMBER = 10


class Placed(msgspec.Struct, frozen=True):
    """A chunk that has found its place."""

    start: int
    """Index of the first of its old lines, or of the line its new ones stand before."""
    body: Sequence[str]
    final_newline: bool


def place_chunks(text: FileText, chunks: Sequence[Chunk]) -> list[Placed]:
    """Where each chunk goes, in the file's order."""
    finder = _Finder(text, chunks)
    placed = [finder.place(number, chunk) for number, chunk in enumerate(chunks, 1)]
    placed.sort(key=lambda place: place.start)  # stable: additions at the end of the file come last, in their order
    return placed


class _Finder:
    """Finds chunks from the top of a file to its end."""

    def __init__(self, text: FileText, chunks: Sequence[Chunk]) -> None:
        self._count = len(chunks)
        self._lines = text.keys
        self._cursor = 0
        """First line after the last chunk that is in the file's order."""
        self._taken: list[tuple[int, int]] = []
        """Where the lines of chunks start and end, sorted."""
        vocabulary = [line[1:] for chunk in chunks for line in chunk.body if line[0] != "+"]
        for chunk in chunks:
            for anchor in chunk.anchors:
                vocabulary += (anchor, *_readings(anchor))
        self._haystack = Haystack(text.keys, vocabulary)
        self._beginnings: Beginnings | None = None
        self._absent: dict[tuple[str, bool], int] = {}
        """From which line on an anchor is nowhere."""

    def place(self, number: int, chunk: Chunk) -> Placed:
        name = f"chunk {number} of {self._count}" if self._count > 1 else "its chunk"
        old = chunk.old()
        if not old:
            start = self._after_anchors(name, chunk) if chunk.anchors and not chunk.at_end else len(self._lines)
            insort(self._taken, (start, start))
            return Placed(start, self._with_bytes(chunk.body, (), name), chunk.final_newline)
        start = self._search_start(chunk)
        hit, body = (None, chunk.body) if start is None else self._find(chunk, start)
        if start is not None and hit is not None and chunk.anchors and not chunk.at_end:
            hit = self._by_line_number(name, chunk, body, hit)
        if hit is None:
            hit, body = self._only_place(chunk, old), chunk.body
        if hit is None and start is None:
            raise explain_anchor(name, chunk.anchors, self._lines, self._haystack, self._cursor)
        if hit is None:
            raise explain_lines(name, chunk, self._lines, self._haystack, self._cursor, self._is_free)
        end = hit + sum(line[0] != "+" for line in body)
        self._cursor = max(self._cursor, end)
        insort(self._taken, (hit, end))
        found = self._lines[hit:end]
        return Placed(hit, self._with_bytes(indented_alike(body, found), found, name), chunk.final_newline)

    def _with_bytes(self, body: Sequence[str], found: Sequence[str], name: str) -> Sequence[str]:
        return with_bytes(body, found, name) if shows_unreadable(body) and self._has_unreadable else body

    @functools.cached_property
    def _has_unreadable(self) -> bool:
        return any(readable(line) != line for line in self._lines)

    def _only_place(self, chunk: Chunk, old: Sequence[str]) -> int | None:
        """Where the old lines stand to the letter, if that is one free place and the chunk says nothing against it."""
        if chunk.at_end or not chunk.final_newline or not re.search(r"\w", "".join(old)):
            return None  # blank lines and brackets tell no place
        hit = self._haystack.find_only(old)
        if hit is None or not self._is_free(hit, hit + len(old)):
            return None
        if chunk.anchors:
            scope = self._scope(chunk.anchors, 0)
            if scope is None:
                return hit if sum(not line.isspace() for line in old if line) > 1 else None
            return hit if scope - 1 <= hit else None
        return hit

    def _is_free(self, start: int, end: int) -> bool:
        """Whether no chunk before has lines between `start` and `end`."""
        at = bisect(self._taken, (start, end))
        above, below = self._taken[max(0, at - 1) : at], self._taken[at : at + 1]
        return all(taken[1] <= start for taken in above) and all(end <= taken[0] for taken in below)

    def _by_line_number(self, name: str, chunk: Chunk, body: Sequence[str], hit: int) -> int:
        """The hit that the anchors' line numbers mean, where there are several.

        Raises:
            PatchError: There are several, and the anchors leave open which is meant.
        """
        old = tuple(line[1:] for line in body if line[0] != "+")
        for anchor in chunk.anchors:
            numbers = re.match(_FIRST_LINE, anchor.strip(), re.IGNORECASE) if _readings(anchor) else None
            wanted = int(numbers["number"]) - 1 if numbers and len(numbers["number"]) < _LONGEST_NUMBER else -1
            if wanted == hit:
                return hit
            if wanted < 0 or self._haystack.find(old, start=wanted) != wanted:
                continue
            if wanted > hit or (self._is_free(wanted, wanted + len(old)) and self._is_below(chunk.anchors, wanted)):
                return wanted
        again = self._haystack.find_again(old, hit)
        if again is not None and self._leave_open(chunk.anchors, hit, again):
            raise PatchError(
                f"{name} fits at line {hit + 1} and at line {again + 1}, and its @@ line does not tell which. "
                "Put a whole line that stands above the place behind @@."
            )
        return hit

    def _is_below(self, anchors: Sequence[str], line: int) -> bool:
        scope = self._scope(anchors, 0)
        return scope is not None and scope <= line

    def _leave_open(self, anchors: Sequence[str], hit: int, again: int) -> bool:
        """Whether the anchors fit a place as well as another below it."""
        if self._names_no_line(anchors[-1]):
            return True
        if self._beginnings is None or self._haystack.find((anchors[-1],)) is not None:
            return False  # a whole line: the first place below it is meant
        named_again = self._beginnings.find(anchors[-1].strip(), hit + 1)
        return named_again is not None and named_again <= again

    def _names_no_line(self, anchor: str) -> bool:
        """Whether no line is meant right above the place: what follows line numbers is a heading far above."""
        says_no_line = _readings(anchor) == ("",) or re.fullmatch(_LINE_NUMBERS, anchor)
        return bool(says_no_line) and self._haystack.find((anchor,)) is None

    def _find(self, chunk: Chunk, start: int) -> tuple[int | None, Sequence[str]]:
        """The first hit; blank lines at the chunk's end are given up when they are what does not fit."""
        at_end = chunk.at_end or not chunk.final_newline
        old = chunk.old()
        if (hit := self._haystack.find(old, start, at_end=at_end)) is not None:
            return hit, chunk.body
        blank = _blank_at_end(old)
        fewest = max(1, len(old) - (blank if blank < len(old) else 1))  # blank lines alone tell no place
        if at_end:
            fitting = fewest + _blank_at_end(self._lines)
        else:  # with fewer lines it is found wherever it is with more
            counts = range(fewest, len(old))
            fitting = fewest - 1 + bisect(counts, 0, key=lambda count: self._haystack.find(old[:count], start) is None)
        hit = self._haystack.find(old[:fitting], start, at_end=at_end) if fewest <= fitting < len(old) else None
        return hit, chunk.body if hit is None else _without_last_old(chunk.body, len(old) - fitting)

    def _search_start(self, chunk: Chunk) -> int | None:
        """The first line where the old lines may stand; None when the file does not have the anchors."""
        if not chunk.anchors:
            return self._cursor
        start = self._scope(chunk.anchors, self._cursor)
        if start is None:
            # The scope of the chunk before may be named again: its line stands further up.
            start = self._scope(chunk.anchors, 0)
        if start is None:
            return None
        start = max(start, self._cursor)
        if start > self._cursor and self._find(chunk, start)[0] is None:
            return start - 1  # the anchor is often repeated as the first line of context
        return start

    def _after_anchors(self, name: str, chunk: Chunk) -> int:
        named = f"{name} only adds lines, and '@@ {readable(chunk.anchors[-1])}'"
        if self._lines and self._names_no_line(chunk.anchors[-1]):
            raise PatchError(f"{named} does not name the line above them. Add that line as context.")
        start = self._scope(chunk.anchors, self._cursor, whole=True)
        if start is None:
            raise explain_anchor(name, chunk.anchors, self._lines, self._haystack, self._cursor)
        again = self._scope(chunk.anchors, start, whole=True) if len(chunk.anchors) == 1 else None
        if again is not None:
            raise PatchError(
                f"{named} is at line {start} and again at line {again}. Add the line above or below them as context."
            )
        self._cursor = start
        return start

    def _scope(self, anchors: Sequence[str], start: int, *, whole: bool = False) -> int | None:
        """The line after the last anchor.

        Args:
            anchors: Outermost first; each is looked for after the one before.
            start: Index of the first line to look at.
            whole: Only whole lines count; else an anchor may also be the beginning of a line.
        """
        for anchor in anchors:
            if start >= self._absent.get((anchor, whole), len(self._lines) + 1):
                return None
            hit = self._anchor(anchor, start, whole=whole)
            if hit is None:
                self._absent[anchor, whole] = start
                return None
            start = hit + 1
        return start

    def _anchor(self, anchor: str, start: int, *, whole: bool) -> int | None:
        """The line an anchor names at or after `start`; the one before `start` when it names none at all."""
        hit = self._haystack.find((anchor,), start)
        for reading in _readings(anchor) if hit is None else ():
            hit = self._haystack.find((reading,), start) if reading else start - 1
            if hit is not None:
                break
        if hit is None and not whole:
            self._beginnings = self._beginnings or Beginnings(self._lines)
            hit = self._beginnings.find(anchor.strip(), start)
        return hit


def _readings(anchor: str) -> tuple[str, ...]:
    """What else an anchor may mean: without a unified diff's line numbers, without a second `@@`."""
    numbers = re.fullmatch(_LINE_NUMBERS, anchor)
    if numbers:
        return (numbers["rest"].strip(),)
    if re.fullmatch(_SAYS_NOTHING, anchor.strip(), re.IGNORECASE):
        return ("",)
    return (anchor.rstrip()[:-2].rstrip(),) if anchor.rstrip().endswith(" @@") else ()


def _blank_at_end(lines: Sequence[str]) -> int:
    return next((count for count, line in enumerate(reversed(lines)) if line.strip()), len(lines))


def _without_last_old(body: Sequence[str], count: int) -> Sequence[str]:
    """The body without its last, blank, old lines, and without as many blank lines at the end of the new ones."""
    lines = list(body)
    after: list[str] = []
    """Reversed."""
    while count:
        line = lines.pop()
        if line[0] == "+":
            after.append(line)
            continue
        count -= 1
        if line[0] == " " and not after:
            continue
        if line[0] == " ":
            after.append("+")  # it stands before lines that are added
        if after[:1] == ["+"]:
            del after[0]
        elif not after and lines[-1:] == ["+"]:
            del lines[-1]
        elif not after and lines[-1:] == [" "]:
            lines[-1] = "-"  # one of the blank lines goes, if there are fewer of them
    return [*lines, *reversed(after)]
