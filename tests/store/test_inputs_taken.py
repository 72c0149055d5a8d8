"""What clients call the input they sent stands in the rollout with it."""

from __future__ import annotations

import os
from pathlib import Path

from codex_protocol.events import TaskStarted, TurnAborted
from codex_protocol.items import user_message
from codex_store.rollout_reader import read_rollout
from codex_store.rollout_writer import RolloutWriter
from tests.support.rollouts import home_at, new_meta


def test_the_name_a_client_gave_its_input_is_on_disk_with_it(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        for client_id, text in ((None, "one"), ("c-2", "two"), ("c-3", "<environment_context>")):
            writer.event(TaskStarted())
            writer.items(user_message(text), user_message("<skill>"), client_id=client_id)
            writer.event(TurnAborted(closing=client_id == "c-2"))
    rollout = read_rollout(writer.path)
    assert [(turn.client_ids, turn.closing) for turn in rollout.turns] == [
        ([], False),
        (["c-2"], True),
        (["c-3"], False),
    ]
    assert rollout.notices == ()


def test_an_input_that_was_cut_off_while_it_was_written_counts_as_not_taken(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        writer.items(user_message("one"))
        writer.event(TaskStarted())
        writer.items(user_message("two " * 9), client_id="c-2")
    os.truncate(writer.path, writer.path.stat().st_size - 9)
    with RolloutWriter.reopen(writer.path):
        assert [turn.client_ids for turn in read_rollout(writer.path).turns] == [[], []]
