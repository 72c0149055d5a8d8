"""Markdown that arrives in pieces: finished blocks are rendered once, and what is shown of the last one keeps up.

A block is finished when whole lines after it show that it cannot grow any more; from then on its HTML stays. Only the
last block is parsed again. While it is long that would cost more with every piece, so it is drawn anew only when it
has grown by an eighth, and the text in between is handed out as it is: the work for a text is proportional to its
length, however small its pieces.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from codex_render.file_links import OpenFile
from codex_render.markdown import Block, blocks, render_block

_SMALL = 1024
_fence = re.compile(r" {0,3}(`{3,}|~{3,})")
# After a blank line, text at the left margin that marks no list item, quote or code always begins another block.
_breaks = re.compile(r"\n[ \t]*\n(?=[^\s\-+*>0-9`~])")
_ends_broken = re.compile(r"\n[ \t]*\n[^\s\-+*>0-9`~][^\n]*\Z")


class BlockChange(NamedTuple):
    """What changed in one block since the last `changes`: either `html` is new, or `appended` goes to its end."""

    number: int
    """Position of the block in the message, from 0; blocks are never removed once finished."""
    html: str | None
    """The whole block. Empty: the block holds nothing (any more)."""
    appended: str | None
    """Plain text, not yet formatted; goes behind the block's last text by `textContent`, never as HTML."""
    finished: bool
    """The block will not change again."""


class MarkdownStream:
    """One message while it is being written.

    `append` only keeps the text; `changes` renders what a viewer has to be told. After `finish` the HTML is that of
    `markdown.to_html` for the whole text.
    """

    def __init__(self, *, open_file: OpenFile | None = None) -> None:
        self._open_file = open_file
        self._done: list[str] = []
        self._told = 0
        self._pieces: list[str] = []
        self._tail = ""
        """Source of the blocks that are not finished, from the start of a line."""
        self._rendered = 0
        """How much of `_tail` the open block's HTML stands for."""
        self._shown = 0
        """How much of `_tail` a viewer has, as HTML or appended."""
        self._open_html = ""
        self._ended = False
        self._held = ""

    @property
    def html(self) -> str:
        """All blocks as last handed out by `changes`; text appended since the last rendering is not in it."""
        return "".join(self._done) + self._open_html

    @property
    def blocks(self) -> list[str]:
        """The HTML of each block, the open one last; for who begins to watch now."""
        return [*self._done, self._open_html] if self._open_html else list(self._done)

    @property
    def unformatted(self) -> str:
        """The text that has been appended to the open block since it was rendered."""
        return self._tail[self._rendered : self._shown]

    def append(self, delta: str) -> None:
        """Add text; nothing is parsed yet."""
        self._pieces.append(delta)

    def changes(self) -> list[BlockChange]:
        """The blocks that changed since the last call, in order."""
        self._take()
        if len(self._tail) == self._shown:
            return []
        if self._may_wait():
            appended = self._tail[self._shown :]
            self._shown = len(self._tail)
            return [BlockChange(len(self._done), None, appended, False)]
        return self._render()

    def finish(self) -> list[BlockChange]:
        """The last changes: every block is finished."""
        self._ended = True
        self._take()
        return self._render()

    def _take(self) -> None:
        """Move what was appended to the tail, its line ends made line feeds."""
        if not self._pieces and not (self._ended and self._held):
            return
        text = self._held + "".join(self._pieces)
        self._pieces.clear()
        self._held = ""
        if text.endswith("\r") and not self._ended:
            text, self._held = text[:-1], "\r"  # a line feed may follow
        self._tail += text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text

    def _may_wait(self) -> bool:
        """Whether the new text can be shown as it is for now."""
        if self._rendered < _SMALL or len(self._tail) - self._rendered > self._rendered // 8:
            return False
        if (fence := _fence.match(self._tail)) is not None:
            return not self._fence_ends(fence[1])
        return _breaks.search(self._tail, max(0, self._shown - 2)) is None

    def _fence_ends(self, marker: str) -> bool:
        start = self._tail.rfind("\n", 0, self._shown)
        closing = re.compile(rf"\n {{0,3}}{re.escape(marker)}{re.escape(marker[0])}*[ \t]*\n")
        return closing.search(self._tail, max(0, start)) is not None

    def _render(self) -> list[BlockChange]:
        """Parse the tail: what is finished moves out of it, the rest is drawn anew."""
        first = len(self._done)
        self._settle()
        changes = [BlockChange(at, html, None, True) for at, html in enumerate(self._done[first:], first)]
        lines = self._tail.split("\n")
        rest = "".join(render_block(block, lines, self._open_file) for block in blocks(self._tail))
        if rest != self._open_html or changes:
            self._open_html = rest
            if rest or not changes:
                changes.append(BlockChange(len(self._done), rest, None, self._ended))
        self._rendered = self._shown = len(self._tail)
        return changes

    def _settle(self) -> None:
        """Move the finished blocks out of the tail: all but the last that whole lines make, or all at the end."""
        found = list(blocks(self._tail[: self._end_of_whole_lines()]))
        lines = self._tail.split("\n")
        all_done = self._ended or (bool(found) and _is_closed_fence(found[-1], lines))
        done = found if all_done else found[:-1]
        if not done:
            return
        self._done.extend(render_block(block, lines, self._open_file) for block in done)
        end = len(lines) if self._ended else done[-1].end if all_done else found[-1].start
        self._tail = "\n".join(lines[end:])
        self._open_html = ""

    def _end_of_whole_lines(self) -> int:
        """The unfinished line counts where it can only begin another block."""
        line = self._tail.rfind("\n") + 1
        if self._ended or _ends_broken.search(self._tail, max(0, self._tail.rfind("\n", 0, max(0, line - 1)))):
            return len(self._tail)
        return line


def _is_closed_fence(block: Block, lines: list[str]) -> bool:
    token = block.tokens[0]
    if token.type != "fence" or block.end - block.start < 2:
        return False
    marker = re.escape(token.markup[0])
    return re.fullmatch(rf" {{0,3}}{marker}{{{len(token.markup)},}}[ \t]*", lines[block.end - 1]) is not None
