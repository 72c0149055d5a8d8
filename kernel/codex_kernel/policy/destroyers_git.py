"""What git commands throw away: changes to tracked files, untracked files, stashes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from codex_kernel.policy.shell_syntax import Word
from codex_kernel.policy.shell_walk import FoundCommand
from codex_kernel.policy.targets import Kind, Place, Target, has_option, operands
from codex_kernel.sandbox.git_files import git_root


def destroyed_by_git(command: FoundCommand, place: Place) -> list[Target]:
    """The targets of a git command without options before its subcommand."""
    if len(command.words) < 2:
        return []
    subcommand = command._replace(words=command.words[1:])
    condition = _SUBCOMMANDS.get(subcommand.words[0].text)
    return condition(subcommand, place) if condition else []


def _below(words: list[Word], kind: Kind, place: Place) -> list[Target]:
    """Pathspecs: what is no plain path stands for everything below the directory."""
    found: list[Target] = []
    for word in words:
        if not word.known or word.text.startswith(":") or (word.pattern is None and set(word.text) & set("*?[")):
            found += [Target(kind, directory) for directory in place.directories or ()] or [
                Target("unresolved", text=word.text)
            ]
        else:
            found += place.each([word], kind)
    return found


def _everywhere(kind: Kind, place: Place) -> list[Target]:
    """The whole working tree, wherever in it the command runs."""
    if place.directories is None:
        return [Target("unresolved", text="the working tree")]
    tops = [git_root(directory) for directory in place.directories]
    return [Target(kind, top) for top in tops if top is not None]


def _checkout(command: FoundCommand, place: Place) -> list[Target]:
    if has_option(command, "f", "--force"):
        return _everywhere("tracked", place)
    if has_option(command, "bB", "--orphan", "--detach"):
        return []
    texts = [word.text for word in command.words]
    if "--pathspec-from-file" in " ".join(texts):
        return _everywhere("tracked", place)
    if "--" in texts:
        return _below(list(command.words[texts.index("--") + 1 :]), "tracked", place)
    words = operands(command)
    if len(words) > 1:
        return _below(words[1:] + [word for word in words[:1] if _exists(word, place)], "tracked", place)
    return _below([word for word in words if _exists(word, place)], "tracked", place)


def _exists(word: Word, place: Place) -> bool:
    """A single operand is a branch or a path; a variable may be either."""
    if not word.known or word.pattern is not None or word.text.startswith(":"):
        return True
    return any(os.path.lexists(directory / word.text) for directory in place.directories or (Path("/"),))


def _restore(command: FoundCommand, place: Place) -> list[Target]:
    if has_option(command, "S", "--staged") and not has_option(command, "W", "--worktree"):
        return []
    if has_option(command, "", "--pathspec-from-file"):
        return _everywhere("tracked", place)
    return _below(operands(command, "s", frozenset({"--source"})), "tracked", place)


def _switch(command: FoundCommand, place: Place) -> list[Target]:
    return _everywhere("tracked", place) if has_option(command, "f", "--force", "--discard-changes") else []


def _reset(command: FoundCommand, place: Place) -> list[Target]:
    return _everywhere("tracked", place) if has_option(command, "", "--hard", "--merge") else []


def _clean(command: FoundCommand, place: Place) -> list[Target]:
    if has_option(command, "nX", "--dry-run"):  # -X removes ignored files only
        return []
    words = operands(command, "e", frozenset({"--exclude"}))
    if words:
        return _below(words, "untracked", place)
    return [Target("untracked", directory) for directory in place.directories or ()] or [
        Target("unresolved", text="the working tree")
    ]


def _rm(command: FoundCommand, place: Place) -> list[Target]:
    """Without `-f` git refuses to remove changed files."""
    if has_option(command, "n", "--cached", "--dry-run") or not has_option(command, "f", "--force"):
        return []
    return _below(operands(command), "tracked", place)


def _mv(command: FoundCommand, place: Place) -> list[Target]:
    words = operands(command)
    return place.each(words[-1:], "overwrite") if has_option(command, "f", "--force") and len(words) > 1 else []


def _stash(command: FoundCommand, place: Place) -> list[Target]:
    action = next((word.text for word in command.words[1:]), "")
    return [Target("gone", text=f"git stash entries ({action})")] if action in {"drop", "clear"} else []


def _worktree(command: FoundCommand, place: Place) -> list[Target]:
    words = operands(command)
    if words and words[0].text == "remove" and has_option(command, "f", "--force"):
        return place.each(words[1:], "tree")
    return []


def _checkout_index(command: FoundCommand, place: Place) -> list[Target]:
    return _everywhere("tracked", place) if has_option(command, "f", "--force") else []


def _read_tree(command: FoundCommand, place: Place) -> list[Target]:
    return _everywhere("tracked", place) if has_option(command, "u", "--reset") else []


_SUBCOMMANDS: Mapping[str, Callable[[FoundCommand, Place], list[Target]]] = {
    "checkout": _checkout,
    "restore": _restore,
    "switch": _switch,
    "reset": _reset,
    "clean": _clean,
    "rm": _rm,
    "mv": _mv,
    "stash": _stash,
    "worktree": _worktree,
    "checkout-index": _checkout_index,
    "read-tree": _read_tree,
}
