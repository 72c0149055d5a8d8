"""How well a path matches what was typed: the score and alignment upstream's search gives (nucleo's, for paths).

Source: spec/file-search.md section 4, and release 0.169 asked over its app-server: there the start of a text counts as
after a `/`, which alone is a delimiter, and a blank is worth no more than other punctuation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

Case = Literal["smart", "ignore"]
"""`smart`: a term with a capital letter is looked for as it is; `ignore`: capitals never matter."""

_MATCH = 16
_GAP_START, _GAP_MORE = 3, 1
_BOUNDARY, _AFTER_SLASH, _CAMEL, _CONSECUTIVE = 8, 9, 5, 4
_term = re.compile(r"(?:\\\s|\S)+")

# Classes of characters, in this order: what is above a slash is part of a word.
_BLANK, _OTHER, _SLASH, _LOWER, _UPPER, _LETTER, _DIGIT = range(7)


class Term:
    """One word of a query: every one has to match, anywhere and in any order."""

    __slots__ = ("case_matters", "plain", "text")

    def __init__(self, text: str, case: Case) -> None:
        self.case_matters = case == "smart" and text != text.lower()
        self.plain = without_accents(text) == text
        self.text = text if self.case_matters else _lower(text)

    def fold(self, text: str) -> str:
        """`text`, character by character, as the term is compared with it."""
        if text.isascii():
            return text if self.case_matters else text.lower()
        if self.plain:
            text = without_accents(text)
        return text if self.case_matters else _lower(text)


def terms_of(query: str, case: Case = "smart") -> tuple[Term, ...]:
    r"""The words of a query; `\ ` is a blank inside one. Nothing else has a meaning of its own."""
    return tuple(Term(re.sub(r"\\(?=\s)", "", word), case) for word in _term.findall(query))


def score(terms: Sequence[Term], text: str) -> tuple[int, tuple[int, ...]] | None:
    """The sum of the terms' best scores and the positions they matched at; None where a term does not match."""
    total = 0
    matched: set[int] = set()
    for term in terms:
        found = _best(term.text, term.fold(text), text)
        if found is None:
            return None
        total += found[0]
        matched.update(found[1])
    return total, tuple(sorted(matched))


def highest(needle: str) -> int:
    """The score of a word that stands in one piece at the start of a text or after a `/`; none is higher."""
    return _MATCH * len(needle) + _AFTER_SLASH * (len(needle) + 1)


def matches(terms: Sequence[Term], text: str) -> bool:
    """Whether every term is in `text`, its letters in order."""
    return all(_is_in(term.text, term.fold(text)) for term in terms)


def same(term: Term, name: str) -> bool:
    """Whether `name` is what was typed, but for capitals and accents."""
    return len(name) == len(term.text) and _lower(term.fold(name)) == _lower(term.text)


def _is_in(needle: str, folded: str) -> bool:
    at = -1
    for character in needle:
        at = folded.find(character, at + 1)
        if at < 0:
            return False
    return True


def _best(needle: str, folded: str, text: str) -> tuple[int, list[int]] | None:
    """The best alignment, by dynamic programming over the places where the letters stand.

    A cell is the best score with needle[row] matched at a place. It is reached from the place before it (a run goes
    on, and inherits its bonus) or over a gap.
    """
    if needle[:1].isalnum() and needle[0].isascii():  # nothing can be better than the whole of it after a slash
        at = 0 if folded.startswith(needle) else folded.find(f"/{needle}") + 1
        if at > 0 or folded.startswith(needle):
            return highest(needle), list(range(at, at + len(needle)))
    places = _places(needle, folded)
    if places is None:
        return None
    classes = _classes(text)
    scores: list[int] = []
    runs: list[int] = []  # the bonus each run began with
    for place in places[0]:
        bonus = _bonus(classes, place)
        scores.append(_MATCH + 2 * bonus)
        runs.append(bonus)
    came_from: list[list[int]] = []
    for row in range(1, len(needle)):
        scores, runs, back = _next_row(places[row - 1], places[row], scores, runs, classes)
        came_from.append(back)
    best = max(range(len(scores)), key=scores.__getitem__)
    indices = [places[-1][best]]
    at = best
    for row in range(len(needle) - 1, 0, -1):
        at = came_from[row - 1][at]
        indices.append(places[row - 1][at])
    return scores[best], indices[::-1]


