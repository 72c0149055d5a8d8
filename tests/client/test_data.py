"""Threads as records, with no agent running; pandas takes them as they are."""

from __future__ import annotations

import datetime
from pathlib import Path

import pandas as pd
import pytest

from codex_client import AsyncCodex, Codex
from codex_protocol.errors import RolloutError
from codex_store.home import Home
from codex_store.rollout_writer import RolloutWriter
from tests.support.rollouts import call, home_at, new_meta, output, write_thread, write_turn

RAN = '{"output": "3 passed", "metadata": {"exit_code": 0, "duration_seconds": 1.5}}'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = home_at(tmp_path)
    with RolloutWriter.create(made, new_meta("/w")) as writer:
        shell = call("c1", arguments='{"command": ["pytest", "-q"]}')
        write_turn(writer, "run the tests", shell, output("c1", RAN), answer="They pass.")
        write_turn(writer, "thanks")
    write_thread(made, "another", cwd="/other")
    return made


@pytest.fixture
def codex(home: Home) -> Codex:
    return Codex(env={"CODEX_HOME": str(home.root)})


def test_threads_turns_commands_and_usage_are_tables(codex: Codex) -> None:
    threads = pd.DataFrame(codex.threads())
    assert set(threads["cwd"]) == {"/w", "/other"}
    assert str(threads["updated"].dtype).startswith("datetime64")
    turns = pd.DataFrame(codex.turns())
    assert len(turns) == 3
    assert turns["total_tokens"].sum() == 360
    assert str(turns["started"].dtype).startswith("datetime64")
    [command] = codex.commands()
    assert (command["command"], command["exit_code"], command["duration_s"]) == ("pytest -q", 0, 1.5)
    assert (command["output"], command["cwd"], command["turn"]) == ("3 passed", "/w", 1)
    usage = pd.DataFrame(codex.usage())
    assert usage.groupby("thread_id")["total_tokens"].sum().max() == 240


def test_one_thread_can_be_asked_for(codex: Codex) -> None:
    thread = next(record["id"] for record in codex.threads() if record["cwd"] == "/w")
    assert [record["prompt"] for record in codex.turns(thread)] == ["run the tests", "thanks"]
    with pytest.raises(RolloutError, match="no thread"):
        codex.turns("nothing")


def test_search_tells_where(codex: Codex) -> None:
    [found] = codex.search("pytest")
    assert (found["kind"], found["turn"]) == ("command", 1)
    assert isinstance(found["time"], datetime.datetime)
    assert found["time"].tzinfo is not None


def test_a_damaged_thread_costs_itself_alone(codex: Codex, home: Home) -> None:
    path = Path(next(record["path"] for record in codex.threads() if record["cwd"] == "/other"))
    path.write_bytes(b"\xff\xfe not json\n" * 10)
    assert len(codex.turns()) == 2
    assert codex.search("tests")


def test_an_empty_home_has_empty_tables(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    codex = AsyncCodex(env={"CODEX_HOME": str(tmp_path / "none")})
    assert codex.threads() == codex.turns() == codex.commands() == codex.usage() == codex.search("x") == []
