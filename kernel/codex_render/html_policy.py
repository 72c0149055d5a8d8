"""What HTML of ours may hold: the allow-list every rendered block passes through, and escaping for all other text.

Two barriers stand in a row: renderers escape whatever they are given, and `clean` drops every tag, attribute, class and
address that is not named here. Nothing carries a style, a script, an event handler or a picture from elsewhere.
"""

from __future__ import annotations

import html
from functools import lru_cache
from typing import TYPE_CHECKING

from codex_render.safe_text import visible

if TYPE_CHECKING:
    from nh3 import Cleaner

WEB_SCHEMES = frozenset({"http", "https", "mailto"})
EDITOR_SCHEMES = frozenset({"vscode", "vscode-insiders", "windsurf", "cursor"})

_TAGS = "a blockquote br code div em h3 hr li ol p pre s span strong table tbody td th thead tr ul"
TAGS = frozenset(_TAGS.split())
ATTRIBUTES: dict[str, set[str]] = {
    "a": {"href", "title", "target", "data-path", "data-line"},
    "span": {"title", "data-path", "data-line"},
    "div": {"data-lang", "data-copy"},
    "pre": {"tabindex"},
    "ol": {"start"},
}
_MARKDOWN_CLASSES = {
    "a": {"file-link", "image-link"},
    "span": {"file-ref", "image-ref", "task-open", "task-done"},
    "div": {"code-block", "md-table"},
    "pre": {"md-plain"},
    "h3": {f"md-h{rank}" for rank in range(1, 7)},
    "th": {"align-left", "align-right", "align-center"},
    "td": {"align-left", "align-right", "align-center"},
}


@lru_cache(maxsize=1)
def allowed_classes() -> dict[str, set[str]]:
    """The classes each tag may carry; those of highlighted code among them."""
    from pygments.token import STANDARD_TYPES

    from codex_render.highlight import PREFIX

    classes = {tag: set(names) for tag, names in _MARKDOWN_CLASSES.items()}
    classes["span"] |= {PREFIX + short for short in STANDARD_TYPES.values() if short}
    return classes


@lru_cache(maxsize=1)
def _cleaner() -> Cleaner:
    from nh3 import Cleaner

    return Cleaner(
        tags=TAGS,
        attributes=ATTRIBUTES,
        allowed_classes=allowed_classes(),
        url_schemes=WEB_SCHEMES | EDITOR_SCHEMES,
        link_rel="noopener noreferrer",
    )


def clean(fragment: str) -> str:
    """`fragment` with everything dropped that is not on the allow-list; elements left open are closed."""
    return _cleaner().clean(fragment)


def escape(text: str) -> str:
    """Untrusted text for an element's content or a quoted attribute; hidden characters are shown."""
    return html.escape(visible(text))
