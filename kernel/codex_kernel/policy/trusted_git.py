"""Which git commands only read and run no program of their own accord.

The sandbox holds them besides: a repository's configuration can name programs that no argument shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_HARMLESS_GLOBALS = frozenset({"--no-pager", "--no-optional-locks"})
_NEVER = ("--output", "--ext-diff", "--textconv", "--open-files-in-pager", "--show-signature", "--exec-path")
_SHORTEST = len("--ou")
"""git takes unique abbreviations of long options."""


def reads_only(arguments: tuple[str, ...]) -> bool:
    """Whether `git` with these arguments is known to only read.

    Args:
        arguments: Everything behind `git`. Options before the subcommand are refused but for two harmless ones.
    """
    index = 0
    while index < len(arguments) and arguments[index] in _HARMLESS_GLOBALS:
        index += 1
    if index >= len(arguments):
        return False
    condition = _SUBCOMMANDS.get(arguments[index])
    return condition is not None and condition(arguments[index + 1 :])


def _shows(arguments: tuple[str, ...]) -> bool:
    for argument in arguments:
        if argument == "--":
            return True
        if argument.startswith("--"):
            name = argument.partition("=")[0]
            if any(len(name) >= _SHORTEST and never.startswith(name) for never in _NEVER):
                return False
            if re.match(r"--(?:format|pretty)", name) and "%G" in argument:  # runs the signature program
                return False
        elif argument.startswith("-O"):
            return False
    return True


_BRANCH_FLAG = re.compile(
    r"-[airqv]+|-vv|--(?:all|remotes|verbose|quiet|ignore-case|show-current|no-color|no-column|no-abbrev)"
    r"|--(?:sort|format|color|column|abbrev|contains|no-contains|merged|no-merged|points-at)(?:=.*)?"
)
_BRANCH_LISTS = re.compile(r"-l|--list|--(?:no-)?(?:contains|merged)(?:=.*)?|--points-at(?:=.*)?")


def _lists_branches(arguments: tuple[str, ...]) -> bool:
    """A bare name would make a branch; with a listing option it is a pattern or a commit."""
    lists = any(_BRANCH_LISTS.fullmatch(argument) for argument in arguments)
    return all(
        _BRANCH_FLAG.fullmatch(argument)
        or _BRANCH_LISTS.fullmatch(argument)
        or (lists and not argument.startswith("-"))
        for argument in arguments
    )


_SUBCOMMANDS: Mapping[str, Callable[[tuple[str, ...]], bool]] = {
    "status": _shows,
    "log": _shows,
    "diff": _shows,
    "show": _shows,
    "branch": _lists_branches,
}
