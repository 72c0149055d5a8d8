from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

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
    return Scene(tmp_path, request.param)


def fresh(scene: Scene, number: int) -> Scene:
    root = scene.root / str(number)
    for name in ("home", "outside"):
        (root / name).mkdir(parents=True)
    return Scene(root, scene.compacting)


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


def test_a_thread_goes_on_after_kill_9_at_any_moment(scene: Scene) -> None:
    moments = random.Random(9)
    whole = fresh(scene, -1)
    with ModelServer(whole.answer) as server:
        begun = time.monotonic()
        out, err = whole.start(server.url, WORDS).communicate(timeout=60)
        took = time.monotonic() - begun
    assert b"turn.completed" in out, err
    assert len(whole.ran) == CALLS
    resumed = 0
    for number in range(MOMENTS):
        resumed += killed_and_resumed(fresh(scene, number), moments.uniform(0.2, 1.05) * took)
    assert resumed > MOMENTS // 2


def killed_and_resumed(scene: Scene, after_s: float) -> bool:
    """Kill a run after so long, resume it, and check what must hold; False when there was nothing to resume yet."""
    with ModelServer(scene.answer) as server:
        process = scene.start(server.lane("first"), WORDS)
        try:
            process.communicate(timeout=after_s)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        # A command that is still running belongs to nobody now; the sandbox would have ended it.
        if not list((scene.root / "home").glob("sessions/**/*.jsonl")):
            assert not server.in_lane("first")
            return False
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
    return True
