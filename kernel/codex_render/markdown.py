"""Markdown as safe HTML, block by block: CommonMark with tables and strikethrough, without raw HTML.

Differences from CommonMark, each so that a stream gives the HTML of the whole text: link reference definitions are not
read (a later line would change earlier ones). All headings are `h3` with their rank as class, so that a message never
skips a level of the page around it. Pictures become links: nothing is fetched from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from codex_render.file_links import OpenFile
from codex_render.html_policy import clean, escape

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

MAX_BLOCK_CHARS = 100_000
"""A longer block that is no code is shown as it was written."""


class Block:
    """One top-level block.

    Attributes:
        tokens: Its parsed tokens, inline content included.
        start: Its first line, from 0.
        end: The line after its last.
    """

    __slots__ = ("end", "start", "tokens")

    def __init__(self, tokens: Sequence[Token], start: int, end: int) -> None:
        self.tokens = tokens
        self.start = start
        self.end = end


def to_html(text: str, *, open_file: OpenFile | None = None) -> str:
    """`text` as HTML from the allow-list of `html_policy`; hidden characters shown, no scripts, styles or pictures.

    Args:
        text: Untrusted Markdown.
        open_file: Makes addresses for `path:line` references and links to files; without it they are marked
            (`span.file-ref` with `data-path` and `data-line`) but lead nowhere.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    return "".join(render_block(block, lines, open_file) for block in blocks(text))


def blocks(text: str) -> Iterator[Block]:
    """The top-level blocks of `text`, whose line ends are line feeds."""
    tokens = parse(text)
    first = 0
    for at, token in enumerate(tokens):
        if token.level == 0 and token.nesting <= 0:
            start, end = tokens[first].map or (0, 0)
            yield Block(tokens[first : at + 1], start, end)
            first = at + 1


def parse(text: str) -> list[Token]:
    """The tokens of `text`."""
    return _markdown().parse(text)


def render_block(block: Block, lines: Sequence[str], open_file: OpenFile | None) -> str:
    """One block as safe HTML; `lines` are those its numbers count."""
    kind = block.tokens[0].type
    if kind not in ("fence", "code_block"):
        source = "\n".join(lines[block.start : block.end])
        if len(source) > MAX_BLOCK_CHARS:
            return f'<pre class="md-plain" tabindex="0">{escape(source)}</pre>\n'
    markdown = _markdown()
    env: MutableMapping[str, Any] = {"open_file": open_file, "closers": []}
    return clean(markdown.renderer.render(block.tokens, markdown.options, env))


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    from codex_render.file_links import may_link
    from codex_render.markdown_rules import Rules

    markdown = MarkdownIt("commonmark", {"html": False}, renderer_cls=Rules)
    markdown.enable(["table", "strikethrough"]).disable(["reference", "html_block", "html_inline"])
    markdown.validateLink = may_link
    return markdown
