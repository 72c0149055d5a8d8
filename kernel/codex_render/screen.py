"""A terminal or log that is written to line by line, with one status line below that comes and goes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_CLEAR = "\r\x1b[K"
_PARTS = re.compile(r"(\x1b\[[\d;]*m| +)")


class Screen:
    """Text goes out in order; the status line is taken away before each text and drawn again by `set_status`.

    The status line exists on a terminal only, and never while a line is unfinished.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        *,
        live: bool,
        width: Callable[[], int],
        paint_status: Callable[[str], str] = str,
    ) -> None:
        self._write = write
        self._paint_status = paint_status
        self._live = live
        self._width = width
        self._drawn = ""
        self._at_start = True
        self._buffer: list[str] = []

    @property
    def live(self) -> bool:
        """Whether there is a status line."""
        return self._live

    def put(self, text: str) -> None:
        """Add text; it goes out with the next `flush`."""
        if text:
            self._buffer.append(text)

    def line(self, text: str = "") -> None:
        """Add a whole line, on a line of its own."""
        self.fresh_line()
        self._buffer.append(text + "\n")

    def prose(self, text: str, *, hang: int = 0) -> None:
        """Add a line of words of ours; a terminal too narrow for it gets it broken between words.

        Args:
            text: May hold colours.
            hang: Columns that the lines after the first are indented.
        """
        self.line(wrap(text, self._width(), hang=hang) if self._live else text)

    def fresh_line(self) -> None:
        """End an unfinished line."""
        if not self._line_is_fresh():
            self._buffer.append("\n")

    def flush(self) -> None:
        """Send what was added, in one write."""
        if not self._buffer:
            return
        text = "".join(self._buffer)
        self._buffer.clear()
        self._at_start = text.endswith("\n")
        self._send((_CLEAR if self._drawn else "") + text)
        self._drawn = ""

    def set_status(self, text: str) -> None:
        """Draw the status line, or take it away when `text` is empty; nothing is sent when it stands there already."""
        self.flush()
        if not self._live or not self._at_start:
            return
        cut = fit(text, self._width() - 1)
        if cut == self._drawn:
            return
        self._send(_CLEAR + self._paint_status(cut))
        self._drawn = cut

    def _line_is_fresh(self) -> bool:
        return self._buffer[-1].endswith("\n") if self._buffer else self._at_start

    def _send(self, text: str) -> None:
        self._write(text.encode("utf-8", "replace"))


def fit(text: str, width: int) -> str:
    """As much of `text` as fits into `width` columns; wide characters count double, combining ones not at all."""
    if text.isascii():
        return text if len(text) <= width else text[: max(0, width - 1)] + "\u2026" * (width > 0)
    columns = 0
    for at, character in enumerate(text):
        columns += columns_of(character)
        if columns > width:
            return _trimmed(text[:at], width - 1) + "\u2026" if width > 0 else ""
    return text


def wrap(text: str, width: int, *, hang: int = 0) -> str:
    """`text` in lines of at most `width` columns, broken at spaces only: a longer word stays whole."""
    return "\n".join(_wrapped(line, width, hang) for line in text.split("\n"))


def _wrapped(line: str, width: int, hang: int) -> str:
    lines, column, space = [""], 0, ""
    for part in _PARTS.split(line):
        if part.startswith("\x1b"):
            lines[-1] += part
        elif part.isspace():
            space += part
        elif part:
            columns = sum(map(columns_of, part))
            if space and column > hang and column + len(space) + columns > width:
                lines.append(" " * hang + part)
                column = hang + columns
            else:
                lines[-1] += space + part
                column += len(space) + columns
            space = ""
    return "\n".join(lines) + space


def columns_of(character: str) -> int:
    """How many columns a terminal gives the character."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _trimmed(text: str, width: int) -> str:
    while text and sum(map(columns_of, text)) > width:
        text = text[:-1]
    return text
