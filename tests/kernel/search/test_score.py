from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_kernel.search.score import matches, same, score, terms_of

# What release 0.169 answered for these paths: score and positions.
UPSTREAM = [
    ("fbb", "foo/bar/baz", 74, (0, 4, 8)),
    ("foobar", "foobar", 159, (0, 1, 2, 3, 4, 5)),
    ("foobar", "fooBar", 159, (0, 1, 2, 3, 4, 5)),
    ("foobar", "foo-bar", 153, (0, 1, 2, 4, 5, 6)),
    ("foobar", "foo/bar/baz", 156, (0, 1, 2, 4, 5, 6)),
    ("parser", "my_parser.py", 152, (3, 4, 5, 6, 7, 8)),
    ("parser", "parse_other_rows.py", 149, (0, 1, 2, 3, 4, 12)),
    ("sp", "parser.py", 35, (3, 7)),
    ("sp", "my_parser.py", 35, (6, 10)),
    ("sp", "docs/Parser/readme.md", 38, (3, 5)),
    ("src par", "src/parser", 168, (0, 1, 2, 4, 5, 6)),
    ("par src", "src/parser.py", 168, (0, 1, 2, 4, 5, 6)),
    ("p/m", "docs/Parser/readme.md", 58, (5, 11, 19)),
    ("ci", "with space/file name.txt", 27, (8, 12)),
    ("file name", "with space/file name.txt", 213, (11, 12, 13, 14, 16, 17, 18, 19)),
    ("danco", "Danço.txt", 134, (0, 1, 2, 3, 4)),
    ("bcd", "a:b,c;d|e", 74, (2, 4, 6)),
    ("xy", "x y", 55, (0, 2)),
    ("\\ ", "x y", 32, (1,)),
    ("a\\ b", "a b/c d.txt", 84, (0, 1, 2)),
]


@pytest.mark.parametrize(("query", "path", "points", "indices"), UPSTREAM)
def test_scores_and_positions_are_upstreams(query: str, path: str, points: int, indices: tuple[int, ...]) -> None:
    assert score(terms_of(query), path) == (points, indices)


@pytest.mark.parametrize(
    ("query", "path", "found"),
    [
        ("zzz", "hello", False),
        ("SRC", "src/x", False),
        ("src", "SRC/x", True),
        ("sRc", "sRc/x", True),
        ("obr", "fooBarbaz1", True),
        ("oBr", "foobarbaz1", False),
        ("src main", "main/src", True),
        ("src main", "src/mai", False),
        ("danço", "danco", False),
        ("danco", "DANÇO", True),
        ("!a", "x", False),
        ("!a", "!a", True),
        ("^a $", "x^a$", True),
        ("i", "İ", True),
        ("", "a", True),
    ],
)
def test_every_word_has_to_match(query: str, path: str, found: bool) -> None:
    assert (score(terms_of(query), path) is not None) == found
    assert matches(terms_of(query), path) == found


def test_capitals_never_matter_where_that_is_wanted() -> None:
    assert score(terms_of("PARSER", "ignore"), "src/parser") == score(terms_of("parser"), "src/parser")


def test_a_name_is_the_same_but_for_capitals_and_accents() -> None:
    (term,) = terms_of("danco")
    assert same(term, "Danço")
    assert not same(term, "danco.txt")


letters = st.text(alphabet="abAB1/_- .é", max_size=12)


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="abAB1/é", min_size=1, max_size=4), letters)
def test_no_other_alignment_is_better(query: str, path: str) -> None:
    (term,) = terms_of(query)
    found = score((term,), path)
    folded = term.fold(path)
    spots = [
        spots
        for spots in itertools.combinations(range(len(path)), len(term.text))
        if all(folded[spot] == character for spot, character in zip(spots, term.text, strict=True))
    ]
    assert (found is not None) == bool(spots)
    if found is not None:
        points, indices = found
        assert indices in spots
        assert points >= max(_simple(spots_) for spots_ in spots)
        assert points >= 16 * len(term.text) - 3 - len(path)


def _simple(spots: tuple[int, ...]) -> int:
    """A score without any bonus, which no alignment can fall below."""
    gaps = [after - before - 1 for before, after in itertools.pairwise(spots)]
    return 16 * len(spots) - sum(2 + gap for gap in gaps if gap)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=8), st.text(max_size=30))
def test_any_query_and_path_have_positions_inside_the_path(query: str, path: str) -> None:
    found = score(terms_of(query), path)
    if found is not None:
        assert list(found[1]) == sorted(set(found[1]))
        assert all(0 <= at < len(path) for at in found[1])
