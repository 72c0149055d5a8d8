import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_kernel.patch import match
from codex_kernel.patch.match import Haystack, seek_sequence
from tests.support.growth import assert_linear

CASES = {
    "exact": (["foo", "bar", "baz"], ["bar", "baz"], 0, False, 1),
    "space at the end": (["foo   ", "bar\t\t"], ["foo", "bar"], 0, False, 0),
    "space around": (["    foo   ", "   bar\t"], ["foo", "bar"], 0, False, 0),
    "longer than the file": (["x"], ["a", "b", "c"], 0, False, None),
    "empty pattern": (["a"], [], 1, False, 1),
    "from the start only": (["a", "b", "a"], ["a"], 1, False, 2),
    "at the end only": (["a", "b", "a"], ["a"], 0, True, 2),
    "no other place than the end": (["a", "b"], ["a"], 0, True, None),
    "the end lies before the start": (["a", "b"], ["a", "b"], 1, True, None),
    "exact further down wins": (["  a", "a"], ["a"], 0, False, 1),
    "dashes": (["top\u2011level \u2013 x"], ["top-level - x"], 0, False, 0),
    "quotes": (["\u201cit\u2019s\u201d"], ['"it\'s"'], 0, False, 0),
    "spaces": (["a\u00a0b\u2003c"], ["a b c"], 0, False, 0),
    "bytes that are not UTF-8": (["caf\udce9"], ["caf\ufffd"], 0, False, 0),
}


@pytest.mark.parametrize("name", CASES)
def test_lines_are_found_where_the_passes_say(name: str) -> None:
    lines, pattern, start, at_end, hit = CASES[name]
    assert seek_sequence(lines, pattern, start, at_end=at_end) == hit


def plainly(lines: list[str], pattern: list[str], start: int, at_end: bool) -> int | None:
    if not pattern:
        return start
    last = len(lines) - len(pattern)
    for form in match.PASSES:
        for at in range(max(start, last) if at_end else start, last + 1):
            if [form(line) for line in lines[at : at + len(pattern)]] == [form(line) for line in pattern]:
                return at
    return None


some_lines = st.lists(st.sampled_from(["a", "b", " a", "a ", "a\u2013", "a-", "", " "]), max_size=12)


@settings(deadline=None)
@given(some_lines, some_lines.map(lambda lines: lines[:3]), st.integers(0, 8), st.booleans())
def test_search_agrees_with_the_plain_four_loops(
    lines: list[str], pattern: list[str], start: int, at_end: bool
) -> None:
    assert seek_sequence(lines, pattern, start, at_end=at_end) == plainly(lines, pattern, start, at_end)


@settings(deadline=None)
@given(some_lines, some_lines.map(lambda lines: lines[:3]))
def test_lines_that_share_a_code_point_are_told_apart(lines: list[str], pattern: list[str]) -> None:
    codes = match._CODES
    match._CODES = 2
    try:
        assert Haystack(lines, [*pattern, "x", "y", "z"]).find(pattern) == plainly(lines, pattern, 0, False)
    finally:
        match._CODES = codes


@pytest.mark.parametrize(
    "lines", [["a"] * 100_000, ["a", "b"] * 50_000, (["a"] * 300 + ["b"]) * 330], ids=["same", "two", "runs"]
)
def test_a_file_that_repeats_itself_costs_no_quadratic_time(lines: list[str]) -> None:
    pattern = ["a"] * 301 + ["b"]

    def search(part: list[str]) -> None:
        haystack = Haystack(part, pattern)
        for start in range(20):
            haystack.find(pattern, start)

    assert_linear(search, lines)
