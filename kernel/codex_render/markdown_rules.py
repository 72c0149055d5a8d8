"""How each Markdown token is drawn. Everything is escaped here; `html_policy.clean` is the second barrier behind it."""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from typing import Any

from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from codex_render import file_links
from codex_render.file_links import FileReference
from codex_render.highlight import highlight
from codex_render.html_policy import WEB_SCHEMES, escape

Env = MutableMapping[str, Any]
_language = re.compile(r"[A-Za-z0-9_+#.\-]{1,40}")
_OPEN, _DONE = '<span class="task-open">\u2610</span>', '<span class="task-done">\u2611</span>'
_task = re.compile(r"\[([ xX])\](?=\s)")


class Rules(RendererHTML):
    """A method is the rule for the token type it is named after; `env` holds `open_file` and the open links."""

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        """Prose, with what it names made into links."""
        content = tokens[idx].content
        if env["closers"]:
            return escape(content)
        pieces: list[str] = []
        at = 0
        if idx == 0 and env.get("item_starts") and (task := _task.match(content)) is not None:
            pieces.append(_DONE if task[1] != " " else _OPEN)
            at = task.end()
        env["item_starts"] = False
        for found in file_links.find(content):
            if found.start < at:
                continue
            pieces.append(escape(content[at : found.start]))
            if found.file is not None:
                opening, closing = _file_tags(found.file, env)
                pieces.append(f"{opening}{escape(found.label)}{closing}")
            elif found.url is not None:
                pieces.append(f"{_web_tag(found.url, None)}{escape(found.label)}</a>")
            at = found.end
        pieces.append(escape(content[at:]))
        return "".join(pieces)

    def code_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        """Code in prose; a reference to a file alone in it is a link."""
        content = tokens[idx].content
        code = f"<code>{escape(content)}</code>"
        reference = None if env["closers"] else file_links.whole(content)
        if reference is None:
            return code
        opening, closing = _file_tags(reference, env)
        return f"{opening}{code}{closing}"

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        """A block of code; a page finds the place for its copy button by `data-copy`."""
        info = tokens[idx].info.strip().split(maxsplit=1)
        language = info[0] if info and _language.fullmatch(info[0]) else ""
        named = f' data-lang="{escape(language)}"' if language else ""
        code = highlight(tokens[idx].content, language)
        return f'<div class="code-block" data-copy="code"{named}><pre tabindex="0"><code>{code}</code></pre></div>\n'

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        """Indented code."""
        return self.fence(tokens, idx, options, env)

    def heading_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        """A heading; the rank is a class."""
        return f'<h3 class="md-{tokens[idx].tag}">'

    def heading_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        """Its end."""
        return "</h3>\n"

    def list_item_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        """An item; `[ ]` and `[x]` at its start are drawn as boxes."""
        env["item_starts"] = True
        return "<li>"

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        """A link to the web, or to a file."""
        address = str(tokens[idx].attrGet("href") or "")
        if file_links.scheme_of(address) in WEB_SCHEMES:
            title = tokens[idx].attrGet("title")
            opening, closing = _web_tag(address, str(title) if title else None), "</a>"
        else:
            reference = file_links.target(address)
            opening, closing = _file_tags(reference, env) if reference is not None else ("", "")
        env["closers"].append(closing)
        return opening

    def link_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        """The end of the innermost link."""
        return env["closers"].pop() if env["closers"] else ""

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        """A picture is a link: showing it would tell another server that it was read."""
        token = tokens[idx]
        address = str(token.attrGet("src") or "")
        words = self.renderInlineAsText(token.children, options, env) if token.children else ""
        label = f"image: {words or address}"
        if env["closers"]:
            return f'<span class="image-ref">{escape(label)}</span>'
        if file_links.scheme_of(address) in WEB_SCHEMES:
            return f"{_web_tag(address, None, kind='image-link')}{escape(label)}</a>"
        reference = file_links.target(address)
        opening, closing = _file_tags(reference, env) if reference is not None else ("", "")
        return f"{opening}{escape(label)}{closing}"

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        """A table, which scrolls by itself when it is wide."""
        return '<div class="md-table"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        """Its end."""
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        """A cell; its alignment is a class."""
        style = str(tokens[idx].attrGet("style") or "")
        side = style.removeprefix("text-align:")
        return f'<{tokens[idx].tag} class="align-{side}">' if side else f"<{tokens[idx].tag}>"

    def td_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
        """The same for the cells of the body."""
        return self.th_open(tokens, idx, options, env)


def _web_tag(address: str, title: str | None, *, kind: str = "") -> str:
    """A link's opening tag; its address is told on hovering, where a host shows no status line."""
    named = f' class="{kind}"' if kind else ""
    return f'<a{named} href="{escape(address)}" title="{escape(title or address)}" target="_blank">'


def _file_tags(reference: FileReference, env: Env) -> tuple[str, str]:
    """The tags around a reference to a file: a link where there is an address, else a marked span."""
    open_file = env["open_file"]
    address = open_file(reference.path, reference.line) if open_file is not None else None
    place = f' data-path="{escape(reference.path)}"' + (f' data-line="{reference.line}"' if reference.line else "")
    if address is None:
        return f'<span class="file-ref"{place}>', "</span>"
    return f'<a class="file-link" href="{escape(address)}"{place}>', "</a>"
