"""The newest upstream release and we are asked the same questions about the same tree."""

from __future__ import annotations

import asyncio

import pytest

from codex_kernel.search.file_search import FileSearch
from codex_kernel.search.match import Match
from tests.support.file_trees import make_paths, write_tree
from tests.support.peers import PeerMissingError
from tests.support.upstream_search import UpstreamSearch

_ASKED = (
    "parser|widget|main|readme|srv|usr auth|pars|te|button index|json|confmod|core/util|html5|tok9|zzz|session_token|"
    "ap.py|kern|Index|tests|a b c|utils.py|wid.tsx|modelview"
)
QUERIES = _ASKED.split("|")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[Match], list[Match]]]:
    """For each query, what we and what they answer."""
    root = tmp_path_factory.mktemp("tree")
    write_tree(root, make_paths(4000))
    try:
        upstream = UpstreamSearch()
    except PeerMissingError as error:
        pytest.fail(str(error))

    async def ours() -> list[list[Match]]:
        search = FileSearch(root, case="ignore")
        found = [await search.search(query, limit=50) for query in QUERIES]
        await search.close()
        return [list(each.matches) for each in found if each is not None]

    try:
        theirs = [
            [
                Match(each["path"], each["score"], tuple(each["indices"]), each["match_type"] == "directory")
                for each in upstream.query(query, root)
            ]
            for query in QUERIES
        ]
    finally:
        upstream.close()
    return dict(zip(QUERIES, zip(asyncio.run(ours()), theirs, strict=True), strict=True))


@pytest.mark.parametrize("query", QUERIES)
def test_scores_are_upstreams(answers: dict[str, tuple[list[Match], list[Match]]], query: str) -> None:
    ours, theirs = answers[query]
    assert [match.score for match in ours] == [match.score for match in theirs]


def test_nearly_all_of_the_first_ten_are_upstreams(answers: dict[str, tuple[list[Match], list[Match]]]) -> None:
    # Which of many equal ones are among the best fifty depends on the order in which upstream met them.
    missing = {
        query: len({match.path for match in theirs[:10]} - {match.path for match in ours[:10]})
        for query, (ours, theirs) in answers.items()
    }
    assert sum(missing.values()) <= 4, missing
    assert max(missing.values()) <= 2, missing


def test_equal_paths_have_equal_positions_and_kinds(answers: dict[str, tuple[list[Match], list[Match]]]) -> None:
    pairs = [
        (match, {each.path: each for each in ours}.get(match.path))
        for ours, theirs in answers.values()
        for match in theirs
    ]
    both = [(theirs, ours) for theirs, ours in pairs if ours is not None]
    assert len(both) >= 0.9 * len(pairs)
    assert all(theirs.is_directory == ours.is_directory for theirs, ours in both)
    assert sum(theirs.indices == ours.indices for theirs, ours in both) >= 0.9 * len(both)
