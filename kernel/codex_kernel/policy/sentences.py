"""How reasons are put into words."""

from __future__ import annotations

from collections.abc import Sequence

_SHOWN_PATHS = 5


def capital(sentence: str) -> str:
    """The sentence with a capital letter first."""
    return sentence[:1].upper() + sentence[1:]


def listed(paths: Sequence[str], more: int) -> str:
    """The first few paths, and how many more there are.

    Args:
        paths: All that are known by name.
        more: How many there are besides.
    """
    shown = ", ".join(paths[:_SHOWN_PATHS])
    rest = len(paths) - _SHOWN_PATHS + more if len(paths) > _SHOWN_PATHS else more
    return f"{shown} and {rest} more" if rest > 0 else shown
