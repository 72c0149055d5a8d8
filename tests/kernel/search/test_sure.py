"""What is told without a look at all paths is what a look at all of them would have told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_kernel.search.candidates import Candidates
from codex_kernel.search.match import POOL, Match, find
from codex_kernel.search.score import highest, same, score, terms_of
from codex_kernel.search.sure import Lines
from tests.support.file_trees import make_paths

LETTERS = st.text("aAbB1/_. éÉ\nİ", max_size=12)


@settings(max_examples=400, deadline=None)
@given(query=st.text("aAbB1/_é", min_size=1, max_size=4), texts=st.lists(LETTERS, max_size=20), smart=st.booleans())
def test_sure_hits_are_the_texts_with_the_highest_score(query: str, texts: list[str], smart: bool) -> None:
    terms = terms_of(query, "smart" if smart else "ignore")
    [term] = terms
    hits = list(Lines(texts).hits(term))
    if not (term.text.isascii() and term.text[0].isalnum()):
        assert hits == []
        return
    best = highest(term.text)
    scored = [score(terms, text) for text in texts]
    assert all(each is None or each[0] <= best for each in scored)
    assert [number for number, _ in hits] == [
        n for n, each in enumerate(scored) if each is not None and each[0] == best
    ]
    for number, at in hits:
        assert scored[number] == (best, tuple(range(at, at + len(term.text))))
    whole = [number for number, _ in Lines(texts).hits(term, whole=True)]
    assert whole == [number for number, at in hits if at == 0 and same(term, texts[number])]


def by_a_look_at_all(candidates: Candidates, query: str) -> list[Match]:
    terms = terms_of(query)
    nearest = candidates.directory_named(terms[0])
    ranked: list[tuple[int, int, Match]] = []
    for number, (path, name) in enumerate(zip(candidates.paths, candidates.names, strict=True)):
        by_path = score(terms, path)
        by_name = score(terms, name) if name else None
        if by_path is None:
            continue
        step, (points, indices) = 0, by_path
        if by_name is not None:
            shift = len(path) - len(name)
            step, points = (3 if same(terms[0], name) else 1), by_name[0]
            indices = tuple(at + shift for at in by_name[1])
        elif number == nearest:
            step = 2
        match = Match(path, step << 16 | points, indices, bool(candidates.directories[number]))
        ranked.append((-match.score, number, match))
    best = [match for _, _, match in sorted(ranked)[:POOL]]
    return sorted(best, key=lambda match: (-match.score, match.path))


@pytest.fixture(scope="module")
def candidates() -> Candidates:
    files = make_paths(6000)
    return Candidates(files, {path[:at] for path in files for at, letter in enumerate(path) if letter == "/"})


@pytest.mark.parametrize(
    "query", ["p", "pa", "parser", "src", "te", "test", "m", "main", "re", "core/", "a", "i", "t", "w"]
)
def test_the_best_fifty_of_a_sure_query_are_those_of_all(candidates: Candidates, query: str) -> None:
    found = find(candidates, query)
    expected = by_a_look_at_all(candidates, query)
    assert [match.score for match in found.matches] == [match.score for match in expected]
    assert list(found.matches) == expected


def test_what_may_not_be_told_makes_room_for_the_next(candidates: Candidates) -> None:
    told = {match.path for match in find(candidates, "te").matches}
    others = find(candidates, "te", keep=lambda path: path not in told)
    assert len(others.matches) == POOL
    assert not told & {match.path for match in others.matches}
    assert others.more
