"""Reading a file backwards."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_store import rollout_tail
from codex_store.rollout_tail import last_ordinal, lines_backwards, whole_end


def opened(path: Path, content: bytes) -> int:
    path.write_bytes(content)
    return os.open(path, os.O_RDONLY)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b"")), max_size=20), st.integers(1, 50))
def test_lines_backwards_are_the_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], chunk: int
) -> None:
    content = b"\n".join(lines)
    fd = opened(tmp_path_factory.mktemp("tail") / "file", content)
    before, rollout_tail._CHUNK = rollout_tail._CHUNK, chunk
    try:
        found = list(lines_backwards(fd, len(content)))
    finally:
        rollout_tail._CHUNK = before
        os.close(fd)
    assert [line for _, line in found] == (lines[::-1] if content else [])
    assert all(content[at : at + len(line)] == line for at, line in found)


def test_only_the_asked_for_end_is_read(tmp_path: Path) -> None:
    fd = opened(tmp_path / "file", b"aaaa\nbbbb\ncccc")
    assert [line for _, line in lines_backwards(fd, 14, 6)] == [b"cccc"]
    assert [line for _, line in lines_backwards(fd, 14, 10)] == [b"cccc", b"bbbb"]
    os.close(fd)


@pytest.mark.parametrize(
    ("content", "end", "unended"),
    [
        (b"", 0, False),
        (b"{}\n", 3, False),
        (b"{}\n{}", 5, True),
        (b'{}\n{"a', 3, False),
        (b'{"a', 0, False),
        (b"{}\n" + b"\0" * 200_000, 3, False),
    ],
)
def test_where_the_last_whole_line_ends(tmp_path: Path, content: bytes, end: int, unended: bool) -> None:
    fd = opened(tmp_path / "file", content)
    assert whole_end(fd, len(content)) == (end, unended)
    os.close(fd)


def test_the_last_number_is_that_of_the_last_line_that_has_one(tmp_path: Path) -> None:
    content = b'{"ordinal":3}\n{"ordinal":4}\ngarbage\n{"type":"workbench"}\n'
    fd = opened(tmp_path / "file", content)
    assert last_ordinal(fd, len(content)) == 4
    os.close(fd)
