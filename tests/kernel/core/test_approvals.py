"""Questions to a person: asked, answered once, recorded; denied at once where nobody can answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_kernel.model.scripted import calls, custom, says
from codex_protocol.errors import RolloutError
from codex_protocol.events import (
    ApplyPatchApprovalRequest,
    ApprovalResolved,
    Error,
    ExecApprovalRequest,
    ExecCommandBegin,
    ExecCommandEnd,
    TaskComplete,
    TurnAborted,
    Warning,
)
from codex_protocol.ops import ExecApproval, Interrupt, PatchApproval, TextInput, UserInput
from codex_protocol.policy import ApprovalPolicy, ReadOnly, ReviewDecision, WorkspaceWrite
from codex_store.rollout_reader import read_rollout
from tests.support.plain_sandbox import PlainSandbox
from tests.support.threads import running

ESCALATED = {"cmd": "echo ran >> log", "sandbox_permissions": "require_escalated", "justification": "to log"}
ON_REQUEST = {"approval_policy": ApprovalPolicy.ON_REQUEST, "sandbox_policy": WorkspaceWrite()}


def log_of(folder: Path) -> str:
    path = folder / "work" / "log"
    return path.read_text() if path.exists() else ""


async def test_an_approved_command_runs_outside_the_sandbox(tmp_path: Path):
    async with running(tmp_path, calls("exec_command", ESCALATED), says("done"), can_ask=True, **ON_REQUEST) as watched:
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        request = await watched.until(ExecApprovalRequest)
        assert request.reason == "to log"
        assert request.unconfined
        assert not log_of(tmp_path)
        watched.thread.submit(ExecApproval(id=request.approval_id, decision=ReviewDecision.APPROVED, by="page"))
        await watched.until(TaskComplete)
        assert log_of(tmp_path) == "ran\n"
        assert not watched.all(ExecCommandBegin)[0].sandboxed
        resolved = watched.all(ApprovalResolved)[0]
        assert (resolved.by, resolved.decision) == ("page", ReviewDecision.APPROVED)


async def test_the_first_answer_counts(tmp_path: Path):
    async with running(tmp_path, calls("exec_command", ESCALATED), says("done"), can_ask=True, **ON_REQUEST) as watched:
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        request = await watched.until(ExecApprovalRequest)
        watched.thread.submit(ExecApproval(id=request.approval_id, decision=ReviewDecision.DENIED))
        watched.thread.submit(ExecApproval(id=request.approval_id, decision=ReviewDecision.APPROVED))
        await watched.until(TaskComplete)
        assert not log_of(tmp_path)
        assert "rejected by user" in watched.sent()[-1].text()
        assert len(watched.all(ApprovalResolved)) == 1
        assert "answered already" in (await watched.until(Warning)).message


async def test_approved_for_the_thread_covers_the_same_command_only(tmp_path: Path):
    other = {**ESCALATED, "cmd": "echo other >> log"}
    script = [calls("exec_command", ESCALATED), calls("exec_command", ESCALATED), calls("exec_command", other)]
    async with running(tmp_path, *script, says("done"), can_ask=True, **ON_REQUEST) as watched:
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        first = await watched.until(ExecApprovalRequest)
        watched.thread.submit(ExecApproval(id=first.approval_id, decision=ReviewDecision.APPROVED_FOR_SESSION))
        second = await watched.until(ExecApprovalRequest, 2)
        assert "other" in second.command[-1]
        watched.thread.submit(ExecApproval(id=second.approval_id, decision=ReviewDecision.DENIED))
        await watched.until(TaskComplete)
        assert log_of(tmp_path) == "ran\nran\n"
        path = watched.thread.rollout_path
    async with running(
        tmp_path, calls("exec_command", ESCALATED), says("done"), can_ask=True, resume=path, **ON_REQUEST
    ) as watched:
        await watched.turn()
        assert log_of(tmp_path) == "ran\nran\nran\n"


async def test_abort_ends_the_turn(tmp_path: Path):
    async with running(tmp_path, calls("exec_command", ESCALATED), says("done"), can_ask=True, **ON_REQUEST) as watched:
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        request = await watched.until(ExecApprovalRequest)
        watched.thread.submit(ExecApproval(id=request.approval_id, decision=ReviewDecision.ABORT))
        await watched.until(TurnAborted)
        assert not log_of(tmp_path)


async def test_where_nobody_can_answer_it_is_denied_and_recorded(tmp_path: Path):
    async with running(
        tmp_path, calls("exec_command", ESCALATED), says("done"), can_ask=False, **ON_REQUEST
    ) as watched:
        await watched.turn()
        assert not log_of(tmp_path)
        assert "rejected" in watched.sent()[-1].text()
        assert "by user" not in watched.sent()[-1].text()
        path = watched.thread.rollout_path
    records = list(read_rollout(path).approvals)
    assert len(records) == 1
    assert records[0].answer.decision is ReviewDecision.DENIED


async def test_policy_never_refuses_without_a_question(tmp_path: Path):
    settings = {"approval_policy": ApprovalPolicy.NEVER, "sandbox_policy": WorkspaceWrite()}
    async with running(tmp_path, calls("exec_command", ESCALATED), says("done"), can_ask=True, **settings) as watched:
        await watched.turn()
        assert not watched.all(ExecApprovalRequest)
        assert watched.all(ExecCommandBegin) == [] or watched.all(ExecCommandBegin)[0].sandboxed


async def test_a_patch_outside_the_roots_waits_for_an_answer(tmp_path: Path):
    patch = f"*** Begin Patch\n*** Add File: {tmp_path}/outside.txt\n+x\n*** End Patch"
    script = [custom("apply_patch", patch), custom("apply_patch", patch)]
    async with running(tmp_path, *script, says("done"), can_ask=True, **ON_REQUEST) as watched:
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        request = await watched.until(ApplyPatchApprovalRequest)
        assert list(request.changes) == [f"{tmp_path}/outside.txt"]
        watched.thread.submit(PatchApproval(id=request.approval_id, decision=ReviewDecision.DENIED))
        request = await watched.until(ApplyPatchApprovalRequest, 2)
        assert not (tmp_path / "outside.txt").exists()
        watched.thread.submit(PatchApproval(id=request.approval_id, decision=ReviewDecision.APPROVED))
        await watched.until(TaskComplete)
        assert (tmp_path / "outside.txt").read_text() == "x\n"
        assert "rejected by user" in next(item.text() for item in watched.sent() if hasattr(item, "output"))


async def test_what_the_sandbox_stopped_may_be_asked_for_again_outside(tmp_path: Path):
    settings = {"approval_policy": ApprovalPolicy.ON_FAILURE, "sandbox_policy": ReadOnly()}
    sandbox = PlainSandbox(denied="writing log was denied")
    command = {"cmd": "echo try >> log; [ $(wc -l < log) = 2 ]"}
    async with running(
        tmp_path, calls("exec_command", command), says("done"), can_ask=True, sandbox=sandbox, **settings
    ) as watched:
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        request = await watched.until(ExecApprovalRequest)
        assert "writing log was denied" in request.reason
        watched.thread.submit(ExecApproval(id=request.approval_id, decision=ReviewDecision.APPROVED))
        await watched.until(TaskComplete)
        assert [begin.sandboxed for begin in watched.all(ExecCommandBegin)] == [True, False]
        assert "exited with code 0" in watched.sent()[-1].text()


async def test_a_machine_that_cannot_confine_asks_before_every_command(tmp_path: Path):
    settings = {"approval_policy": ApprovalPolicy.ON_REQUEST, "sandbox_policy": WorkspaceWrite()}
    async with running(
        tmp_path,
        calls("exec_command", {"cmd": "echo ran >> log"}),
        says("done"),
        can_ask=False,
        sandbox=PlainSandbox(rung=5),
        **settings,
    ) as watched:
        await watched.turn()
        assert not log_of(tmp_path)
        assert "cannot be confined" in watched.sent()[-1].text()
        assert "cannot be confined" in watched.sent()[0].text()


@pytest.mark.parametrize("tool", ["exec_command", "shell"])
async def test_an_interrupt_of_the_question_to_run_again_does_not_hide_the_first_run(tmp_path: Path, tool: str):
    settings = {"approval_policy": ApprovalPolicy.ON_FAILURE, "sandbox_policy": ReadOnly()}
    sandbox = PlainSandbox(denied="writing log was denied")
    line = "echo it ran; exit 3"
    command = {"cmd": line} if tool == "exec_command" else {"command": ["bash", "-c", line]}
    async with running(
        tmp_path, calls(tool, command), says("done"), can_ask=True, sandbox=sandbox, **settings
    ) as watched:
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        await watched.until(ExecApprovalRequest)
        watched.thread.submit(Interrupt())
        await watched.until(TurnAborted)
        assert len(watched.all(ExecCommandEnd)) == 1
        assert any("it ran" in item.text() for item in watched.thread.items if hasattr(item, "output"))


async def test_an_answer_that_cannot_be_written_down_leaves_the_question_open(tmp_path: Path, monkeypatch):
    settings = {"approval_policy": ApprovalPolicy.UNTRUSTED, "sandbox_policy": ReadOnly()}
    command = {"cmd": "echo ran >> log"}
    async with running(tmp_path, calls("exec_command", command), says("done"), can_ask=True, **settings) as watched:
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        request = await watched.until(ExecApprovalRequest)
        recorder = watched.thread._state.recorder
        write = recorder.event

        def full(msg):
            raise RolloutError("No space left on device.")

        monkeypatch.setattr(recorder, "event", full)
        answer = ExecApproval(id=request.approval_id, decision=ReviewDecision.APPROVED)
        watched.thread.submit(answer)
        await watched.until(Error)
        assert not log_of(tmp_path)
        monkeypatch.setattr(recorder, "event", write)
        watched.thread.submit(answer)
        await watched.until(TaskComplete)
        assert log_of(tmp_path)