def _next_row(
    before: list[int], here: list[int], scores: list[int], runs: list[int], classes: str
) -> tuple[list[int], list[int], list[int]]:
    """One more letter: its scores, its runs' bonuses, and which cell of the row before each came from."""
    new_scores: list[int] = []
    new_runs: list[int] = []
    back: list[int] = []
    reach, gap_from, next_gap = -1, -1, 0  # best score + place of cells at least two places back
    for place in here:
        while next_gap < len(before) and before[next_gap] < place - 1:
            if scores[next_gap] >= 0 and scores[next_gap] + before[next_gap] > reach:
                reach, gap_from = scores[next_gap] + before[next_gap], next_gap
            next_gap += 1
        bonus = _bonus(classes, place)
        skipped = max(0, reach - place - _GAP_START + 2 * _GAP_MORE) + bonus if gap_from >= 0 else -1
        run = bonus
        best, origin = skipped, gap_from
        if next_gap < len(before) and before[next_gap] == place - 1 and scores[next_gap] >= 0:
            inherited = max(runs[next_gap], _CONSECUTIVE)
            if bonus >= _BOUNDARY and bonus > inherited:
                inherited = bonus
            joined = scores[next_gap] + max(inherited, bonus)
            if joined > skipped:
                best, origin, run = joined, next_gap, inherited
        new_scores.append(best + _MATCH if origin >= 0 else -1)
        new_runs.append(run)
        back.append(origin)
    return new_scores, new_runs, back


def _places(needle: str, folded: str) -> list[list[int]] | None:
    """Where each letter can stand: after the first place for those before it, and before the last for those after."""
    if not needle:
        return None
    first: list[int] = []
    at = -1
    for character in needle:
        at = folded.find(character, at + 1)
        if at < 0:
            return None
        first.append(at)
    last = len(folded)
    places: list[list[int]] = []
    for row in range(len(needle) - 1, -1, -1):
        last = folded.rfind(needle[row], 0, last)
        character, at, row_places = needle[row], first[row], [first[row]]
        while at < last:
            at = folded.find(character, at + 1, last + 1)
            row_places.append(at)
        places.append(row_places)
    return places[::-1]


def _bonus(classes: str, place: int) -> int:
    return _BONUS[(classes[place - 1] if place else "2") + classes[place]]


def _classes(text: str) -> str:
    """The class of each character, as a digit."""
    if text.isascii():
        return text.translate(_ASCII)
    return "".join(map(_class_of, text))


@lru_cache(maxsize=2048)
def _class_of(character: str) -> str:
    if character == "/":
        return str(_SLASH)
    if character.isspace():
        return str(_BLANK)
    if character.islower():
        return str(_LOWER)
    if character.isupper():
        return str(_UPPER)
    if character.isnumeric():
        return str(_DIGIT)
    return str(_LETTER if character.isalpha() else _OTHER)


def _bonus_of(before: int, here: int) -> int:
    if here > _SLASH and before <= _SLASH:
        return _AFTER_SLASH if before == _SLASH else _BOUNDARY
    if (before == _LOWER and here == _UPPER) or (before != _DIGIT and here == _DIGIT):
        return _CAMEL
    return _BOUNDARY if here <= _OTHER else 0


_ASCII = {code: _class_of(chr(code)) for code in range(128)}
_BONUS = {f"{before}{here}": _bonus_of(before, here) for before in range(7) for here in range(7)}


def _lower(text: str) -> str:
    """Lower case, one character for one."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def without_accents(text: str) -> str:
    """`text` with Latin letters in place of those with accents, one character for one."""
    return text if text.isascii() else "".join(map(_base_letter, text))


@lru_cache(maxsize=2048)
def _base_letter(character: str) -> str:
    """The Latin letter under an accent; anything else stays."""
    base = unicodedata.normalize("NFD", character)[0]
    return base if base.isascii() and base.isalpha() else character
