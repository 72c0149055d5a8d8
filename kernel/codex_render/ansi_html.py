"""Command output as safe HTML: colours become classes, overwritten text is gone, all other control is dropped or shown.

The classes: `ansi-fg-0` to `ansi-fg-15` and `ansi-bg-…` (other colours become the nearest of these, so that they suit
both themes), `ansi-bold`, `ansi-dim`, `ansi-italic`, `ansi-underline`, `ansi-strike`, `ansi-inverse`, and `ansi-cut`
for the mark where text was left out. Text is never hidden: concealment and a colour on itself are not obeyed.
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple

from codex_render.amounts import count
from codex_render.ansi_style import PLAIN, Style, classes_of, with_codes
from codex_render.safe_text import visible

MAX_CHARS = 200_000
_MAX_COLUMN = 10_000
_MAX_HELD = 4_096
_control = re.compile(
    r"\x1b\[(?P<arguments>[0-?]{0,64})[ -/]{0,4}(?P<final>[@-~])"  # CSI
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)"  # OSC, DCS and the like: titles, links, clipboard
    r"|\x1b[ -/]{0,4}[0-OQ-WYZ\\`-~]"  # other short sequences
    r"|(?P<move>[\r\b\n])"
)
_unfinished = re.compile(r"(?:\x1b(?:\[[0-?]{0,64}[ -/]{0,4}|[\]PX^_][^\x07\x1b\x9c]{0,4096}\x1b?|[ -/]{0,4})?|\r)\Z")


class AnsiUpdate(NamedTuple):
    """What a viewer adds."""

    lines: str
    """Finished lines, each with its line end; goes behind those told before."""
    tail: str
    """The line being written; takes the place of the tail told before."""


class AnsiStream:
    """Output while it is being written; the work is proportional to its length.

    A line can be overwritten until its line end has come; then it is finished.
    """

    def __init__(self, *, coloured: bool = True) -> None:
        """Make HTML; with `coloured` off the updates are plain text instead."""
        self._coloured = coloured
        self._style = PLAIN
        self._lines: list[str] = []
        self._cells: list[str] = []
        self._styles: list[Style] = []
        self._column = 0
        self._held = ""

    def feed(self, text: str) -> None:
        """Add output; an escape sequence may be cut anywhere."""
        text = self._held + text
        self._held = ""
        if (cut := _unfinished.search(text, max(0, len(text) - _MAX_HELD))) is not None:
            text, self._held = text[: cut.start()], cut.group()
        self._read(text)

    def take(self) -> AnsiUpdate:
        """The HTML of what was added since the last call."""
        lines = "".join(self._lines)
        self._lines.clear()
        return AnsiUpdate(lines, self._line())

    def end(self) -> AnsiUpdate:
        """The last update: what was held back as the start of a sequence is shown."""
        held, self._held = self._held, ""
        self._write("" if held == "\r" else held)
        return self.take()

    def _read(self, text: str) -> None:
        at = 0
        for match in _control.finditer(text):
            self._write(text[at : match.start()])
            at = match.end()
            if match["move"] is not None:
                self._move(match["move"])
            elif match["final"] is not None:
                self._obey(match["arguments"], match["final"])
        self._write(text[at:])

    def _write(self, text: str) -> None:
        while self._column + len(text) > _MAX_COLUMN:
            fits = max(0, _MAX_COLUMN - self._column)
            self._put(text[:fits])
            text = text[fits:]
            self._lines.append(self._line())  # too long to wait for its end: what stands there stays
            self._clear_line()
        self._put(text)

    def _put(self, text: str) -> None:
        if not text:
            return
        end = self._column + len(text)
        if self._column > len(self._cells):
            gap = self._column - len(self._cells)
            self._cells.extend(" " * gap)
            self._styles.extend([PLAIN] * gap)
        self._cells[self._column : end] = text
        self._styles[self._column : end] = [self._style] * len(text)
        self._column = end

    def _move(self, character: str) -> None:
        if character == "\n":
            self._lines.append(self._line() + "\n")
            self._clear_line()
        elif character == "\r":
            self._column = 0
        else:
            self._column = max(0, self._column - 1)

    def _clear_line(self) -> None:
        self._cells.clear()
        self._styles.clear()
        self._column = 0

    def _obey(self, arguments: str, final: str) -> None:
        """Colours, and movements inside the line; nothing that would reach other lines."""
        if final == "m":
            self._style = with_codes(self._style, arguments)
        elif final == "K":
            self._erase(arguments)
        elif final in "CDG":
            number = int(arguments) if arguments.isascii() and arguments.isdigit() else 1
            column = number - 1 if final == "G" else self._column + (number if final == "C" else -number)
            self._column = min(max(0, column), _MAX_COLUMN)

    def _erase(self, arguments: str) -> None:
        if arguments in ("", "0"):
            del self._cells[self._column :], self._styles[self._column :]
        elif arguments == "2":
            self._cells.clear()
            self._styles.clear()
        elif arguments == "1":
            end = min(self._column + 1, len(self._cells))
            self._cells[:end] = " " * end
            self._styles[:end] = [PLAIN] * end

    def _line(self) -> str:
        if not self._coloured:
            return visible("".join(self._cells))
        pieces: list[str] = []
        at = 0
        while at < len(self._cells):
            style = self._styles[at]
            end = at + 1
            while end < len(self._cells) and self._styles[end] is style:
                end += 1
            pieces.append(_span(style, "".join(self._cells[at:end])))
            at = end
        return "".join(pieces)


def to_html(text: str, *, max_chars: int = MAX_CHARS) -> str:
    """`text` as HTML for the inside of a `pre`; past `max_chars` characters the middle is cut out, and counted."""
    head, omitted, tail = _cut(text, max_chars)
    html_of_head = _whole(head)
    if not omitted:
        return html_of_head
    mark = f'<span class="ansi-cut">\u2026 {count(omitted)} characters left out \u2026</span>\n'
    return f"{html_of_head}{mark}{_whole(tail)}"


def _whole(text: str) -> str:
    stream = AnsiStream()
    stream.feed(text)
    update = stream.end()
    return update.lines + update.tail


def _cut(text: str, max_chars: int) -> tuple[str, int, str]:
    """Head and tail of whole lines where there are any, and how much was between them."""
    if len(text) <= max_chars:
        return text, 0, ""
    head_end = text.rfind("\n", 0, max_chars // 2) + 1 or max_chars // 2
    tail_start = text.find("\n", len(text) - max_chars // 2) + 1 or len(text) - max_chars // 2
    return text[:head_end], tail_start - head_end, text[tail_start:]


def _span(style: Style, text: str) -> str:
    escaped = html.escape(visible(text), quote=False)
    classes = classes_of(style)
    return f'<span class="{classes}">{escaped}</span>' if classes else escaped
