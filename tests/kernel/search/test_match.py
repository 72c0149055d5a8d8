from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_kernel.search.candidates import Cancelled, Candidates
from codex_kernel.search.match import Found, find
from tests.support.file_trees import make_paths

FILES = [
    "src/parser.py",
    "lib/my_parser.py",
    "docs/Parser/readme.md",
    "src/parser/mod.rs",
    "zz/Parser",
    "tests/test_parser.py",
]
FOLDERS = ["src", "lib", "docs", "docs/Parser", "src/parser", "zz", "tests"]


def folders_of(paths: list[str]) -> list[str]:
    return sorted({path[:at] for path in paths for at, character in enumerate(path) if character == "/"})


def told(found: Found) -> list[tuple[int, str]]:
    return [(match.score >> 16, match.path) for match in found.matches]


@pytest.fixture(params=[True, False], ids=["frizbee", "plain"])
def fast(request: pytest.FixtureRequest) -> bool:
    return request.param


def test_names_come_before_paths_and_the_nearest_directory_between(fast: bool) -> None:
    assert told(find(Candidates(FILES, FOLDERS, fast=fast), "parser")) == [
        (3, "zz/Parser"),
        (2, "src/parser"),
        (1, "src/parser.py"),
        (1, "lib/my_parser.py"),
        (1, "tests/test_parser.py"),
        (0, "docs/Parser"),
        (0, "docs/Parser/readme.md"),
        (0, "src/parser/mod.rs"),
    ]


def test_several_words_are_matched_against_whole_paths(fast: bool) -> None:
    found = find(Candidates(FILES, FOLDERS, fast=fast), "par src")
    assert told(found) == [(0, "src/parser"), (0, "src/parser.py"), (0, "src/parser/mod.rs")]
    assert found.matches[0].is_directory
    assert found.matches[0].indices == (0, 1, 2, 4, 5, 6)


def test_positions_count_characters_of_the_whole_path(fast: bool) -> None:
    (match,) = find(Candidates(["a/Ünï/Danço.txt"], [], fast=fast), "danco").matches
    assert match.indices == (6, 7, 8, 9, 10)


@pytest.mark.parametrize("query", ["", " ", "\t", "x" * 201, "zzzz"])
def test_nothing_is_found_for_nothing(query: str, fast: bool) -> None:
    assert find(Candidates(FILES, FOLDERS, fast=fast), query).matches == ()
    assert find(Candidates([], [], fast=fast), "a").matches == ()


def test_a_word_with_capitals_is_looked_for_as_it_is(fast: bool) -> None:
    candidates = Candidates(FILES, FOLDERS, fast=fast)
    assert {path for _, path in told(find(candidates, "Parser"))} == {
        "zz/Parser",
        "docs/Parser",
        "docs/Parser/readme.md",
    }
    assert told(find(candidates, "PARSER", case="ignore")) == told(find(candidates, "parser"))


def test_of_equal_ones_the_shortest_are_kept_and_told_by_name(fast: bool) -> None:
    files = [f"{'d' * n}/mod.rs" for n in range(1, 200)]
    random.Random(1).shuffle(files)
    found = find(Candidates(files, [], fast=fast), "mod.rs", limit=8)
    kept = sorted(sorted(files, key=len)[:50])
    assert [match.path for match in found.matches] == kept[:8]
    assert found.more


def test_what_may_not_be_told_gives_its_place_to_others(fast: bool) -> None:
    files = [f"d{n:04}/parser.py" for n in range(500)]
    found = find(Candidates(files, [], fast=fast), "parser", limit=3, keep=lambda path: path >= "d0300")
    assert [match.path for match in found.matches] == ["d0300/parser.py", "d0301/parser.py", "d0302/parser.py"]


def test_whether_there_is_more_is_told(fast: bool) -> None:
    candidates = Candidates(FILES, FOLDERS, fast=fast)
    assert not find(candidates, "parser").more
    assert find(candidates, "parser", limit=7).more


def test_a_search_nobody_waits_for_ends(fast: bool) -> None:
    with pytest.raises(Cancelled):
        find(Candidates(FILES, FOLDERS, fast=fast), "parser", stopped=lambda: True)


PATHS = make_paths(1500)
TREES = {fast: Candidates(PATHS, folders_of(PATHS), fast=fast) for fast in (True, False)}


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        ["parser", "Widget", "src", "read me", "mod.rs", "core/util", "Kern", "é", "test a", "a\\ b", "main ts"]
    ),
    st.booleans(),
)
def test_a_query_that_grows_finds_what_it_finds_by_itself(query: str, fast: bool) -> None:
    before = find(TREES[fast], query[:1]).remaining
    for end in range(2, len(query) + 1):
        grown = find(TREES[fast], query[:end], before=before)
        assert grown.matches == find(TREES[fast], query[:end]).matches
        before = grown.remaining


QUERIES = [
    "parser",
    "widget",
    "main",
    "srv",
    "usr auth",
    "pars",
    "te",
    "json",
    "core/util",
    "tok9",
    "session_token",
    "kern",
]


@pytest.mark.parametrize("query", QUERIES)
def test_the_fast_way_finds_what_the_plain_way_finds(query: str) -> None:
    fast, plain = (find(TREES[way], query, limit=10).matches for way in (True, False))
    assert fast == plain


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text(alphabet="abAé/ _.", min_size=1, max_size=8), max_size=12),
    st.text(alphabet="abAé/ _.\\", max_size=5),
)
def test_both_ways_agree_on_few_paths_with_any_names(paths: list[str], query: str) -> None:
    fast, plain = (find(Candidates(paths, [], fast=way), query, case="ignore").matches for way in (True, False))
    assert fast == plain
