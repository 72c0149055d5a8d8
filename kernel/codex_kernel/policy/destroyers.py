"""Which paths a command would remove or overwrite, as far as its words tell.

Source: the pre-flight for destroyers. Programs that edit files in place and interpreters are not looked into.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from codex_kernel.policy.destroyers_find import deleted_by_find, matched_by_find
from codex_kernel.policy.destroyers_git import destroyed_by_git
from codex_kernel.policy.shell_syntax import Word
from codex_kernel.policy.shell_walk import FoundCommand
from codex_kernel.policy.targets import Place, Target, has_option, operands
from codex_kernel.policy.wrappers import Inner, command_of, unwrap

_MAX_DEPTH = 6
_TRUNCATING = frozenset({">", ">|", "&>"})


def targets(argv: tuple[str, ...], cwd: Path) -> tuple[Target, ...]:
    """What the command would destroy. Reads directories (wildcards, `find`), nothing else; no order, no doubles."""
    return tuple(dict.fromkeys(_targets(command_of(argv), cwd, _MAX_DEPTH)))


def _targets(command: FoundCommand, cwd: Path, depth: int) -> list[Target]:
    if depth == 0:
        return []
    place = Place(cwd, command.changes)
    found = _redirected(command, place)
    if not command.words:
        return found
    program = os.path.basename(command.words[0].text)
    unwrapped = unwrap(command)
    if program == "git" and unwrapped is None:
        found += destroyed_by_git(command, place)
    elif program in _PROGRAMS:
        found += _PROGRAMS[program](command, place)
    for inner in unwrapped.inner if unwrapped else ():
        found += _inner_targets(inner, command, place, cwd, depth)
    return found


def _inner_targets(inner: Inner, outer: FoundCommand, place: Place, cwd: Path, depth: int) -> list[Target]:
    if not inner.more:
        return _targets(inner.command, cwd, depth - 1)
    words = tuple(word for word in inner.command.words if word.text != "{}")
    known = _targets(inner.command._replace(words=words, redirects=()), cwd, depth - 1)
    if not _destroys_its_operands(words):
        return known
    if os.path.basename(outer.words[0].text) == "find":
        recursive = has_option(inner.command, "rR", "--recursive")
        return known + matched_by_find(outer, place, "tree" if recursive else "file")
    return [*known, Target("unresolved", text=" ".join(outer.argv))]


def _destroys_its_operands(words: tuple[Word, ...]) -> bool:
    """Whether further arguments would be destroyed; looks through `sh -c` and the like."""
    if not words:
        return False
    program = os.path.basename(words[0].text)
    if program in {"rm", "unlink", "shred", "truncate", "tee", "mv", "cp", "install"}:
        return True
    unwrapped = unwrap(FoundCommand(words))
    return unwrapped is not None and any(_destroys_its_operands(inner.command.words) for inner in unwrapped.inner)


def _redirected(command: FoundCommand, place: Place) -> list[Target]:
    words = [redirect.target for redirect in command.redirects if redirect.operator in _TRUNCATING]
    return place.written(word for word in words if not word.text.startswith("/dev/"))


def _rm(command: FoundCommand, place: Place) -> list[Target]:
    recursive = has_option(command, "rR", "--recursive")
    return place.each(operands(command), "tree" if recursive else "file")


def _all_operands(command: FoundCommand, place: Place) -> list[Target]:
    return place.each(operands(command), "file")


def _overwrites(valued: str, long_valued: frozenset[str]) -> Callable[[FoundCommand, Place], list[Target]]:
    return lambda command, place: place.each(operands(command, valued, long_valued), "overwrite")


def _tee(command: FoundCommand, place: Place) -> list[Target]:
    return [] if has_option(command, "a", "--append") else place.written(operands(command))


def _dd(command: FoundCommand, place: Place) -> list[Target]:
    outputs = [
        word._replace(text=word.text[3:]) for word in command.words[1:] if word.known and word.text.startswith("of=")
    ]
    return place.written(word for word in outputs if not word.text.startswith("/dev/"))


def _moved(command: FoundCommand, place: Place) -> list[Target]:
    """`mv` and `cp` over files that are there; directories below directories are not compared."""
    if has_option(command, "nb", "--no-clobber", "--backup", "--update"):
        return []
    words = operands(command, "tSmog", frozenset({"--target-directory", "--suffix", "--mode", "--owner", "--group"}))
    into = _target_directory(command)
    if into is not None:
        sources = words
    elif len(words) < 2:
        return []
    else:
        *sources, into = words
    found: list[Target] = []
    for place_to in place.paths(into):
        if place_to.kind != "file":
            continue
        if not os.path.isdir(place_to.path) or has_option(command, "T", "--no-target-directory"):
            found.append(place_to._replace(kind="overwrite"))
        else:
            for source in place.each(sources, "file"):
                if source.kind == "file":
                    found.append(Target("overwrite", place_to.path / source.path.name))
    return found


def _target_directory(command: FoundCommand) -> Word | None:
    words = command.words
    for index, word in enumerate(words[1:], start=1):
        if word.text in {"-t", "--target-directory"} and index + 1 < len(words):
            return words[index + 1]
        if word.text.startswith("--target-directory="):
            return word._replace(text=word.text.partition("=")[2])
    return None


def _rsync(command: FoundCommand, place: Place) -> list[Target]:
    """With any `--delete…`, everything in the destination may go."""
    if not any(word.text.startswith(("--delete", "--del")) for word in command.words):
        return []
    if has_option(command, "n", "--dry-run"):
        return []
    words = operands(command, "efBTM", frozenset({"--exclude", "--include", "--rsh", "--filter", "--files-from"}))
    if len(words) < 2 or ":" in words[-1].text:
        return []
    return place.each(words[-1:], "tree")


_PROGRAMS: Mapping[str, Callable[[FoundCommand, Place], list[Target]]] = {
    "rm": _rm,
    "unlink": _all_operands,
    "shred": _overwrites("ns", frozenset({"--iterations", "--size", "--random-source"})),
    "truncate": _overwrites("sr", frozenset({"--size", "--reference"})),
    "tee": _tee,
    "dd": _dd,
    "mv": _moved,
    "cp": _moved,
    "install": _moved,
    "rsync": _rsync,
    "find": deleted_by_find,
}
