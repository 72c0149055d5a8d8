"""Which file may be meant by a path that leads to none, for the model to mend its patch; nothing is guessed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

_QUOTES = "\"'`<>"
_LOOKED_AT = 5000
"""Names of a folder that are compared."""


def near_name(path: str, cwd: str, may_read: Callable[[Path], bool] | None) -> str | None:
    """A path of a file that is there, written like the missing one.

    Args:
        path: As the patch has it.
        cwd: Absolute; what `path` is relative to.
        may_read: Asked before a file is named; None: all may be.
    """
    bare = path.strip(_QUOTES)
    below = bare.partition("/")[2]
    guesses = [bare, below if bare.startswith(("a/", "b/", "/")) else "", *_alike(bare, cwd)]
    for guess in filter(None, guesses):
        place = os.path.join(cwd, guess)
        if os.path.isfile(place) and (may_read is None or may_read(Path(os.path.realpath(place)))):
            return guess
    return None


def _alike(path: str, cwd: str) -> list[str]:
    """Files of the folder with names like the path's last part, the most similar one first."""
    from difflib import get_close_matches

    folder, name = os.path.split(path)
    try:
        with os.scandir(os.path.join(cwd, folder)) as entries:
            names = [entry.name for entry, _ in zip(entries, range(_LOOKED_AT), strict=False)]
    except (OSError, ValueError):
        return []
    by_case = [other for other in sorted(names) if other.casefold() == name.casefold()]
    return [os.path.join(folder, other) for other in (*by_case, *get_close_matches(name, names, n=3, cutoff=0.8))]
