"""Words of a command for display: quoting as a shell would read it, short paths, operands.

Source: spec/tools.md section 11 (quoting rules of its third-party library; `shlex.quote` differs).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

_BARE = re.compile(r"[A-Za-z0-9+\-./:@\]_]+")
_DULL_DIRECTORIES = frozenset({"", "build", "dist", "node_modules", "src"})


def quoted(argv: Iterable[str]) -> str:
    """One line a POSIX shell splits back into `argv`."""
    return " ".join(_quote(word) for word in argv)


def _quote(word: str) -> str:
    if _BARE.fullmatch(word):
        return word
    if not set(word) & set("'\\^"):
        return f"'{word}'"
    return '"' + re.sub(r'(["\\`$])', r"\\\1", word) + '"'


def split_words(line: str) -> tuple[str, ...] | None:
    """The words of a quoted line; None when its quotes do not match."""
    try:
        return tuple(shlex.split(line))
    except ValueError:
        return None


def short_path(path: str) -> str:
    """The last component that tells something: `webview/src` is `webview`."""
    trimmed = path.replace("\\", "/").rstrip("/")
    telling = [part for part in trimmed.split("/") if part not in _DULL_DIRECTORIES]
    return telling[-1] if telling else trimmed


def looks_like_path(word: str) -> bool:
    """Whether a word that may be a pattern or a path is rather a path."""
    return word in {".", ".."} or "/" in word or "\\" in word


def operands(arguments: Iterable[str], valued: frozenset[str] = frozenset()) -> Iterator[str]:
    """Arguments that are neither options nor the values of `valued` options; behind `--` all are."""
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            yield from rest
        elif argument in valued:
            next(rest, None)
        elif not argument.startswith("-") or argument == "-":
            yield argument


def is_line_range(text: str) -> bool:
    """`5p` or `1,20p`: what `sed -n` prints a part of a file with."""
    return re.fullmatch(r"[0-9]+(?:,[0-9]+)?p", text) is not None
