from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from codex_protocol.items import CustomToolCall, FunctionCall, LocalShellCall
from codex_store.rollout_reader import read_rollout
from tests.support import peers
from tests.support.model_server import ModelServer, Request
from tests.support.replies import DEFAULT_USAGE, Reply, calls, says

CODEX = Path(sys.executable).with_name("codex")
MOMENTS = 20
CALLS = 5
WORDS = "remember the word heron"
FULL = {**DEFAULT_USAGE, "input_tokens": 90_000, "total_tokens": 90_020}
"""So many tokens that the next request is preceded by a compaction."""


@dataclass
class Scene:
    """A home, a directory, and a model that asks for commands that each write down their call's id."""

    root: Path
    compacting: bool
    ids: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def ran(self) -> list[str]:
        file = self.root / "outside" / "ran"
        return file.read_text("utf-8").split() if file.exists() else []

    def answer(self, request: Request) -> Reply:
        if not request.json.get("tools"):
            return says(f"summary: the word is heron, {len(self.ran)} commands ran")
        number = next(self.ids)
        if number % (CALLS + 1) == CALLS:
            return says("done")
        call_id = f"call-{number}"
        script = f"echo {call_id} >> {self.root}/outside/ran; head -c 3000 /dev/zero | tr '\\0' x; sleep 0.01"
        usage = FULL if self.compacting and number % 2 else DEFAULT_USAGE
        return calls("exec_command", {"cmd": script}, call_id=call_id, usage=usage)

    def start(self, url: str, *arguments: str) -> subprocess.Popen[bytes]:
        config = peers.november().config(url)
        if self.compacting:
            config = "model_auto_compact_token_limit = 50000\n" + config
        (self.root / "home" / "config.toml").write_text(config, encoding="utf-8")
        return subprocess.Popen(
            [
                CODEX,
                "exec",
                "--json",
                "--skip-git-repo-check",
                "--dangerously-bypass-approvals-and-sandbox",
                *arguments,
            ],
            cwd=self.root,
            env={"PATH": os.environ["PATH"], "HOME": str(self.root), "CODEX_HOME": str(self.root / "home")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


@pytest.fixture(params=[False, True], ids=["plain", "compacting"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    for name in ("home", "outside"):
        (tmp_path / name).mkdir()
    return Scene(tmp_path, request.param)


def valid(request: Request) -> bool:
    """Whether each call of the input has exactly one output after it, and each output its call."""
    open_calls: list[str] = []
    closed: list[str] = []
    for item in request.input:
        if item["type"] in {"function_call", "custom_tool_call"}:
            open_calls.append(item["call_id"])
        elif item["type"].endswith("_output"):
            if item["call_id"] not in open_calls:
                return False
            open_calls.remove(item["call_id"])
            closed.append(item["call_id"])
    return not open_calls and len(closed) == len(set(closed))


def said(request: Request) -> str:
    return "\n".join(part.get("text") or "" for item in request.input for part in item.get("content") or ())


def test_a_run_that_is_left_alone_runs_every_command_once(scene: Scene) -> None:
    with ModelServer(scene.answer) as server:
        out, err = scene.start(server.url, WORDS).communicate(timeout=60)
    assert b"turn.completed" in out, err
    assert scene.ran == [f"call-{number}" for number in range(CALLS)]


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_thread_goes_on_after_kill_9_at_any_moment(scene: Scene, moment: int) -> None:
    random = Random(moment)
    with ModelServer(scene.answer) as server:
        process = scene.start(server.lane("first"), WORDS)
        server.wait_for(random.randint(1, CALLS))
        try:
            process.communicate(timeout=random.uniform(0, 0.06))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        out, err = scene.start(server.lane("second"), "resume", "--last", "go on").communicate(timeout=60)
        requests = server.in_lane("second")
    assert b"turn.completed" in out, err
    assert all(valid(request) for request in requests)
    assert said(requests[-1]).count(WORDS) == 1 or (scene.compacting and "heron" in said(requests[-1]))
    assert "go on" in said(requests[-1])
    ran = scene.ran
    assert len(ran) == len(set(ran))
    (path,) = (scene.root / "home").glob("sessions/**/*.jsonl")
    items = read_rollout(path).items
    known = {item.call_id for item in items if isinstance(item, FunctionCall | CustomToolCall | LocalShellCall)}
    assert set(ran) <= known
