from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_render.markdown_colours import MarkdownColours
from tests.support.growth import assert_linear_in

NAMES = {"1": "<b>", "22": "</b>", "36": "<c>", "39": "</c>", "2": "<d>", "0": "<off>"}
MARKDOWN = st.text("ab *`#->~1.)\\n", max_size=60)


def named(text: str) -> str:
    return re.sub(r"\x1b\[(\d+)m", lambda found: NAMES[found[1]], text)


def coloured(*pieces: str) -> str:
    colours = MarkdownColours()
    return named("".join([*map(colours.feed, pieces), colours.end()]))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words\n", "plain words\n"),
        ("a **b c** d", "a <b>**b c**</b> d<off>"),
        ("2 ** 3 and 4 ** 5", "2 ** 3 and 4 ** 5"),
        ("a `b ** c` d", "a <c>`b ** c`</c> d<off>"),
        ("``a ` b``", "<c>``a ` b``</c><off>"),
        ("open `code\nnext", "open <c>`code<off>\nnext"),
        ("## Head `x` **y**", "<b>## Head <c>`x`</c> **y**<off>"),
        ("#no heading", "#no heading"),
        ("- one\n  12. two", "<c>- </c>one<off>\n<c>  12. </c>two<off>"),
        ("> said **so**", "<d>> </b>said <b>**so**</b><off>"),
        ("```py\nx = `1` # **\n\n```\nout", "<d>```py<off>\n<c>x = `1` # **<off>\n\n<d>```<off>\nout"),
        ("~~~\n```\n~~~~\n**b**", "<d>~~~<off>\n<c>```<off>\n<d>~~~~<off>\n<b>**b**</b><off>"),
        ("| a | b |\n|---|---|", "| a | b |\n|---|---|"),
        ("42", "42"),
        ("", ""),
        ("\n\n", "\n\n"),
    ],
)
def test_marks_are_coloured_and_stay(text: str, shown: str) -> None:
    assert coloured(text) == shown


@given(MARKDOWN, st.lists(st.integers(0, 60), max_size=6))
def test_however_it_streams_every_character_stays_and_colours_end(text: str, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(places)]
    shown = coloured(*pieces)
    assert re.sub(r"</?(b|c|d|off)>", "", shown.replace("<off>", "")) == text
    for line in shown.split("\n"):
        assert not re.search(r"<[bcd]>", line) or line.endswith("<off>")


def test_little_is_held_back() -> None:
    colours = MarkdownColours()
    assert colours.feed("12") == ""
    assert colours.feed(" apples") == "12 apples"
    assert colours.feed(" are *") == " are "
    assert colours.feed("*many") == "\x1b[1m**many"


def test_the_language_of_a_fence_belongs_to_its_marker_however_it_comes() -> None:
    assert coloured("```p", "ython\nx", "=1\n```") == "<d>```python<off>\n<c>x<c>=1<off>\n<d>```<off>"


@pytest.mark.parametrize("piece", ["*", "`", "*`", ">", "# ", "**a", "`a", "- \n"])
def test_marks_without_end_cost_what_they_are_long(piece: str) -> None:
    def stream(n: int) -> None:
        colours = MarkdownColours()
        for _ in range(n):
            colours.feed(piece)
        colours.feed(piece * n + "x")
        colours.end()

    assert_linear_in(stream, 40_000)


def test_the_next_message_begins_without_the_fence_of_the_last() -> None:
    colours = MarkdownColours()
    colours.feed("```\ncode")
    colours.end()
    assert named(colours.feed("**a** b")) == "<b>**a**</b> b"
