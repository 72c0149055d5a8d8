from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_render.ansi_html import AnsiStream, to_html
from codex_render.plain import output_text
from tests.support.growth import assert_linear
from tests.support.html_check import check_drawn

PIECES = [
    "\x1b[31m", "\x1b[0m", "\x1b[m", "\x1b[1;4;38;5;208m", "\x1b[48;2;1;2;3m", "\x1b[38:2::9:9:9m", "\x1b[K",
    "\x1b[1K", "\x1b[2K", "\x1b[5C", "\x1b[2D", "\x1b[3G", "\x1b[A", "\x1b[2J", "\x1b[?25l", "\x1b]0;title\x07",
    "\x1b]8;;http://x\x1b\\", "\x1b(B", "\x1b", "\x1b[", "\x1b]", "\r", "\n", "\r\n", "\b", "\t", "\x07", "\x00",
    "\u202e", "<b>", "&", "text", "a", " ", "\x1bP1;2q", "\x9b31m", "\x1b[99999999999C", "m", "\x1b[38;5m",
    "\x1b[;;m", "\x1b[7;31;41m",
]  # fmt: skip
outputs = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain <b>", "plain &lt;b&gt;"),
        ("\x1b[31mred\x1b[0m", '<span class="ansi-fg-1">red</span>'),
        ("\x1b[1;92;44mx", '<span class="ansi-bold ansi-fg-10 ansi-bg-4">x</span>'),
        ("\x1b[38;5;9mx\x1b[39my", '<span class="ansi-fg-9">x</span>y'),
        ("\x1b[38;2;250;5;5mx", '<span class="ansi-fg-9">x</span>'),
        ("\x1b[38:2::250:5:5mx", '<span class="ansi-fg-9">x</span>'),
        ("\x1b[7mx\x1b[27m\x1b[7;31mx", '<span class="ansi-inverse">x</span><span class="ansi-bg-1">x</span>'),
        ("\x1b[30;40mshown", "shown"),
        ("\x1b[8mshown", "shown"),
        ("10%\r20%\r100%\n", "100%\n"),
        ("100%\r9", "900%"),
        ("100%\r\x1b[K9", "9"),
        ("abc\b\bX", "aXc"),
        ("one\r\ntwo", "one\ntwo"),
        ("\x1b]0;title\x07\x1b[2J\x1b[10;10Htext", "text"),
        ("\x1b]8;;https://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x07\x00\u202e", "a\u2407\u2400&lt;U+202E&gt;"),
        ("\x1b[31mone\ntwo", '<span class="ansi-fg-1">one</span>\n<span class="ansi-fg-1">two</span>'),
        ("half \x1b[3", "half \u241b[3"),
    ],
)
def test_output_is_drawn_as_a_terminal_would_leave_it(text: str, html: str) -> None:
    assert to_html(text) == html


@settings(max_examples=500, deadline=None)
@given(outputs)
def test_nothing_but_spans_with_our_classes_is_made_of_any_output(text: str) -> None:
    checked = check_drawn(to_html(text))
    for tag, attributes in checked.elements:
        assert tag == "span"
        assert all(name.startswith("ansi-") for name in (attributes["class"] or "").split())
    assert checked.text == output_text(text)


@settings(max_examples=500, deadline=None)
@given(outputs, st.lists(st.integers(1, 7), min_size=1, max_size=8))
def test_output_in_pieces_ends_as_the_whole(text: str, sizes: list[int]) -> None:
    stream = AnsiStream()
    shown = ""
    at = turn = 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        stream.feed(text[at : at + size])
        shown += stream.take().lines
        at, turn = at + size, turn + 1
    last = stream.end()
    assert shown + last.lines + last.tail == to_html(text)


def test_past_its_bound_the_middle_of_an_output_is_left_out_and_counted() -> None:
    text = "".join(f"line {n}\n" for n in range(10_000))
    html = to_html(text, max_chars=1_000)
    assert html.startswith("line 0\n")
    assert html.endswith("line 9999\n")
    assert "characters left out" in html
    assert len(html) < 1_200


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[" * 100_000,
        "\x1b]" * 100_000,
        "\x1b[31m" * 50_000,
        "a\r" * 100_000,
        "\x1b[9999C\b" * 30_000,
        "x" * 1_000_000,
        "\x1b]" + "x" * 500_000,
        "\x1b[1;" * 50_000,
        "\x1b[9999Cx\r" * 3_000,
    ],
    ids=lambda text: repr(text[:8]),
)
def test_no_output_takes_long(text: str) -> None:
    assert_linear(fed_in_pieces, text)


def fed_in_pieces(text: str) -> None:
    stream = AnsiStream()
    for at in range(0, len(text), 50_000):
        stream.feed(text[at : at + 50_000])
        stream.take()
    stream.end()
