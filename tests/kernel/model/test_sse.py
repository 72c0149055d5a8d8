import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_kernel.model.sse import SseSplitter, split_sse
from codex_protocol.errors import ModelError
from tests.support.growth import assert_linear_in


def split(raw: bytes, cuts: tuple[int, ...] = ()) -> list[bytes]:
    splitter = SseSplitter()
    edges = [0, *sorted({min(cut, len(raw)) for cut in cuts}), len(raw)]
    found: list[bytes] = []
    for start, end in itertools.pairwise(edges):
        found += splitter.feed(raw[start:end])
    return found + splitter.close()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"event: x\ndata: a\n\nevent: y\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\nid: 7\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\ndata: b\n\ndata: c\n\n", [b"a\nb", b"c"]),
        (b": ping\n\n: data: no\n\ndata: a\n\n", [b"a"]),
        (b"event: data: x\n\n", []),
        (b"data\n\ndata:\n\ndata: \n\n", []),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\r\n\ndata: b\n\r\n", [b"a", b"b"]),
        (b"\n\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [b"a", b"b"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"]),
        (b"data: last", [b"last"]),
        (b"data: last\n", [b"last"]),
        (b"retry: 10\nid: 3\n\n", []),
        (b"", []),
        (b"\xef\xbb", []),
        (b"data: \xc3\xa4\xf0\x9f\x98\x80\n\n", ["ä😀".encode()]),
    ],
)
def test_data_is_found_whole_and_cut_at_every_byte(raw: bytes, expected: list[bytes]) -> None:
    assert split(raw) == expected
    assert split(raw, tuple(range(len(raw)))) == expected
    for cut in range(len(raw)):
        assert split(raw, (cut,)) == expected


LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
LINES = st.lists(
    st.sampled_from([b"", b"data: x", b"data:y", b"data", b": c", b"event: e", b"id: 1", b"junk", b"data: data: z"])
)


@given(LINES, LINE_ENDS, st.lists(st.integers(0, 200)))
def test_any_cutting_and_any_line_end_gives_what_the_standard_says(
    lines: list[bytes], end: bytes, cuts: list[int]
) -> None:
    expected: list[bytes] = []
    data: list[bytes] = []
    for line in [*lines, b""]:
        if line == b"":
            if joined := b"\n".join(data):
                expected.append(joined)
            data = []
        elif line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
    assert split(end.join([*lines, b"", b""]), tuple(cuts)) == expected


def test_an_event_over_the_limit_is_refused_in_one_piece_or_many() -> None:
    for size in (100, 100_000):
        splitter = SseSplitter(max_event_bytes=1024 * 1024)
        for _ in range(1024 * 1024 // size):
            splitter.feed(b"x" * size)
        with pytest.raises(ModelError, match="1 MiB"):
            splitter.feed(b"x" * size)


def test_a_huge_event_in_small_pieces_costs_linear_time() -> None:
    def feed(pieces: int) -> None:
        splitter = SseSplitter()
        for _ in range(pieces):
            splitter.feed(b"x" * 1024)
        assert splitter.feed(b"\n\n") == []

    assert_linear_in(feed, 20_000)  # 20 MB; scanning it again with each piece would take minutes


def test_random_bytes_never_raise() -> None:
    generator = random.Random(4)
    for _ in range(200):
        split(bytes(generator.choices(b"data: \r\n\xef\xbb\xbf\x00x", k=60)), (5, 9, 30))


async def test_a_stream_of_pieces_is_split() -> None:
    async def pieces():
        for piece in (b"data: a\n", b"\ndata", b": b"):
            yield piece

    assert [data async for data in split_sse(pieces())] == [b"a", b"b"]
