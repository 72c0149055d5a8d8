"""What is searched: the paths of a project in the order ties are broken in, and who picks the likely ones among them.

`frizbee` compares all paths in a millisecond or so for each 20,000, without holding the interpreter's lock; where it
is not installed, the same is done here, slowly enough to be felt beyond 10,000 files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from codex_kernel.search.score import Term, matches, without_accents
from codex_kernel.search.sure import Lines

if TYPE_CHECKING:
    from frizbee import Haystacks


_MANY = 10_000
_THREADS = min(4, os.cpu_count() or 1)
"""So many threads compare texts, where there are many of them."""


class Cancelled(Exception):
    """A newer question has come; nobody waits for this one."""


class Picker(Protocol):
    """Picks from a list of texts those that may match best."""

    def pick(
        self, terms: Sequence[Term], limit: int, within: Sequence[int] | None, stopped: Callable[[], bool]
    ) -> list[int]:
        """Numbers of at most `limit` texts, the most promising first; fewer than `limit` are all that match.

        Args:
            terms: All of them have to match.
            limit: How many are worth a closer look.
            within: Only these texts; None: all of them.
            stopped: Asked now and then.

        Raises:
            Cancelled: `stopped` said so.
        """
        ...


class Candidates:
    """The files and directories of one moment; never changes.

    Attributes:
        paths: Relative to the root, shortest first, then by name: of equal matches the short ones are kept.
        names: The last part of each path; empty for a directory, which is found by its whole path alone.
        by_path, by_name: Pick the likely ones.
        path_lines, name_lines: Know the sure ones.
    """

    __slots__ = ("_by_name", "by_name", "by_path", "directories", "name_lines", "names", "path_lines", "paths")

    def __init__(self, files: Iterable[str], directories: Iterable[str], *, fast: bool | None = None) -> None:
        """Take paths with `/` between their parts.

        Args:
            files: Everything that is no directory.
            directories: Those to be found themselves.
            fast: Whether `frizbee` is used; None: where it is installed.
        """
        folders = set(directories)
        self.paths = sorted({*files, *folders})
        self.paths.sort(key=len)
        self.directories = bytes(path in folders for path in self.paths)
        self.names = [
            "" if is_directory else path[path.rfind("/") + 1 :]
            for path, is_directory in zip(self.paths, self.directories, strict=True)
        ]
        self.by_path = make_picker(self.paths, fast=fast)
        self.by_name = make_picker(self.names, fast=fast)
        self.path_lines = Lines(self.paths)
        self.name_lines = Lines(self.names)
        self._by_name: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def directory_named(self, term: Term) -> int | None:
        """The directory of exactly that name, the one with the shortest path where there are several."""
        if self._by_name is None:
            found: dict[str, int] = {}
            for number, is_directory in enumerate(self.directories):
                if is_directory:
                    path = self.paths[number]
                    found.setdefault(path[path.rfind("/") + 1 :].lower(), number)
            self._by_name = found
        return self._by_name.get(term.text.lower())


def make_picker(texts: Sequence[str], *, fast: bool | None = None) -> Picker:
    """The fast picker where `frizbee` is installed, else the plain one; `fast` forces one of them."""
    if fast is not False:
        try:
            return FastPicker(texts)
        except ImportError:
            if fast:
                raise
    return PlainPicker(texts)


class FastPicker:
    """Picks with `frizbee`, its scoring set as near to ours as it goes."""

    def __init__(self, texts: Sequence[str]) -> None:
        from frizbee import Haystacks, Scoring

        self._texts = texts
        # It knows no letters without their accents: both sides go without them, and the exact score sorts out the rest.
        self._haystacks: Haystacks = Haystacks(list(map(without_accents, texts)))
        # With these, the best 50 of the few hundred it picks are those of all paths in nearly every case. A gap costs
        # more than in our score: there it ends a run, and with it the bonus of every letter that follows.
        self._scoring = Scoring(
            match_score=16,
            gap_open_penalty=12,
            gap_extend_penalty=1,
            prefix_bonus=18,
            capitalization_bonus=5,
            matching_case_bonus=0,
            exact_match_bonus=64,
            delimiter_bonus=16,
        )

    def pick(
        self, terms: Sequence[Term], limit: int, within: Sequence[int] | None, stopped: Callable[[], bool]
    ) -> list[int]:
        """See `Picker`; equal ones come in the order of the texts."""
        from frizbee import Haystacks, Matcher, Pattern

        if stopped():
            raise Cancelled
        patterns = [
            Pattern(without_accents(term.text), casing="respect" if term.case_matters else "ignore", unicode="always")
            for term in terms
        ]
        matcher = Matcher.from_patterns(
            patterns, max_typos=0, max_items=limit, sort="score_then_index_asc", scoring=self._scoring
        )
        if within is None:
            threads = _THREADS if len(self._texts) >= _MANY else 1
            return [match.index for match in matcher.match_list_parallel(self._haystacks, threads)]
        some = Haystacks([without_accents(self._texts[number]) for number in within])
        return [within[match.index] for match in matcher.match_list(some)]


class PlainPicker:
    """Picks without help: all that match, those first that hold the first term in one piece."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def pick(
        self, terms: Sequence[Term], limit: int, within: Sequence[int] | None, stopped: Callable[[], bool]
    ) -> list[int]:
        """See `Picker`."""
        whole: list[int] = []
        spread: list[int] = []
        first = terms[0]
        numbers = range(len(self._texts)) if within is None else within
        for count, number in enumerate(numbers):
            if count % 1024 == 0 and stopped():
                raise Cancelled
            text = self._texts[number]
            if not text or not matches(terms, text):
                continue
            if first.text in first.fold(text):
                whole.append(number)
                if len(whole) >= limit:
                    break
            else:
                spread.append(number)
        return (whole + spread)[:limit]
