"""Two nodes of a tree beside each other, and how a person calls the turns that changed files."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_app.comparing import beside
from codex_app.turn_names import TurnNames
from codex_protocol.changes import ChangedFile, Changes
from codex_store.rollout_reader import read_rollout
from codex_store.thread_tree import own_prompts
from tests.support.rollouts import home_at, write_thread


def changes(**files: tuple[str, str]) -> Changes:
    """By name: diff and digest."""
    made = (ChangedFile(path=path, status="modified", diff=d, digest=g) for path, (d, g) in files.items())
    return Changes(root="/w", turn=None, turns=1, files=tuple(made))


def test_files_are_alike_by_what_they_were_and_became() -> None:
    left = changes(same=("+x", "1"), other=("+x", "2"), only=("+x", "3"), unknown=("", ""), told=("+x", ""))
    right = changes(same=("+x", "1"), other=("+x", "9"), unknown=("", ""), told=("+x", "4"))
    assert beside(left, right) == ["same", "other", "only", "other", "same"]
    assert beside(right, left) == ["same", "other", "other", "same"]


def test_a_turn_is_called_by_what_was_said_last_before_it(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    path = write_thread(home, "first\nof\u202e all", "x" * 200)
    thread = read_rollout(path).meta.id
    times = [prompt.at for prompt in own_prompts(path)]
    assert len(times) == 2
    names = TurnNames(home).of(thread, (1.0, 9e9))
    assert names[0] == ""
    assert names[1].startswith("xxx")
    assert len(names[1]) <= 80


@pytest.mark.parametrize("thread", ["", "018f0000-0000-7000-8000-000000000000"])
def test_turns_of_a_thread_that_is_not_kept_have_no_names(tmp_path: Path, thread: str) -> None:
    assert TurnNames(home_at(tmp_path)).of(thread, (1.0,)) == [""]
