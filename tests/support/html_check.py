"""Checks HTML of ours with a parser that is not ours: tags, attributes and addresses against an allow-list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser

VOID = frozenset({"br", "hr"})
DRAWN_TAGS = frozenset({"div", "span", "details", "summary"})
"""What diffs and command output are made of; Markdown's tags stand in `html_policy`."""
DRAWN_ATTRIBUTES = {"details": {"open", "data-path"}, "div": {"aria-hidden"}}
_hidden = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class Checked(HTMLParser):
    """The text of a fragment, after a check that nothing else than the allowed was in it."""

    def __init__(self, tags: frozenset[str], attributes: Mapping[str, set[str]]) -> None:
        super().__init__(convert_charrefs=True)
        self._tags = tags
        self._attributes = attributes
        self._open: list[str] = []
        self.text = ""
        self.links: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self._tags, f"<{tag}>"
        for name, value in attrs:
            assert name in {"class", "rel"} or name in self._attributes.get(tag, ()), f"<{tag} {name}={value!r}>"
            assert not _hidden.search(value or ""), f"hidden character in {name}={value!r}"
            if name == "href":
                self.links.append(value or "")
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> without a start"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        assert not _hidden.search(data), f"hidden character in {data!r}"
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl!r}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data!r}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data!r}")

    def end(self) -> None:
        self.close()
        assert not self._open, self._open


def check(fragment: str, tags: frozenset[str], attributes: Mapping[str, set[str]]) -> Checked:
    """The parsed fragment; fails where it is not well formed or holds what is not allowed."""
    checked = Checked(tags, attributes)
    checked.feed(fragment)
    checked.end()
    return checked


def check_drawn(fragment: str) -> Checked:
    """The same for diffs and command output."""
    return check(fragment, DRAWN_TAGS, DRAWN_ATTRIBUTES)
