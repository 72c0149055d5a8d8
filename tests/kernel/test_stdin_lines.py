import itertools

from hypothesis import given
from hypothesis import strategies as st

from codex_kernel import stdin_lines as lines
from codex_kernel.stdin_lines import LineSplitter


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_lines_are_the_same_wherever_the_bytes_are_cut(data: bytes, cuts: list[int]):
    splitter = LineSplitter()
    found: list[bytes] = []
    places = [0, *sorted(cut for cut in cuts if cut <= len(data)), len(data)]
    for start, end in itertools.pairwise(places):
        found += splitter.feed(data[start:end])
    assert [*found, splitter.rest()] == [
        *(line.strip() for line in data.split(b"\n")[:-1] if line.strip()),
        data.split(b"\n")[-1].strip(),
    ]


def test_a_line_longer_than_allowed_is_thrown_away_and_told_of(monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 10)
    splitter = LineSplitter()
    splitter.feed(b"x" * 11)
    assert splitter.overlong
    assert splitter.rest() == b""


def test_the_end_of_a_line_that_was_thrown_away_is_no_line_of_its_own(monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 10)
    splitter = LineSplitter()
    assert splitter.feed(b"x" * 11) == []
    assert splitter.feed(b'{"op": "of its middle"}') == []
    assert splitter.feed(b'{"op": "of its end"}\n{"op": "next"}\n') == [b'{"op": "next"}']
    assert splitter.rest() == b""
