from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_render.markdown import to_html
from codex_render.markdown_stream import MarkdownStream
from tests.support.growth import assert_linear

PIECES = [
    "\n", "\n\n", "- ", "* ", "1. ", "2) ", "  ", "    ", "> ", "# ", "```", "~~~", "```py\n", "|", "| a | b |\n",
    "|---|---|\n", "---", "===", "\n===\n", "**", "_", "`", "[", "](", ")", "<b>", "a", "b c", "word ", "\t", "\r",
    "\r\n", "\u200b", "&amp;", "src/a.py:12", "https://x.y/z", "[x]: http://a\n", "[ ] ", "+", "\\", "-", "1", ".",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


class Viewer:
    """What a page would hold that does as it is told."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.finished: set[int] = set()

    def take(self, stream: MarkdownStream, *, end: bool = False) -> None:
        for change in stream.finish() if end else stream.changes():
            assert change.number not in self.finished
            assert (change.html is None) != (change.appended is None)
            if change.number == len(self.blocks):
                self.blocks.append("")
            if change.html is not None:
                self.blocks[change.number] = change.html
            if change.finished:
                self.finished.add(change.number)


@settings(max_examples=400, deadline=None)
@given(texts, st.lists(st.integers(1, 9), min_size=1, max_size=10))
def test_a_stream_ends_as_the_html_of_the_whole_text(text: str, sizes: list[int]) -> None:
    stream, viewer = MarkdownStream(), Viewer()
    at = turn = 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        stream.append(text[at : at + size])
        viewer.take(stream)
        at, turn = at + size, turn + 1
    viewer.take(stream, end=True)
    assert "".join(viewer.blocks) == stream.html == to_html(text)


@pytest.mark.parametrize(
    "text", ["```\n\t```\n2) ", "```\n    ```\nx", "```py\n\n```---", "~~~\n```\n~~~~ \nx", "```\n``\nx"]
)
def test_only_a_closing_line_closes_code(text: str) -> None:
    stream = MarkdownStream()
    for character in text:
        stream.append(character)
        stream.changes()
    stream.finish()
    assert stream.html == to_html(text)


@settings(max_examples=100, deadline=None)
@given(texts, texts)
def test_what_is_shown_of_an_unfinished_text_is_the_html_of_that_much(before: str, more: str) -> None:
    stream = MarkdownStream()
    stream.append(before.rstrip("\r"))
    stream.changes()
    stream.append(more.rstrip("\r"))
    stream.changes()
    assert stream.html == to_html(before.rstrip("\r") + more.rstrip("\r"))


LONG = {
    "prose": "Some words that go on and on. " * 8,
    "one paragraph without an end": "word ",
    "list": "- an item with `code` and **bold** text\n",
    "loose list": "1. an item\n\n   with more text\n\n",
    "code": "    return [value for value in range(10)]  # a line of code\n",
    "table": "| cell | another cell | `code` |\n",
    "quote": "> said somebody, and went on\n",
}
HEADS = {"code": "```python\n", "table": "| a | b | c |\n|---|---|---|\n"}


@pytest.mark.parametrize("kind", LONG)
def test_thousands_of_deltas_cost_in_proportion_to_the_text(kind: str) -> None:
    text = HEADS.get(kind, "") + LONG[kind] * (15_000 // len(LONG[kind]))
    if kind == "prose":
        text = text.replace("on. Some", "on.\n\nSome")

    def stream_through(part: str) -> None:
        stream = MarkdownStream()
        sent = 0
        for at in range(0, len(part), 3):
            stream.append(part[at : at + 3])
            for change in stream.changes():
                sent += len(change.html or change.appended or "")
        stream.finish()
        assert len(part) < len(text) or sent < 150 * len(text)
        assert stream.html == to_html(part)

    assert_linear(stream_through, text)


def test_text_after_long_code_is_not_shown_as_code() -> None:
    stream = MarkdownStream()
    stream.append("```\n" + "x = 1\n" * 1000 + "```\n")
    stream.changes()
    stream.append("And now.")
    (change,) = stream.changes()
    assert change.html == "<p>And now.</p>\n"


def test_a_paragraph_after_a_long_list_is_a_paragraph_at_once() -> None:
    stream = MarkdownStream()
    stream.append("- item\n" * 1000)
    stream.changes()
    stream.append("\nAnd")
    assert [change.finished for change in stream.changes()] == [True, False]
    stream.append(" now.")
    (change,) = stream.changes()
    assert change.html == "<p>And now.</p>\n"


def test_long_unfinished_blocks_grow_by_plain_text_first() -> None:
    stream = MarkdownStream()
    stream.append("```\n" + "x = 1\n" * 1000)
    stream.changes()
    stream.append("<b>\n")
    (change,) = stream.changes()
    assert (change.html, change.appended) == (None, "<b>\n")
    assert stream.unformatted == "<b>\n"
