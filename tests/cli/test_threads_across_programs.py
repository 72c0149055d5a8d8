from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from codex_protocol.items import FunctionCall, FunctionCallOutput, Message
from codex_store.rollout_reader import Rollout, read_rollout
from tests.support import peers
from tests.support.model_server import ModelServer, Request
from tests.support.replies import Reply, calls, says

OURS = Path(sys.executable).with_name("codex")
OUTPUT = "printed-by-the-command"


@dataclass(frozen=True)
class Scene:
    """A home and a directory that several programs share."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    def exec(self, command: Path, config: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        self.home.mkdir(exist_ok=True)
        (self.home / "config.toml").write_text(config, encoding="utf-8")
        done = subprocess.run(
            [command, "exec", "--json", "--skip-git-repo-check", *arguments],
            cwd=self.root,
            env={"PATH": os.environ["PATH"], "HOME": str(self.root), "CODEX_HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def rollout(self) -> Path:
        (path,) = self.home.glob("sessions/**/*.jsonl")
        return path

    def read(self) -> Rollout:
        return read_rollout(self.rollout())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def script(shell: Reply) -> list[Reply]:
    return [shell, says("the first answer")]


AUGUST = script(calls("shell", {"command": ["echo", OUTPUT]}, call_id="c1"))
NOVEMBER = script(calls("exec_command", {"cmd": f"echo {OUTPUT}"}, call_id="c1"))
UNCONFINED = "--dangerously-bypass-approvals-and-sandbox"


def begin(scene: Scene, program: str) -> str:
    """Write a thread of one command and one answer by `program`; its id."""
    peer = peers.august() if program == "august" else peers.november()
    command = OURS if program == "ours" else peer.command
    with ModelServer(AUGUST if program == "august" else NOVEMBER) as server:
        scene.exec(command, peer.config(server.url), UNCONFINED, "remember the word heron")
    return scene.read().meta.id


def texts(request: Request) -> list[str]:
    return [part.get("text", "") for item in request.input for part in item.get("content") or ()]


@pytest.mark.parametrize("program", ["august", "november", "ours"])
def test_a_thread_written_by_a_program_is_read_whole(scene: Scene, program: str) -> None:
    begin(scene, program)
    rollout = scene.read()
    history = rollout.history()
    said = [
        part.text for item in history if isinstance(item, Message) for part in item.content if hasattr(part, "text")
    ]
    assert "remember the word heron" in said
    assert said[-1] == "the first answer"
    assert [item.call_id for item in history if isinstance(item, FunctionCall)] == ["c1"]
    (output,) = [item.output for item in history if isinstance(item, FunctionCallOutput)]
    assert OUTPUT in str(output)
    assert rollout.notices == ()
    assert not rollout.broken_off
    assert rollout.cwd == str(scene.root)


@pytest.mark.parametrize("program", ["august", "november", "ours"])
def test_we_go_on_with_a_thread_of_any_program(scene: Scene, program: str) -> None:
    thread_id = begin(scene, program)
    with ModelServer([says("the second answer")]) as server:
        done = scene.exec(OURS, peers.november().config(server.url), "resume", thread_id, "which word?")
        (request,) = server.requests
    assert thread_id in done.stdout.splitlines()[0]
    assert "the second answer" in done.stdout
    assert OUTPUT in str(request.outputs()["c1"])
    said = texts(request)
    assert said.index("remember the word heron") < said.index("the first answer") < said.index("which word?")


def test_upstream_goes_on_with_a_thread_of_ours(scene: Scene) -> None:
    thread_id = begin(scene, "ours")
    peer = peers.november()
    with ModelServer([says("the second answer")]) as server:
        done = scene.exec(peer.command, peer.config(server.url), "resume", thread_id, "which word?")
        (request,) = server.requests
    assert thread_id in done.stdout.splitlines()[0]
    assert OUTPUT in str(request.outputs()["c1"])
    said = texts(request)
    assert said.index("remember the word heron") < said.index("the first answer") < said.index("which word?")


def test_a_thread_that_upstream_went_on_with_is_still_ours(scene: Scene) -> None:
    thread_id = begin(scene, "ours")
    peer = peers.november()
    with ModelServer([says("the second answer"), says("the third answer")]) as server:
        scene.exec(peer.command, peer.config(server.url), "resume", thread_id, "which word?")
        config = peer.config(server.lane("ours"))
        server.script = [says("the third answer")]
        scene.exec(OURS, config, "resume", thread_id, "sure?")
        (request,) = server.in_lane("ours")
    said = texts(request)
    order = ["remember the word heron", "the first answer", "which word?", "the second answer", "sure?"]
    assert [said.index(words) for words in order] == sorted(said.index(words) for words in order)
