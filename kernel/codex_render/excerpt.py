"""The head and tail of long text, with the cut marked and counted."""

from __future__ import annotations


class Excerpt:
    """Lines to show of a text.

    Attributes:
        head: The first lines.
        omitted: How many lines were left out after them.
        tail: The last lines.
    """

    __slots__ = ("head", "omitted", "tail")

    def __init__(self, head: list[str], omitted: int, tail: list[str]) -> None:
        self.head = head
        self.omitted = omitted
        self.tail = tail


def excerpt(text: str, *, head: int, tail: int) -> Excerpt:
    """The first `head` and last `tail` lines; a cut of one line is not worth its marker and is not made."""
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    if len(lines) <= head + tail + 1:
        return Excerpt(lines, 0, [])
    return Excerpt(lines[:head], len(lines) - head - tail, lines[-tail:] if tail else [])


def shorten(text: str, width: int) -> str:
    """`text` in at most `width` characters, the middle left out: both ends of a path or command say something."""
    if len(text) <= width:
        return text
    if width <= 1:
        return "\u2026"[:width]
    left = (width - 1) * 2 // 3
    right = width - 1 - left
    return f"{text[:left]}\u2026{text[len(text) - right :] if right else ''}"
