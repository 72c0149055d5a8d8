"""Where a run of lines stands in a file: exactly first, then ever more forgiving.

Source: spec/apply-patch.md section 3. Lines become code points and `str.find` does the search, so that it is linear
whatever a file repeats.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

_LOOKALIKES = {
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212), "-"),
    **dict.fromkeys(range(0x2018, 0x201C), "'"),
    **dict.fromkeys(range(0x201C, 0x2020), '"'),
    **dict.fromkeys((0xA0, *range(0x2002, 0x200B), 0x202F, 0x205F, 0x3000), " "),
}
_UNREADABLE = "[\udc80-\udcff\ufffd]+"
_CODES = 0x10FFFF
"""Code points besides 0, which stands for every line no pattern has."""


def _exact(line: str) -> str:
    return line


def _plain(line: str) -> str:
    """The line trimmed, with typographic dashes, quotes and spaces as on a keyboard, bytes that are not UTF-8 alike."""
    line = line.strip()
    if line.isascii():
        return line
    return re.sub(_UNREADABLE, "\ufffd", line).translate(_LOOKALIKES).strip()


PASSES: tuple[Callable[[str], str], ...] = (_exact, str.rstrip, str.strip, _plain)
"""How lines are compared, strictest first; an exact hit further down wins over a forgiving one further up."""


class Haystack:
    """A file's lines, to be searched for patterns made of the lines of `vocabulary`.

    Args:
        lines: Without line ends.
        vocabulary: Every line that will stand in a pattern.
    """

    def __init__(self, lines: Sequence[str], vocabulary: Iterable[str]) -> None:
        self.lines = lines
        self._vocabulary = tuple(dict.fromkeys(vocabulary))
        self._passes: dict[int, tuple[dict[str, str], str]] = {}

    def find(self, pattern: Sequence[str], start: int = 0, *, at_end: bool = False) -> int | None:
        """Index of the first line of the first hit at or after `start`.

        Args:
            pattern: Lines of the vocabulary; an empty one is found at `start`.
            start: Index of the first line to look at.
            at_end: Only where the pattern ends at the end of the file.
        """
        if not pattern:
            return start
        last = len(self.lines) - len(pattern)
        if at_end:
            start = max(start, last)
        if start > last:
            return None
        for number in range(len(PASSES)):
            hit = self._find_in_pass(number, pattern, start)
            if hit is not None:
                return hit
        return None

    def find_only(self, pattern: Sequence[str]) -> int | None:
        """Index of the first line of the exact hit, when there is one in the whole file and no second."""
        hit = self._find_in_pass(0, pattern, 0) if pattern else None
        return hit if hit is not None and self._find_in_pass(0, pattern, hit + 1) is None else None

    def find_again(self, pattern: Sequence[str], hit: int) -> int | None:
        """Index of the first line of the next hit after `hit`, compared no more forgivingly than that one was."""
        for number in range(len(PASSES)):
            if self._find_in_pass(number, pattern, hit) == hit:
                return self._find_in_pass(number, pattern, hit + 1)
        return None

    def _find_in_pass(self, number: int, pattern: Sequence[str], start: int) -> int | None:
        if number not in self._passes:
            self._passes[number] = self._encode(PASSES[number])
        codes, text = self._passes[number]
        form = PASSES[number]
        wanted = [form(line) for line in pattern]
        needle = "".join([codes[line] for line in wanted])
        hit = text.find(needle, start)
        # Past 1.1 million different lines two of them share a code point.
        while hit >= 0 and len(codes) > _CODES and [form(self.lines[hit + k]) for k in range(len(wanted))] != wanted:
            hit = text.find(needle, hit + 1)
        return hit if hit >= 0 else None

    def _encode(self, form: Callable[[str], str]) -> tuple[dict[str, str], str]:
        codes: dict[str, str] = {}
        for line in self._vocabulary:
            codes.setdefault(form(line), chr(1 + len(codes) % _CODES))
        get = codes.get
        if form is _exact:
            return codes, "".join([get(line, "\0") for line in self.lines])
        return codes, "".join([get(form(line), "\0") for line in self.lines])


class Beginnings:
    """A file's lines, to be searched for how they begin, indentation aside.

    Args:
        lines: Without line ends.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        trimmed = [line.lstrip() for line in lines]
        self._text = "\n".join(["", *trimmed])
        self._ends = list(accumulate((len(line) + 1 for line in trimmed), initial=0))
        """Where the newline before each line is."""
        self._sorted = sorted(trimmed)
        """Tells at once of most beginnings that there is none."""

    def find(self, beginning: str, start: int) -> int | None:
        """Index of the first line at or after `start` that begins so, with a whole last word."""
        after = bisect_left(self._sorted, beginning)
        if after == len(self._sorted) or not self._sorted[after].startswith(beginning):
            return None
        wanted = f"\n{beginning}"
        hit = self._text.find(wanted, self._ends[start])
        while hit >= 0 and re.match(r"\w\w", beginning[-1] + self._text[hit + len(wanted) : hit + len(wanted) + 1]):
            hit = self._text.find(wanted, hit + 1)
        return bisect_left(self._ends, hit) if hit >= 0 else None


def seek_sequence(lines: Sequence[str], pattern: Sequence[str], start: int = 0, *, at_end: bool = False) -> int | None:
    """Index of the first line of `pattern` in `lines`; None when it is not there."""
    return Haystack(lines, pattern).find(pattern, start, at_end=at_end)
