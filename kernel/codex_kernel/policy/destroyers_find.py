"""What `find … -delete` and `find … -exec rm {} +` would remove: the expression, tried on this disk.

Only conjunctions of simple tests are evaluated. A test that is not understood is left out, which finds more than
`find` would, never less.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from codex_kernel.policy.shell_syntax import Word
from codex_kernel.policy.shell_walk import FoundCommand
from codex_kernel.policy.targets import MAX_PATHS, Kind, Place, Target

_MAX_VISITED = 50_000
_WITHOUT_VALUE = frozenset(
    {"-delete", "-print", "-print0", "-depth", "-d", "-mount", "-xdev", "-noleaf", "-ls", "-prune", "-quit", "-true"}
    | {"-daystart", "-follow", "-readable", "-writable", "-executable", "-nouser", "-nogroup", "-a", "-and", "-false"}
    | {"-ignore_readdir_race", "-warn", "-nowarn", "-X", "-x", "-E", "-s"}
)
_ACTIONS_TO_SEMICOLON = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_TYPES: dict[str, Callable[[int], bool]] = {"f": stat.S_ISREG, "d": stat.S_ISDIR, "l": stat.S_ISLNK}


class _Candidate(NamedTuple):
    path: str
    """As find prints it: the starting point and what follows."""
    name: str
    mode: int
    empty: bool


_Test = Callable[[_Candidate], bool]


class _Expression(NamedTuple):
    tests: tuple[_Test, ...]
    min_depth: int
    max_depth: int


def deleted_by_find(command: FoundCommand, place: Place) -> list[Target]:
    """What the `-delete` action removes; directories only go when they are empty by then."""
    if not any(word.text == "-delete" for word in command.words):
        return []
    return matched_by_find(command, place, "file")


def matched_by_find(command: FoundCommand, place: Place, kind: Kind) -> list[Target]:
    """The paths the expression matches, as targets of `kind`; a starting point as a whole when they are too many."""
    starts, words = _split(command.words[1:])
    expression = _parse(words)
    found: list[Target] = []
    for word in starts or [Word(".")]:
        for start in place.paths(word):
            if start.kind != "file":
                found.append(start)
                continue
            shown = word.text if word.pattern is None else str(start.path)
            matches = list(_matches(start.path, shown, expression))
            if len(matches) > MAX_PATHS:
                found.append(Target("tree", start.path))
            else:
                found += [Target(kind, path) for path in matches]
    return found


def _split(words: tuple[Word, ...]) -> tuple[list[Word], tuple[Word, ...]]:
    """Starting points, and the expression behind them."""
    starts: list[Word] = []
    for index, word in enumerate(words):
        if word.text in {"-H", "-L", "-P"}:
            continue
        if word.known and (word.text.startswith("-") or word.text in {"(", "!", ")", ","}):
            return starts, words[index:]
        starts.append(word)
    return starts, ()


def _parse(words: tuple[Word, ...]) -> _Expression:
    tests: list[_Test] = []
    depths = {"-mindepth": 0, "-maxdepth": 10**6}
    simple = True
    negated = False
    index = 0
    while index < len(words):
        text = words[index].text
        index += 1
        if text in {"!", "-not"}:
            negated = not negated
            continue
        if text in {"-o", "-or", "(", ")", ","} or not words[index - 1].known:
            simple = False
        elif text in _ACTIONS_TO_SEMICOLON:
            while index < len(words) and words[index].text not in {";", "+"}:
                index += 1
            index += 1
        elif text == "-empty":
            tests.append(_negate(lambda candidate: candidate.empty, negated))
        elif text not in _WITHOUT_VALUE:
            value = words[index] if index < len(words) else Word("")
            index += 1
            if text in depths and value.text.isdigit():
                depths[text] = int(value.text)
            elif (test := _test(text, value)) is not None:
                tests.append(_negate(test, negated))
        negated = False
    return _Expression(tuple(tests) if simple else (), depths["-mindepth"], depths["-maxdepth"])


def _negate(test: _Test, negated: bool) -> _Test:
    return (lambda candidate: not test(candidate)) if negated else test


def _test(name: str, value: Word) -> _Test | None:
    """None for a test that is not evaluated here."""
    if not value.known:
        return None
    text = value.text
    match name:
        case "-name":
            return lambda candidate: fnmatch.fnmatchcase(candidate.name, text)
        case "-iname":
            return lambda candidate: fnmatch.fnmatchcase(candidate.name.lower(), text.lower())
        case "-path" | "-wholename":
            return lambda candidate: fnmatch.fnmatchcase(candidate.path, text)
        case "-ipath":
            return lambda candidate: fnmatch.fnmatchcase(candidate.path.lower(), text.lower())
        case "-type" if text in _TYPES:
            return lambda candidate: _TYPES[text](candidate.mode)
        case _:
            return None


def _matches(start: Path, shown: str, expression: _Expression) -> Iterator[Path]:
    """At most one more than `MAX_PATHS`; the start itself when there is too much to visit."""
    count = visited = 0
    level: list[tuple[Path, str, int]] = [(start, shown, 0)]
    while level:
        path, text, depth = level.pop()
        visited += 1
        if visited > _MAX_VISITED:
            yield from [start] * (MAX_PATHS + 1)
            return
        try:
            mode = os.lstat(path).st_mode
            children = sorted(os.listdir(path)) if stat.S_ISDIR(mode) and depth < expression.max_depth else []
            empty = not children if stat.S_ISDIR(mode) else os.lstat(path).st_size == 0
        except OSError:
            continue
        level += [(path / child, f"{text.rstrip('/')}/{child}", depth + 1) for child in children]
        candidate = _Candidate(text, os.path.basename(text.rstrip("/")) or text, mode, empty)
        if depth >= expression.min_depth and all(test(candidate) for test in expression.tests):
            count += 1
            yield path
            if count > MAX_PATHS:
                return
