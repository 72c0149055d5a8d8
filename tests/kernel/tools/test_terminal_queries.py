from __future__ import annotations

import pytest

from codex_kernel.tools.terminal_queries import TerminalQueries


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (b"text \x1b[6n", b"\x1b[1;1R"),
        (b"\x1b[5n", b"\x1b[0n"),
        (b"\x1b]11;?\x07\x1b[c", b"\x1b[?1;2c"),
        (b"\x1b[0c\x1b[6n", b"\x1b[?1;2c\x1b[1;1R"),
        (b"\x1b[6m\x1b[31m [6n", b""),
    ],
)
def test_questions_are_answered_however_they_are_cut(asked: bytes, answer: bytes) -> None:
    assert TerminalQueries().answers(asked) == answer
    for size in (1, 2, 3):
        queries = TerminalQueries()
        pieces = [asked[start : start + size] for start in range(0, len(asked), size)]
        assert b"".join(map(queries.answers, pieces)) == answer


def test_a_flood_of_questions_gets_few_answers() -> None:
    assert len(TerminalQueries().answers(b"\x1b[6n" * 10_000)) < 200
