"""From the words of a destructive command to the paths they name on this disk."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from codex_kernel.policy.shell_syntax import Word
from codex_kernel.policy.shell_variables import TEMPORARY
from codex_kernel.policy.shell_walk import Change, FoundCommand

MAX_PATHS = 4_000
"""Paths looked at for one command; what goes beyond is named by its directory."""

Kind = Literal["file", "tree", "overwrite", "tracked", "untracked", "gone", "unresolved"]
"""What goes: a file; everything below; a file's content; changes to tracked files below; untracked files below;
something that is no file (`text` says what); it cannot be told (`text` is the source)."""


class Target(NamedTuple):
    """Something a command would destroy, if it is there."""

    kind: Kind
    path: Path = Path()
    """Absolute, for the first five kinds."""
    text: str = ""


class Place:
    """Where a command runs: the directory, or several when a `cd` may fail."""

    def __init__(self, cwd: Path, changes: tuple[Change, ...]) -> None:
        self.directories: tuple[Path, ...] | None = _directories(cwd, changes)
        """None: not known."""

    def paths(self, word: Word) -> Iterator[Target]:
        """The word's paths as `file` targets; an `unresolved` one when it cannot be told."""
        if word.text.startswith(TEMPORARY):
            return
        for each in _brace_expanded(word):
            yield from self._paths(each)

    def each(self, words: Iterable[Word], kind: Kind) -> list[Target]:
        """The targets of several words."""
        found = (target for word in words for target in self.paths(word))
        return [target._replace(kind=kind) if target.kind == "file" else target for target in found]

    def written(self, words: Iterable[Word]) -> list[Target]:
        """What is overwritten. A name that cannot be told is left out: `> out_$i.txt` is no sign of destruction."""
        return [target for target in self.each(words, "overwrite") if target.kind == "overwrite"]

    def _paths(self, word: Word) -> Iterator[Target]:
        if not word.known or not _can_be_a_name(word.text):
            yield Target("unresolved", text=word.text)
        elif word.text == "":
            return
        elif word.pattern is None and os.path.isabs(word.text):
            yield Target("file", Path(word.text))
        elif self.directories is None:
            yield Target("unresolved", text=word.text)
        else:
            for directory in self.directories:
                yield from _expanded(word, directory)


def _can_be_a_name(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:  # a lone surrogate
        return False


def _expanded(word: Word, directory: Path) -> Iterator[Target]:
    if str(directory).startswith(TEMPORARY):
        return
    if word.pattern is None:
        yield Target("file", directory / word.text)
        return
    pattern = word.pattern.replace("[^", "[!")
    matches = list(itertools.islice(glob.iglob(pattern, root_dir=directory), MAX_PATHS + 1))
    if len(matches) > MAX_PATHS:
        yield Target("unresolved", text=word.text)
        return
    for match in matches or [word.text]:
        yield Target("file", directory / match)


def _brace_expanded(word: Word) -> list[Word]:
    """`{a,b}.c` as two words; anything harder is left alone."""
    found = re.fullmatch(r"([\w./+@*?-]*)\{([\w./+@*?-]*(?:,[\w./+@*?-]*)+)\}([\w./+@*?-]*)", word.text)
    if word.known or found is None:
        return [word]
    texts = [f"{found[1]}{part}{found[3]}" for part in found[2].split(",")]
    return [Word(text, text if "*" in text or "?" in text else None) for text in texts]


def _directories(cwd: Path, changes: tuple[Change, ...]) -> tuple[Path, ...] | None:
    """Where a command may find itself after `changes`; a `cd` that may fail leaves both."""
    places = [cwd]
    for change in changes:
        if change.to.text.startswith(TEMPORARY):
            places = [Path(TEMPORARY)]
            continue
        if not change.to.known or change.to.pattern is not None or change.to.text == "-":
            return None
        entered = [Path(os.path.normpath(place / change.to.text)) for place in places]
        stay = (
            []
            if change.certain
            else [place for place, inner in zip(places, entered, strict=True) if not os.path.isdir(inner)]
        )
        places = list(dict.fromkeys(entered + stay))[:8]
    return tuple(places)


def operands(command: FoundCommand, valued: str = "", long_valued: frozenset[str] = frozenset()) -> list[Word]:
    """The words behind the program that are neither options nor values of options.

    Args:
        command: A command whose options may stand anywhere, as GNU programs take them.
        valued: Letters of short options whose value may be the next word.
        long_valued: Long options whose value may be the next word.
    """
    found: list[Word] = []
    words = iter(command.words[1:])
    for word in words:
        text = word.text
        if text == "--" and word.known:
            return [*found, *words]
        if text.startswith("--") and word.known:
            if text in long_valued:
                next(words, None)
        elif text.startswith("-") and len(text) > 1 and word.known:
            if text[-1] in valued and not set(text[1:-1]) & set(valued):
                next(words, None)
        else:
            found.append(word)
    return found


def has_option(command: FoundCommand, letters: str, *longs: str) -> bool:
    """Whether a short option with one of the letters, alone or in a cluster, or one of the long ones is given."""
    for word in command.words[1:]:
        if word.text == "--":
            return False
        if word.text.startswith("--"):
            if word.text.partition("=")[0] in longs:
                return True
        elif word.text.startswith("-") and set(word.text[1:]) & set(letters):
            return True
    return False
