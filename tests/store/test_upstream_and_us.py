"""The real releases of upstream and we go on with each other's threads. The releases are installed by tests/run."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_protocol.errors import RolloutError
from codex_protocol.events import ApprovalResolved, ExecApprovalRequest, TaskComplete, TaskStarted, TokenCount
from codex_protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    Item,
    Message,
    Reasoning,
    SummaryText,
    assistant_message,
    user_message,
)
from codex_protocol.policy import ApprovalPolicy, ReviewDecision, WorkspaceWrite
from codex_protocol.token_usage import TokenUsage
from codex_store.home import Home
from codex_store.rollout_fork import copy_for_fork
from codex_store.rollout_reader import Rollout, read_rollout
from codex_store.rollout_writer import RolloutWriter
from codex_store.thread_changes import set_name
from codex_store.threads import last_thread
from tests.support import peers
from tests.support.model_server import ModelServer
from tests.support.replies import calls, says
from tests.support.rollouts import call, new_meta, output, write_turn

CONVERSATION: tuple[Item, ...] = (
    Reasoning(id="rs_1", summary=(SummaryText("hm"),), encrypted_content="opaque"),
    call("c1", "exec_command", '{"cmd":"ls"}'),
    output("c1", "a.txt"),
    CustomToolCall(call_id="c2", name="apply_patch", input="*** Begin Patch\n*** End Patch\n"),
    CustomToolCallOutput(call_id="c2", output="Success."),
)


class Upstream:
    """One home, one directory, one scripted server, and a release that works in them."""

    def __init__(self, folder: Path, server: ModelServer, peer: peers.Peer) -> None:
        self.home = Home(root=folder / "home")
        self.home.root.mkdir()
        self.work = folder / "work"
        self.work.mkdir()
        self.server = server
        self._peer = peer
        self._folder = folder
        (self.home.root / "config.toml").write_text(peer.config(server.url), encoding="utf-8")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self._peer.command), "exec", "--skip-git-repo-check", *arguments],
            cwd=self.work,
            env={"PATH": os.environ["PATH"], "HOME": str(self._folder), "CODEX_HOME": str(self.home.root)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> str:
        """What the release sent to the model last, without context: texts of messages, kinds and ids of calls."""
        done = self.start(*arguments)
        out, err = done.communicate(timeout=60)
        assert done.returncode == 0, out + err
        return " ".join(_brief(item) for item in self.server.requests[-1].input if not _is_context(item))

    def rollouts(self) -> list[Path]:
        return sorted(self.home.sessions.rglob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)


def _is_context(item: dict) -> bool:
    return item.get("role") == "developer" or (
        item.get("role") == "user" and item["content"][0]["text"].startswith("<")
    )


def _brief(item: dict) -> str:
    if item["type"] == "message":
        return f"{item['role'][0]}:{item['content'][0]['text']}"
    return f"{item['type']}:{item.get('call_id') or item['id']}"


def said(rollout: Rollout) -> list[str]:
    return [
        item.text()
        for item in rollout.history()
        if isinstance(item, Message) and item.role != "developer" and not item.text().startswith("<")
    ]


@pytest.fixture
def november(tmp_path: Path) -> Iterator[Upstream]:
    with ModelServer(lambda request: says(f"answer {request.number}")) as server:
        yield Upstream(tmp_path, server, peers.november())


def our_thread(upstream: Upstream) -> Path:
    """A thread of ours with everything we ever write."""
    with RolloutWriter.create(upstream.home, new_meta(str(upstream.work))) as writer:
        writer.event(TaskStarted(model_context_window=1000))
        writer.turn_context(
            cwd=str(upstream.work),
            approval_policy=ApprovalPolicy.ON_REQUEST,
            sandbox_policy=WorkspaceWrite(),
            model="m",
        )
        writer.items(user_message("ours 1"), *CONVERSATION[:2])
        writer.event(ExecApprovalRequest(call_id="c1", approval_id="a", digest="d", command=("ls",), cwd="/w"))
        writer.event(ApprovalResolved(approval_id="a", call_id="c1", decision=ReviewDecision.APPROVED, by="page"))
        writer.items(*CONVERSATION[2:], assistant_message("done 1"))
        used = TokenUsage(input_tokens=1000, cached_input_tokens=10, output_tokens=20, total_tokens=1020)
        writer.event(TokenCount(input_tokens=1000, output_tokens=20, total_tokens=1020, total=used))
        writer.event(TaskComplete())
        write_turn(writer, "ours 2", answer="done 2")
    return writer.path


def test_0_169_goes_on_with_our_thread_and_we_with_its(november: Upstream) -> None:
    path = our_thread(november)
    whole = (
        "u:ours 1 reasoning:rs_1 function_call:c1 function_call_output:c1 "
        "custom_tool_call:c2 custom_tool_call_output:c2 a:done 1 u:ours 2 a:done 2"
    )
    assert november.run("resume", read_rollout(path).meta.id, "theirs") == f"{whole} u:theirs"
    assert november.rollouts() == [path]
    read = read_rollout(path)
    assert said(read) == ["ours 1", "done 1", "ours 2", "done 2", "theirs", "answer 0"]
    assert (read.notices, read.unanswered_calls, read.turns[-1].prompt, read.turns[-1].end) == (
        (),
        (),
        "theirs",
        "complete",
    )
    with RolloutWriter.reopen(path) as writer:
        assert writer.notices == ()
        write_turn(writer, "ours 3", answer="done 3")
    assert november.run("resume", read.meta.id, "theirs too").endswith(
        "u:theirs a:answer 0 u:ours 3 a:done 3 u:theirs too"
    )


def test_0_169_counts_on_from_our_tokens(november: Upstream) -> None:
    path = our_thread(november)
    before = read_rollout(path).usage
    november.run("resume", read_rollout(path).meta.id, "theirs")
    after = read_rollout(path)
    assert after.last_usage is not None
    assert after.usage.total_tokens == before.total_tokens + after.last_usage.total_tokens > before.total_tokens


def test_0_169_finds_our_thread_as_the_last_one_and_by_name(november: Upstream) -> None:
    path = our_thread(november)
    assert november.run("resume", "--last", "theirs").startswith("u:ours 1")
    set_name(november.home, read_rollout(path).meta.id, "the fix")
    assert november.run("resume", "the fix", "theirs too").startswith("u:ours 1")
    assert november.rollouts() == [path]


def test_0_169_forks_our_thread_and_we_read_the_fork(november: Upstream) -> None:
    path = our_thread(november)
    november.run("fork", read_rollout(path).meta.id, "theirs")
    fork = read_rollout(next(each for each in november.rollouts() if each != path))
    assert said(fork) == ["ours 1", "done 1", "ours 2", "done 2", "theirs", "answer 0"]
    assert fork.meta.forked_from_id == read_rollout(path).meta.id


def test_0_169_sees_our_compaction(november: Upstream) -> None:
    path = our_thread(november)
    with RolloutWriter.reopen(path) as writer:
        writer.compacted("all of it", [user_message("all of it")])
    assert november.run("resume", read_rollout(path).meta.id, "theirs") == "u:all of it u:theirs"


def test_we_go_on_with_a_thread_of_0_169_and_it_with_ours(november: Upstream) -> None:
    november.run("theirs 1")
    (path,) = november.rollouts()
    thread = last_thread(november.home, november.work)
    assert thread is not None
    assert (thread.path, thread.preview, thread.model) == (path, "theirs 1", "gpt-5.5")
    with RolloutWriter.reopen(path) as writer:
        write_turn(writer, "ours", *CONVERSATION, answer="done")
        writer.event(ExecApprovalRequest(call_id="c9", approval_id="a", digest="d", command=("ls",), cwd="/w"))
    sent = november.run("resume", thread.id, "theirs 2")
    assert sent.startswith("u:theirs 1 a:answer 0 u:ours reasoning:rs_1 function_call:c1")
    assert sent.endswith("a:done u:theirs 2")
    assert said(read_rollout(path)) == ["theirs 1", "answer 0", "ours", "done", "theirs 2", "answer 1"]


def test_0_169_goes_on_with_our_fork_of_its_thread(november: Upstream) -> None:
    november.run("theirs 1")
    (source,) = november.rollouts()
    meta = new_meta(str(november.work))
    fork = copy_for_fork(source, november.home, meta)
    source.unlink()
    assert november.run("resume", meta.id, "theirs 2") == "u:theirs 1 a:answer 0 u:theirs 2"
    assert said(read_rollout(fork))[-1] == "answer 1"


def test_0_169_and_we_never_write_one_thread_together(november: Upstream) -> None:
    path = our_thread(november)
    thread_id = read_rollout(path).meta.id
    with RolloutWriter.reopen(path):
        refused = november.start("resume", thread_id, "theirs")
        _, err = refused.communicate(timeout=60)
        assert refused.returncode == 1
        assert "already has an active writer" in err
    held = says("late", hold_after_events=1)
    november.server.script = [held]
    running = november.start("resume", thread_id, "theirs")
    assert held.held.wait(30)
    with pytest.raises(RolloutError, match="being written by another process"):
        RolloutWriter.reopen(path)
    held.release.set()
    running.communicate(timeout=60)
    RolloutWriter.reopen(path).close()


def test_0_27_reads_what_we_add_to_its_thread_and_so_do_we(tmp_path: Path) -> None:
    script = [calls("shell", {"command": ["true"]}, call_id="c1"), says("answer 1"), says("answer 2")]
    with ModelServer(script) as server:
        august = Upstream(tmp_path, server, peers.august())
        august.run("--dangerously-bypass-approvals-and-sandbox", "theirs 1")
        (path,) = august.rollouts()
        with RolloutWriter.reopen(path) as writer:
            write_turn(writer, "ours", call("c2"), output("c2"), answer="done")
        sent = august.run("-c", f'experimental_resume="{path}"', "theirs 2")
    assert sent == (
        "u:theirs 1 function_call:c1 function_call_output:c1 a:answer 1 "
        "u:ours function_call:c2 function_call_output:c2 a:done u:theirs 2"
    )
    read = read_rollout(path)
    assert said(read) == ["theirs 1", "answer 1", "ours", "done", "theirs 2", "answer 2"]
    assert read.notices == ()
