"""Markdown for a file that others open: nothing in it is HTML or fetches a picture, whatever draws it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from codex_render.safe_text import visible

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_ADDRESS = re.compile(r"<(?=https?://[^\s<>]+>)")
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_IMAGE = re.compile(r"!(?=\[)")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&])")


def without_html(text: str) -> str:
    """`text` with raw HTML escaped and pictures made links; code stays as it is, where that is safe."""
    text = visible(text.replace("\r\n", "\n").replace("\r", "\n"))
    for escape in (_escape_outside_code, _as_entities):
        safe = _outside_fences(text, escape)
        if not _has_html(safe):
            return safe + _closing(safe)
    return fence(text)


def escaped(text: str) -> str:
    """One line that Markdown takes as text."""
    return _SPECIAL.sub(r"\\\1", visible(text))


def fence(text: str, language: str = "text") -> str:
    """A code block that nothing in `text` can close."""
    text = visible(text)
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    marks = "`" * (longest + 1)
    return f"{marks}{language}\n{text}\n{marks}"


def _closing(text: str) -> str:
    """What ends a code block that `text` leaves open; what stands behind it must not become code."""
    last = _markdown(html=True).parse(f"{text}\n\nend")[-1]
    return f"\n{last.markup}" if last.type == "fence" else ""


def _outside_fences(text: str, change: Callable[[str], str]) -> str:
    lines = text.split("\n")
    fenced: set[int] = set()
    for token in _markdown(html=False).parse(text):
        if token.type == "fence" and token.level == 0 and token.map is not None:
            fenced.update(range(*token.map))
    return "\n".join(line if at in fenced else change(line) for at, line in enumerate(lines))


def _escape_outside_code(line: str) -> str:
    pieces: list[str] = []
    at = 0
    for match in _CODE.finditer(line):
        pieces += (_escape(line[at : match.start()]), match.group())
        at = match.end()
    return "".join([*pieces, _escape(line[at:])])


def _escape(text: str) -> str:
    kept = {match.start() for match in _ADDRESS.finditer(text)}
    text = _TAG.sub(lambda match: "<" if match.start() in kept else "\\<", text)
    return _IMAGE.sub(r"\\!", text)


def _as_entities(text: str) -> str:
    """The same where a backslash before it would undo that; in code it shows."""
    return _IMAGE.sub("&#33;", _TAG.sub("&lt;", text))


def _has_html(text: str) -> bool:
    """Whether a parser that lets HTML and pictures through finds any."""
    return any(
        token.type in ("html_block", "html_inline", "image")
        for block in _markdown(html=True).parse(text)
        for token in (block, *(block.children or ()))
    )


@lru_cache(maxsize=2)
def _markdown(*, html: bool) -> MarkdownIt:
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return made if html else made.disable(["html_block", "html_inline"])
