"""Forks: a thread of its own with another one's past."""

import json
import stat
from pathlib import Path

import pytest

from codex_protocol.errors import RolloutError, UsageError
from codex_protocol.events import ExecApprovalRequest
from codex_protocol.items import Message, user_message
from codex_store.context_items import is_prompt
from codex_store.rollout_fork import copy_for_fork
from codex_store.rollout_reader import read_rollout
from codex_store.rollout_writer import RolloutWriter
from tests.support.rollouts import FIXTURES, call, home_at, new_meta, output, recorded, write_thread, write_turn

RECORDED = [("august", 0), ("november", 0), ("november", 1)]


def test_a_fork_sees_what_its_source_saw_and_goes_its_own_way(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    source = write_thread(home, "first", "second")
    before = source.read_bytes()
    meta = new_meta()
    path = copy_for_fork(source, home, meta)
    with RolloutWriter.reopen(path) as writer:
        writer.items(user_message("elsewhere"))
    fork, old = read_rollout(path), read_rollout(source)
    assert fork.history() == [*old.history(), user_message("elsewhere")]
    assert (fork.meta.id, fork.meta.forked_from_id, fork.usage) == (meta.id, old.meta.id, old.usage)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert source.read_bytes() == before


@pytest.mark.parametrize(("generation", "number"), RECORDED)
def test_a_fork_of_an_upstream_thread_stands_alone(tmp_path: Path, generation: str, number: int) -> None:
    home, paths = recorded(generation, tmp_path)
    old = read_rollout(paths[number])
    path = copy_for_fork(paths[number], home, new_meta())
    for each in paths:
        each.unlink()
    fork = read_rollout(path)
    assert fork.history() == old.history()
    assert fork.items == old.items
    assert [(turn.prompt, turn.end) for turn in fork.turns] == [(turn.prompt, turn.end) for turn in old.turns]
    assert (fork.usage, fork.notices) == (old.usage, ())
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert all(line.keys() == {"timestamp", "type", "payload"} for line in lines)


@pytest.mark.parametrize(("turns", "prompts"), [(0, []), (1, ["u1"]), (2, ["u1", "u2"]), (3, ["u1", "u2", "u3"])])
def test_a_fork_can_leave_out_the_last_turns(tmp_path: Path, turns: int, prompts: list[str]) -> None:
    home = home_at(tmp_path)
    with RolloutWriter.create(home, new_meta()) as writer:
        for prompt in ("u1", "u2", "u3"):
            write_turn(writer, prompt, call(prompt), output(prompt))
    fork = read_rollout(copy_for_fork(writer.path, home, new_meta(), turns=turns))
    assert [turn.prompt for turn in fork.turns] == prompts
    assert fork.unanswered_calls == ()


@pytest.mark.parametrize(("kept", "said"), [(0, []), (1, ["u1"]), (2, ["u1", "steer"]), (3, ["u1", "steer", "u2"])])
def test_a_fork_can_begin_before_anything_the_user_said(tmp_path: Path, kept: int, said: list[str]) -> None:
    home = home_at(tmp_path)
    with RolloutWriter.create(home, new_meta()) as writer:
        write_turn(writer, "u1", call("a"), user_message("steer"), output("a"))
        write_turn(writer, "u2")
    fork = read_rollout(copy_for_fork(writer.path, home, new_meta(), prompts=kept))
    assert [item.text() for item in fork.items if is_prompt(item) and isinstance(item, Message)] == said


@pytest.mark.parametrize("kept", [-1, 3])
def test_a_fork_after_a_message_that_was_never_said_is_refused(tmp_path: Path, kept: int) -> None:
    home = home_at(tmp_path)
    source = write_thread(home, "u1", "u2")
    with pytest.raises(UsageError, match="has 2 messages"):
        copy_for_fork(source, home, new_meta(), prompts=kept)


@pytest.mark.parametrize("turns", [-1, 3])
def test_a_fork_after_a_turn_that_never_was_is_refused(tmp_path: Path, turns: int) -> None:
    home = home_at(tmp_path)
    source = write_thread(home, "u1", "u2")
    with pytest.raises(UsageError, match="has 2 turns"):
        copy_for_fork(source, home, new_meta(), turns=turns)


def test_questions_stay_with_the_source(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    with RolloutWriter.create(home, new_meta()) as writer:
        write_turn(writer, "u1")
        writer.event(ExecApprovalRequest(call_id="c", approval_id="a", digest="d", command=("ls",), cwd="/w"))
        fork = read_rollout(copy_for_fork(writer.path, home, new_meta()))
    assert len(fork.approvals) == 0


def test_a_fork_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    source = FIXTURES / RECORDED[0][0]
    path = next(source.rglob("*.jsonl"))
    (tmp_path / "sessions").write_text("in the way")
    with pytest.raises(RolloutError, match="The fork cannot be saved"):
        copy_for_fork(path, home_at(tmp_path), new_meta())
    assert [entry.name for entry in tmp_path.iterdir()] == ["sessions"]
