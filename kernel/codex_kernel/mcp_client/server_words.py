"""What a server says of itself, as it is passed on to the model: only what a person could see too."""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def seen_by_people(text: str, max_chars: int) -> str:
    """The text without what no screen shows: direction marks, joiners, tag characters, controls; cut to a length."""
    cut = text[: 4 * max_chars]
    if cut.isascii() and cut.isprintable():
        return cut[:max_chars]
    kept = (c for c in cut if c in "\n\t" or unicodedata.category(c) not in _UNSEEN)
    return "".join(kept)[:max_chars]
