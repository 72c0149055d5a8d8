"""The texts that match a word as well as any text can, found without a look at the others.

A word that stands in one piece at the start of a text or after a `/` has the highest score there is: every letter has
the bonus of the first. Of the texts that have it, those that come first are the best.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from codex_kernel.search.score import Term

_END = "\n"


class Hit(NamedTuple):
    """Where a word stands."""

    number: int
    """Of the text."""
    at: int
    """Of its first letter in that."""


class Lines:
    """Texts as one string in which each stands after a `/`; made once for each way to compare letters."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Take the texts, best first among equals."""
        self._text = "".join(f"/{text}{_END}" for text in texts)
        self._starts = array("L", accumulate((len(text) + 2 for text in texts), initial=0))
        self._folded: dict[tuple[bool, bool], str] = {}

    def hits(self, term: Term, *, whole: bool = False) -> Iterator[Hit]:
        """The texts that match a word best of all, in their order; none for a word that cannot tell.

        Args:
            term: The word.
            whole: Only texts that are that word.
        """
        if not is_sure(term):
            return
        folded = self._fold(term)
        wanted = f"/{term.text}{_END}" if whole else f"/{term.text}"
        at = folded.find(wanted)
        while at >= 0:
            number = bisect_right(self._starts, at) - 1
            length = self._starts[number + 1] - self._starts[number] - 2
            if not whole or length == len(term.text):  # a name may hold a line's end
                yield Hit(number, at - self._starts[number])
            at = folded.find(wanted, self._starts[number + 1])

    def _fold(self, term: Term) -> str:
        key = term.case_matters, term.plain
        if key not in self._folded:
            self._folded[key] = term.fold(self._text)
        return self._folded[key]


def is_sure(term: Term) -> bool:
    """Whether a text that has the word after a `/` surely has the highest score."""
    return term.text.isascii() and term.text[:1].isalnum() and _END not in term.text
