"""An argument vector as one shell line, quoted as upstream quotes it: `/bin/bash -lc 'echo hi'`.

Source: spec/exec.md section 1. `shlex.quote` differs: it leaves `,=%` bare and breaks words at each single quote.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_BARE, _SINGLE, _DOUBLE = 4, 2, 1
_BARE_WORD = r"[A-Za-z0-9+\-./:@\]_]+\Z"
_not_single = frozenset("'^\\")
_not_double = frozenset("`$!^")


def join_words(argv: Sequence[str]) -> str:
    """The words with blanks between them, each quoted where a shell would not read it back as it is."""
    if any("\0" in word for word in argv):
        return " ".join(argv)  # no quoting carries a NUL
    return " ".join(map(quote_word, argv))


def quote_word(word: str) -> str:
    """The word as a shell reads it back: bare, in one kind of quotes, or in as few pieces as it takes."""
    if not word:
        return "''"
    if re.match(_BARE_WORD, word):
        return word
    pieces: list[str] = []
    start = 0
    while start < len(word):
        end, style = _longest_piece(word, start)
        pieces.append(_quoted(word[start:end], style))
        start = end
    return "".join(pieces)


def _longest_piece(word: str, start: int) -> tuple[int, int]:
    """Where the piece that begins at `start` ends, and the plainest quotes all of it can stand in."""
    allowed = _BARE | _SINGLE | _DOUBLE
    at = start
    if word[at] == "^":
        # bash treats a caret in the middle of a quoted word as history; only right after the quote is it safe.
        allowed = _SINGLE
        at += 1
    while at < len(word) and (narrowed := allowed & _styles(word[at])):
        allowed = narrowed
        at += 1
    return at, allowed


def _styles(character: str) -> int:
    styles = _BARE if re.match(_BARE_WORD, character) else 0
    if character not in _not_single:
        styles |= _SINGLE
    if character not in _not_double:
        styles |= _DOUBLE
    return styles


def _quoted(piece: str, allowed: int) -> str:
    if allowed & _BARE:
        return piece
    if allowed & _SINGLE:
        return f"'{piece}'"
    return '"' + piece.replace("\\", "\\\\").replace('"', '\\"') + '"'
