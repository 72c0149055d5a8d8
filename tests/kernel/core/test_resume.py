"""Threads that go on: resumed and forked from their rollouts."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_kernel.core.history import ABORTED
from codex_kernel.model.scripted import calls, says, uses
from codex_protocol.errors import RolloutError
from codex_protocol.events import SessionConfigured, TokenCount, Warning
from codex_protocol.items import FunctionCall, FunctionCallOutput, encode_item
from tests.support.threads import running


async def first_run(folder: Path, *script) -> Path:
    async with running(folder, *script) as watched:
        await watched.turn("first")
        assert watched.thread.rollout_path is not None
        return watched.thread.rollout_path


async def test_a_resumed_thread_sends_what_was_there_and_no_context_twice(tmp_path: Path):
    path = await first_run(
        tmp_path, [uses(50, 5), calls("exec_command", {"cmd": "echo hi"})], [uses(60, 5), says("one")]
    )
    async with running(tmp_path, [uses(70, 5), says("two")], resume=path) as watched:
        configured = watched.events[0].msg
        assert isinstance(configured, SessionConfigured)
        assert configured.resumed
        assert configured.session_id in path.name
        await watched.turn("second")
        texts = [item.text() for item in watched.sent() if hasattr(item, "role")]
        assert texts[-3:] == ["first", "one", "second"]
        assert sum("<environment_context>" in text for text in texts) == 1
        assert watched.all(TokenCount)[-1].total.input_tokens == 180


async def test_a_fork_has_the_whole_history_and_a_file_of_its_own(tmp_path: Path):
    path = await first_run(tmp_path, says("one"))
    before = path.read_bytes()
    async with running(tmp_path, says("two"), fork=path) as watched:
        assert watched.thread.id not in path.name
        await watched.turn("second")
        assert watched.thread.rollout_path != path
        assert [item.text() for item in watched.sent()][-3:] == ["first", "one", "second"]
        fork = watched.thread.rollout_path
    assert path.read_bytes() == before
    async with running(tmp_path, says("three"), resume=fork) as watched:
        await watched.turn("third")
        assert [item.text() for item in watched.sent()][-5:] == ["first", "one", "second", "two", "third"]


async def test_a_call_that_was_running_when_the_process_died_is_not_run_again(tmp_path: Path):
    path = await first_run(tmp_path, says("one"))
    left = FunctionCall(name="exec_command", arguments='{"cmd":"touch again"}', call_id="call_x")
    with path.open("ab") as file:
        file.write(
            b'{"timestamp":"2026-01-01T00:00:00.000Z","type":"response_item","payload":' + encode_item(left) + b"}\n"
        )
        file.write(b'{"timestamp":"2026-01-01T00:00')
    async with running(tmp_path, says("two"), resume=path) as watched:
        assert any("cut off" in warning.message for warning in watched.all(Warning))
        await watched.turn("second")
        answer = next(item for item in watched.sent() if isinstance(item, FunctionCallOutput))
        assert answer.output == ABORTED
        assert not (tmp_path / "work" / "again").exists()
    async with running(tmp_path, says("three"), resume=path) as watched:
        await watched.turn("third")
        assert sum(isinstance(item, FunctionCallOutput) for item in watched.sent()) == 1


async def test_two_processes_cannot_go_on_with_one_thread(tmp_path: Path):
    path = await first_run(tmp_path, says("one"))
    async with running(tmp_path, says("two"), resume=path):
        with pytest.raises(RolloutError):
            async with running(tmp_path, says("three"), resume=path):
                pass


async def test_an_ephemeral_thread_leaves_nothing(tmp_path: Path):
    async with running(tmp_path, says("one"), ephemeral=True) as watched:
        await watched.turn("first")
        assert watched.thread.rollout_path is None
    assert not list((tmp_path / "home").rglob("*.jsonl"))


async def test_a_thread_that_never_started_leaves_no_file(tmp_path: Path):
    async with running(tmp_path):
        pass
    assert not list((tmp_path / "home").rglob("*.jsonl"))
