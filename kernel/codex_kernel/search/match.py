"""The paths that match a query best, in upstream's order.

The order, best first (found by asking release 0.169, see tests/kernel/search): a file named as the query (3); one
directory named so, that with the shortest path (2); files whose name alone matches (1); whole paths (0). Inside a step
the score counts, then, for who is among the best fifty, the shorter path, and for their order the path itself. A query
of several words is matched against whole paths only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import NamedTuple

from codex_kernel.search.candidates import Cancelled, Candidates
from codex_kernel.search.score import Case, Term, highest, same, score, terms_of
from codex_kernel.search.sure import is_sure

POOL = 50
"""How many of the best are put in order; no question is answered with more."""
_CLOSE_LOOK = 300
"""How many are scored exactly, of names and of paths."""
_MAX_QUERY = 200


class Match(NamedTuple):
    """One path."""

    path: str
    """Relative to the root, `/` between its parts."""
    score: int
    """Comparable between the matches of one query: the step in the upper bits, the score in the lower sixteen."""
    indices: tuple[int, ...]
    """Which characters of `path` matched, by number, ascending."""
    is_directory: bool


class Found(NamedTuple):
    """The answer to one query."""

    query: str
    matches: tuple[Match, ...]
    """Best first."""
    more: bool
    """Whether more paths match than are told."""
    remaining: Remaining


class Remaining(NamedTuple):
    """Everything that can still match when the query grows; what is not known is None."""

    candidates: Candidates | None
    query: str
    case: Case
    names: tuple[int, ...] | None
    paths: tuple[int, ...] | None


NOTHING_KNOWN = Remaining(None, "", "smart", None, None)


def _never() -> bool:
    return False


def find(
    candidates: Candidates,
    query: str,
    *,
    limit: int = POOL,
    case: Case = "smart",
    before: Remaining = NOTHING_KNOWN,
    stopped: Callable[[], bool] = _never,
    keep: Callable[[str], bool] | None = None,
) -> Found:
    """The best matches of `query`.

    Args:
        candidates: What is searched.
        query: Words that all have to match; blank: nothing is found.
        limit: At most this many, and never more than `POOL`.
        case: What capitals mean.
        before: `Found.remaining` of an earlier question; used where this query goes on from it.
        stopped: Asked now and then, from the thread this runs in.
        keep: Whether a path may be told; asked for the best ones only.

    Raises:
        Cancelled: `stopped` said so.
    """
    terms = terms_of(query[:_MAX_QUERY], case)
    if not terms or len(query) > _MAX_QUERY:
        return Found(query, (), False, NOTHING_KNOWN)
    known = before if _goes_on(before, candidates, query, case) else NOTHING_KNOWN
    search = _Search(candidates, terms, stopped)
    keep = None if keep is None else cache(keep)
    ranked: list[tuple[int, Match]] = []
    names: tuple[int, ...] | None = None
    paths: tuple[int, ...] | None = None
    if len(terms) == 1:
        sure = _first(search.surely_named(), keep, POOL + 1)
        if len(sure) > POOL:  # one more than are told: that there are more is known too
            return Found(query, _in_order(sure[:POOL], limit), True, Remaining(candidates, query, case, None, None))
        picked = candidates.by_name.pick(terms, _CLOSE_LOOK, known.names, stopped)
        names = tuple(sorted(picked)) if len(picked) < _CLOSE_LOOK else None
        ranked = search.named(picked)
    told = _allowed(ranked, keep, POOL)
    if len(told) < POOL and len(terms) == 1 and known.paths is None:
        room = POOL - len(told)
        sure = _first(search.surely_by_path({number for number, _ in ranked}), keep, room + 1)
        if len(sure) > room:
            best = _in_order([*told, *sure[:room]], limit)
            return Found(query, best, True, Remaining(candidates, query, case, names, None))
    if len(told) < POOL:
        # Not only what is not a name's match: a path that matches by its name may fill this list, and is then left out.
        picked = candidates.by_path.pick(terms, _CLOSE_LOOK + len(ranked), known.paths, stopped)
        complete = len(picked) < _CLOSE_LOOK + len(ranked)
        paths = tuple(sorted(picked)) if complete else None
        ranked += search.by_path(picked, {number for number, _ in ranked})
        told = _allowed(ranked, keep, POOL)
    best = _in_order(told, limit)
    more = len(told) > len(best) or len(ranked) > POOL or paths is None
    return Found(query, best, more, Remaining(candidates, query, case, names, paths))


def _in_order(told: Sequence[Match], limit: int) -> tuple[Match, ...]:
    return tuple(sorted(told, key=lambda match: (-match.score, match.path))[: min(limit, POOL)])


def _first(found: Iterator[Match], keep: Callable[[str], bool] | None, count: int) -> list[Match]:
    """The first that may be told."""
    return list(islice((match for match in found if keep is None or keep(match.path)), count))


class _Search:
    def __init__(self, candidates: Candidates, terms: Sequence[Term], stopped: Callable[[], bool]) -> None:
        self._candidates = candidates
        self._terms = tuple(terms)
        self._stopped = stopped

    def named(self, picked: Sequence[int]) -> list[tuple[int, Match]]:
        """The files whose names match, and the directory of that name."""
        term = self._terms[0]
        found: list[tuple[int, Match]] = []
        known: dict[str, tuple[int, tuple[int, ...]] | None] = {}
        for count, number in enumerate(picked):
            self._check(count)
            name = self._candidates.names[number]
            if name not in known:
                known[name] = score(self._terms, name)
            if (scored := known[name]) is not None:
                shift = len(self._candidates.paths[number]) - len(name)
                step = 3 if same(term, name) else 1
                found.append(self._match(number, step, scored[0], tuple(at + shift for at in scored[1])))
        directory = self._candidates.directory_named(term)
        if directory is not None and (scored := score(self._terms, self._candidates.paths[directory])) is not None:
            found.append(self._match(directory, 2, *scored))
        return found

    def by_path(self, picked: Sequence[int], taken: set[int]) -> list[tuple[int, Match]]:
        """The whole paths that match, without those that are found already."""
        found: list[tuple[int, Match]] = []
        for count, number in enumerate(picked):
            self._check(count)
            if number not in taken and (scored := score(self._terms, self._candidates.paths[number])) is not None:
                found.append(self._match(number, 0, *scored))
        return found

    def surely_named(self) -> Iterator[Match]:
        """What stands at the head of the list whatever else matches: as `named`, best first, while that is sure."""
        term, candidates = self._terms[0], self._candidates
        whole: set[int] = set()
        for number, _ in candidates.name_lines.hits(term, whole=True):
            whole.add(number)
            yield self._sure(number, 3, len(candidates.paths[number]) - len(candidates.names[number]))
        directory = candidates.directory_named(term) if is_sure(term) else None
        if directory is not None and (scored := score(self._terms, candidates.paths[directory])) is not None:
            yield self._match(directory, 2, *scored)[1]
        for number, _ in candidates.name_lines.hits(term):
            if number not in whole:
                yield self._sure(number, 1, len(candidates.paths[number]) - len(candidates.names[number]))

    def surely_by_path(self, taken: set[int]) -> Iterator[Match]:
        """The same of `by_path`."""
        for number, at in self._candidates.path_lines.hits(self._terms[0]):
            if number not in taken:
                yield self._sure(number, 0, at)

    def _sure(self, number: int, step: int, at: int) -> Match:
        needle = self._terms[0].text
        return self._match(number, step, highest(needle), tuple(range(at, at + len(needle))))[1]

    def _match(self, number: int, step: int, points: int, indices: tuple[int, ...]) -> tuple[int, Match]:
        directory = bool(self._candidates.directories[number])
        whole = step << 16 | min(points, 0xFFFF)
        return number, Match(self._candidates.paths[number], whole, indices, directory)

    def _check(self, count: int) -> None:
        if count % 64 == 0 and self._stopped():
            raise Cancelled


def _allowed(ranked: list[tuple[int, Match]], keep: Callable[[str], bool] | None, limit: int) -> list[Match]:
    """The best that may be told; the number of a candidate grows with the length of its path."""
    ranked.sort(key=lambda each: (-each[1].score, each[0]))
    if keep is None:
        return [match for _, match in ranked[:limit]]
    told: list[Match] = []
    for _, match in ranked:
        if len(told) >= limit:
            break
        if keep(match.path):
            told.append(match)
    return told


def _goes_on(before: Remaining, candidates: Candidates, query: str, case: Case) -> bool:
    """Whether everything that matches `query` is among what matched before."""
    return (
        before.candidates is candidates
        and before.case == case
        and bool(before.query)
        and query.startswith(before.query)
        and not before.query.endswith("\\")
    )
