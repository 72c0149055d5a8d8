"""Turns as records: of our files and of upstream's."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_protocol.events import TaskStarted, TurnAborted
from codex_protocol.items import user_message
from codex_store.item_texts import Outcome, outcome_of
from codex_store.rollout_fork import copy_for_fork
from codex_store.rollout_reader import read_rollout
from codex_store.rollout_writer import RolloutWriter
from codex_store.turn_records import read_turns
from tests.support.rollouts import call, home_at, new_meta, output, recorded, write_turn

MODERN = (
    "Chunk ID: abc\nWall time: 0.2500 seconds\nProcess exited with code 3\nOriginal token count: 1\nOutput:\nline\n"
)


def test_turns_tell_prompts_answers_commands_and_tokens(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta("/w")) as writer:
        write_turn(
            writer,
            "first",
            call("c1", "exec_command", '{"cmd": "make", "workdir": "/w/sub"}'),
            output("c1", MODERN),
            call("c2", "apply_patch", '{"input": "*** Begin Patch"}'),
            answer="built",
        )
        writer.event(TaskStarted())
        writer.items(user_message("second"))
        writer.event(TurnAborted())
        writer.event(TaskStarted())
        writer.items(user_message("third"))
    first, second, third = read_turns(writer.path)
    assert (first.number, first.prompt, first.answer, first.status, first.cwd) == (
        1,
        "first",
        "built",
        "completed",
        "/w",
    )
    [command] = first.commands
    assert (command.script, command.exit_code, command.duration_s, command.output, command.cwd) == (
        "make",
        3,
        0.25,
        "line\n",
        "/w/sub",
    )
    assert first.patches == 1
    assert [each.usage.total_tokens for each in first.usages] == [120]
    assert first.started_ms is not None
    assert first.ended_ms is not None
    assert first.ended_ms >= first.started_ms
    assert (second.status, third.status) == ("interrupted", "broken off")


def test_a_fork_tells_its_own_turns_alone(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    with RolloutWriter.create(home, new_meta()) as writer:
        write_turn(writer, "old")
    import time

    time.sleep(0.002)  # a fork is never made in the millisecond its source was written
    path = copy_for_fork(writer.path, home, new_meta())
    with RolloutWriter.reopen(path) as fork:
        write_turn(fork, "new")
    assert [(turn.number, turn.prompt) for turn in read_turns(path)] == [(2, "new")]


@pytest.mark.parametrize("generation", ["august", "november"])
def test_upstreams_files_have_the_turns_the_reader_finds(tmp_path: Path, generation: str) -> None:
    _, paths = recorded(generation, tmp_path)
    for path in paths:
        rollout = read_rollout(path)
        if rollout.meta.forked_from_id:
            continue
        turns = [turn for turn in read_turns(path) if turn.status != "taken back"]
        assert [turn.prompt for turn in turns] == [turn.prompt for turn in rollout.turns]
        assert all(turn.started_ms for turn in turns) or generation == "august"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ('{"output":"x\\n","metadata":{"exit_code":2,"duration_seconds":0.5}}', Outcome("x\n", 2, 0.5)),
        (MODERN, Outcome("line\n", 3, 0.25)),
        ("Exit code: 1\nWall time: 2 seconds\nOutput:\nno", Outcome("no", 1, 2.0)),
        ("Wall time: 1.0 seconds\nProcess running with session ID 3\nOutput:\n", Outcome("", None, 1.0)),
        ("plain text", Outcome("plain text")),
        ('{"output": 5}', Outcome('{"output": 5}')),
        ("Output:\nmine", Outcome("Output:\nmine")),
    ],
)
def test_outcomes_are_read_in_every_form(text: str, outcome: Outcome) -> None:
    assert outcome_of(text) == outcome
