"""Colours for Markdown as it streams onto a terminal: every character stays, so that what is copied is what was said.

Nothing is drawn twice and no width is needed: a few characters are held back where what follows decides.
"""

from __future__ import annotations

import re

_BOLD, _NOT_BOLD = "\x1b[1m", "\x1b[22m"
_DIM, _CODE, _NO_COLOUR, _OFF = "\x1b[2m", "\x1b[36m", "\x1b[39m", "\x1b[0m"
_START = re.compile(
    r" {0,3}(?:(?P<fence>`{3,}|~{3,})|(?P<heading>#{1,6} )|(?P<quote>(?:> ?)+)|(?P<item>(?:[-*+]|\d{1,3}[.)]) ))"
)
_MAY_BE_START = re.compile(r" {0,3}(?:`{0,2}|~{0,2}|#{0,6}|>[> ]*|[-*+]|\d{1,3}[.)]?)")
"""A line that has only this so far may still become any of those above."""
_MOST_HELD = 64
"""Characters; marks without end are given out as they are."""
_PIECES = re.compile(r"`+|\*\*|[^`*]+|\*")


class MarkdownColours:
    """Colours one message, piece by piece. The text must be safe already (`safe_text`): nothing is escaped here."""

    def __init__(self) -> None:
        self._held = ""
        self._new_line = True
        self._coloured = False
        """Whether anything in this line is."""
        self._fence = ""
        """The marker that opened the code we are in."""
        self._opening = False
        """Whether this line is that marker's."""
        self._span = ""
        """The backticks that opened the code span we are in."""
        self._heading = self._bold = False
        self._before = " "
        """The last character that was given out."""

    def feed(self, text: str) -> str:
        """What can be shown of the message so far, after what was given out before."""
        text = self._held + text
        self._held = ""
        shown: list[str] = []
        *lines, rest = text.split("\n")
        for line in lines:
            shown += [self._line(line, whole=True), self._line_end(), "\n"]
        if rest:
            shown.append(self._line(rest, whole=False))
        return "".join(shown)

    def end(self) -> str:
        """What was held back, and an end to all colours; the next message starts anew."""
        held, self._held = self._held, ""
        shown = (self._line(held, whole=True) if held else "") + self._line_end()
        self._fence = ""
        return shown

    def _line(self, text: str, *, whole: bool) -> str:
        """A line, or its next part; of a part whose meaning is not clear yet the end is held."""
        shown = self._part(text, whole=whole)
        self._coloured = self._coloured or "\x1b" in shown
        return shown

    def _part(self, text: str, *, whole: bool) -> str:
        if not self._new_line:
            if self._fence:
                return text if self._opening else self._code(text)
            return self._inline(text, whole=whole)
        if not whole and len(text) <= _MOST_HELD and _MAY_BE_START.fullmatch(text):
            self._held = text
            return ""
        self._new_line = False
        start = _START.match(text)
        fence = start["fence"] if start else None
        if self._fence:
            if fence is None or not fence.startswith(self._fence) or text.strip() != fence:
                return self._code(text)
            self._fence = ""
            return f"{_DIM}{text}"
        if start is None:
            return self._inline(text, whole=whole)
        if fence:
            self._fence, self._opening = fence, True
            return f"{_DIM}{text}"
        marker, rest = text[: start.end()], text[start.end() :]
        if start["heading"]:
            self._heading = True
            return f"{_BOLD}{marker}{self._inline(rest, whole=whole)}"
        painted = f"{_DIM}{marker}{_NOT_BOLD}" if start["quote"] else f"{_CODE}{marker}{_NO_COLOUR}"
        return painted + self._inline(rest, whole=whole)

    def _code(self, text: str) -> str:
        return f"{_CODE}{text}" if text else ""

    def _inline(self, text: str, *, whole: bool) -> str:
        if not whole:
            settled = text.rstrip("`*")
            if len(text) - len(settled) <= _MOST_HELD:
                self._held, text = text[len(settled) :], settled
        shown: list[str] = []
        for found in _PIECES.finditer(text):
            piece = found[0]
            after = text[found.end() : found.end() + 1] or (" " if whole or not self._held else self._held[0])
            shown.append(self._piece(piece, after))
            self._before = piece[-1]
        return "".join(shown)

    def _piece(self, piece: str, after: str) -> str:
        if piece[0] == "`":
            if self._span == piece:
                self._span = ""
                return piece + _NO_COLOUR
            if not self._span:
                self._span = piece
                return _CODE + piece
        elif piece == "**" and not self._span and not self._heading:
            if self._bold and not self._before.isspace():
                self._bold = False
                return piece + _NOT_BOLD
            if not self._bold and not after.isspace():
                self._bold = True
                return _BOLD + piece
        return piece

    def _line_end(self) -> str:
        """Whatever was opened ends with its line: a mark without its pair colours no more than that."""
        coloured, self._coloured = self._coloured, False
        self._new_line, self._before, self._span = True, " ", ""
        self._heading = self._bold = self._opening = False
        return _OFF if coloured else ""
