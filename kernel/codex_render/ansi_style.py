"""The style a terminal's colour codes add up to, and the classes for it. Source: ECMA-48, 8.3.117 (SGR)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

_FLAGS = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike"}
_OFF = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("inverse",), 29: ("strike",)}
# The sixteen colours as xterm draws them: what other colours are compared with.
_PALETTE = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255),
    (255, 255, 255),
)  # fmt: skip
_LEVELS = (0, 95, 135, 175, 215, 255)


class Style(NamedTuple):
    """Colours by number from 0 to 15 (None: the page's own), and what else is set."""

    fg: int | None = None
    bg: int | None = None
    flags: frozenset[str] = frozenset()


PLAIN = Style()


@lru_cache(maxsize=1024)
def with_codes(style: Style, arguments: str) -> Style:
    """`style` after the codes of one sequence (`1;31`); what is not known changes nothing."""
    codes = _numbers(arguments)
    at = 0
    while at < len(codes):
        code = codes[at]
        at += 1
        if code in (38, 48):
            colour, at = _extended(codes, at)
            if colour is not None:
                style = style._replace(fg=colour) if code == 38 else style._replace(bg=colour)
        else:
            style = _with_code(style, code)
    return style


@lru_cache(maxsize=1024)
def classes_of(style: Style) -> str:
    """The classes of a style, in order; empty for plain text."""
    fg, bg = style.fg, style.bg
    if fg is not None and fg == bg:
        fg = bg = None  # it would not be seen
    names = [f"ansi-{flag}" for flag in sorted(style.flags)]
    if "inverse" in style.flags and (fg is not None or bg is not None):
        names.remove("ansi-inverse")
        fg, bg = bg, fg
    if fg is not None:
        names.append(f"ansi-fg-{fg}")
    if bg is not None:
        names.append(f"ansi-bg-{bg}")
    return " ".join(names)


def _numbers(arguments: str) -> list[int]:
    """The codes; `38:5:1` and `38;5;1` are the same here, an empty one is 0, `4:3` (curly) is 4."""
    numbers: list[int] = []
    for part in arguments.split(";"):
        pieces = part.split(":")
        if pieces[0] in ("38", "48") and len(pieces) > 2:
            # 38:2::R:G:B carries the number of a colour space, as a rule an empty one
            rest = pieces[-3:] if pieces[1] == "2" else pieces[2:3]
            pieces = [pieces[0], pieces[1], *rest]
        else:
            pieces = ["24"] if part == "4:0" else pieces[:1]
        numbers.extend(
            int(piece) if piece.isascii() and piece.isdigit() else (0 if not piece else -1) for piece in pieces
        )
    return numbers


def _with_code(style: Style, code: int) -> Style:
    if code == 0:
        return PLAIN
    if code in _FLAGS:
        return style._replace(flags=style.flags | {_FLAGS[code]})
    if code == 21:
        return style._replace(flags=style.flags | {"underline"})
    if code in _OFF:
        return style._replace(flags=style.flags.difference(_OFF[code]))
    if 30 <= code <= 37 or 90 <= code <= 97:
        return style._replace(fg=code - 30 if code < 90 else code - 82)
    if 40 <= code <= 47 or 100 <= code <= 107:
        return style._replace(bg=code - 40 if code < 100 else code - 92)
    if code == 39:
        return style._replace(fg=None)
    return style._replace(bg=None) if code == 49 else style


def _extended(codes: list[int], at: int) -> tuple[int | None, int]:
    """The colour that follows 38 or 48 and where it ends: `5;N` or `2;R;G;B`."""
    if codes[at : at + 1] == [5] and at + 1 < len(codes):
        return _of_256(codes[at + 1]), at + 2
    if codes[at : at + 1] == [2] and at + 3 < len(codes):
        return _nearest(codes[at + 1], codes[at + 2], codes[at + 3]), at + 4
    return None, len(codes)


def _of_256(number: int) -> int | None:
    if not 0 <= number <= 255:
        return None
    if number < 16:
        return number
    if number >= 232:
        level = 8 + 10 * (number - 232)
        return _nearest(level, level, level)
    number -= 16
    return _nearest(_LEVELS[number // 36], _LEVELS[number // 6 % 6], _LEVELS[number % 6])


def _nearest(red: int, green: int, blue: int) -> int:
    def distance(colour: tuple[int, int, int]) -> int:
        return (colour[0] - red) ** 2 + (colour[1] - green) ** 2 + (colour[2] - blue) ** 2

    return min(range(16), key=lambda number: distance(_PALETTE[number]))
