"""Long output: head and tail kept, the cut marked, no character broken, memory bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codex_kernel.tools.truncation import HeadTail, middle_cut, shell_text, token_count


def fed(*chunks: bytes, head: int = 64 * 1024, tail: int = 64 * 1024) -> HeadTail:
    output = HeadTail(head, tail)
    for chunk in chunks:
        output.feed(chunk)
    return output


def test_four_hundred_lines_lose_their_middle():
    text = shell_text(fed(*(b"line%d\n" % number for number in range(1, 401))))
    assert text.startswith("line1\nline2\n")
    assert "line128\n[... omitted 144 of 400 lines ...]\n\nline273\n" in text
    assert text.endswith("line400")


def test_a_thousand_long_lines_stay_within_the_byte_budget():
    text = shell_text(fed(*(b"%03d" % number + b"x" * 96 + b"\n" for number in range(1000))))
    assert len(text.encode()) <= 10_240
    assert text.startswith("000x")
    assert "999x" in text
    assert "[... omitted 744 of 1000 lines ...]" in text


def test_short_output_is_left_as_it_is():
    assert shell_text(fed(b"a\nb\n")) == "a\nb\n"
    assert shell_text(fed()) == ""


def test_one_endless_line_says_how_much_there_was():
    text = shell_text(fed(b"x" * 1_000_000))
    assert "1000000 bytes" in text
    assert len(text.encode()) <= 10_240


def test_middle_cut_follows_the_sheet():
    assert middle_cut(fed(b"a" * 62), 4) == "…16 tokens truncated…"
    lines = fed(*(b"%03d\n" % number for number in range(1, 21)))
    assert middle_cut(lines, 16) == "001\n002\n003\n004\n…12 tokens truncated…\n017\n018\n019\n020\n"
    assert middle_cut(fed(b"short\n"), 100) == "short\n"


def test_memory_is_bounded_whatever_comes():
    output = fed(*(b"y" * 65536 for _ in range(400)), head=1000, tail=1000)
    assert output.total_bytes == 400 * 65536
    assert len(output.text()) < 2100


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(1, 40), st.integers(1, 40))
def test_head_and_tail_are_the_real_ones_and_the_count_is_right(chunks, head, tail):
    whole = b"".join(chunks)
    kept_head, omitted, kept_tail = fed(*chunks, head=head, tail=tail).parts()
    assert whole.startswith(kept_head)
    assert whole.endswith(kept_tail)
    assert len(kept_head) + omitted + len(kept_tail) == len(whole)
    if len(whole) <= head + tail:
        assert omitted == 0


@given(st.text(alphabet="aé中😀\n", max_size=400), st.integers(1, 7), st.integers(5, 60), st.integers(5, 60))
def test_no_character_is_broken(text, size, head, tail):
    data = text.encode()
    output = fed(*(data[start : start + size] for start in range(0, len(data), size)), head=head, tail=tail)
    for shown in (output.text(), middle_cut(output, 8), shell_text(output)):
        assert "\ufffd" not in shown


@given(st.text(max_size=3000), st.integers(1, 200))
def test_middle_cut_never_passes_its_budget_by_more_than_its_mark(text, tokens):
    cut = middle_cut(fed(text.encode("utf-8", "replace")), tokens)
    assert len(cut.encode()) <= max(tokens * 4, 64) + 8


def test_tokens_are_counted_up():
    assert [token_count(number) for number in (0, 1, 4, 5)] == [0, 1, 1, 2]
