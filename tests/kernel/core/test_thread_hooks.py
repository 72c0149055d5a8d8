import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from codex_kernel.config.types import ConfigLayer
from codex_kernel.model.scripted import calls, custom, says, uses, waits
from codex_protocol.events import (
    ApprovalResolved,
    Error,
    ExecApprovalRequest,
    ExecCommandBegin,
    TaskComplete,
    TurnAborted,
    UserMessage,
    Warning,
)
from codex_protocol.items import FunctionCallOutput, Message
from codex_protocol.ops import Compact, ExecApproval, Interrupt, TextInput, UserInput
from codex_protocol.policy import ApprovalPolicy, ReviewDecision, WorkspaceWrite
from tests.support.threads import Watched, running


def hooked(folder: Path, bypass: bool = True, **hooks: str) -> dict[str, Any]:
    """Settings of a thread with one shell command for each event; all of them log their payload first."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (folder / "log").touch()
    table = {
        event: [{"hooks": [{"type": "command", "command": f"cat >> {folder}/log; echo >> {folder}/log; {command}"}]}]
        for event, command in hooks.items()
    }
    (home / "hooks.json").write_text(json.dumps({"hooks": table}))
    return {"layers": (ConfigLayer(kind="user", folder=home),), "bypass_hook_trust": bypass}


def logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log").read_text().splitlines() if line]


def answer(**fields: Any) -> str:
    return f"echo '{json.dumps(fields)}'"


def specific(event: str, **fields: Any) -> str:
    return answer(hookSpecificOutput={"hookEventName": event, **fields})


def run(line: str) -> Any:
    return calls("exec_command", {"cmd": line, "login": False})


def outputs(watched: Watched) -> list[str]:
    return [item.text() for item in watched.thread.items if isinstance(item, FunctionCallOutput)]


def developer_texts(watched: Watched) -> list[str]:
    return [item.text() for item in watched.thread.items if isinstance(item, Message) and item.role == "developer"]


EVENTS = (
    "SessionStart UserPromptSubmit PreModelRequest PostModelRequest PreToolUse PostToolUse Stop SessionEnd Interrupt"
)


async def test_a_turn_fires_its_events_in_order_with_what_they_are_about(tmp_path: Path) -> None:
    config = hooked(tmp_path, **dict.fromkeys(EVENTS.split(), "true"))
    async with running(tmp_path, [run("echo hi")], [says("done"), uses(10, 1)], **config) as w:
        await w.turn("go")
        thread_id, path = w.thread.id, w.thread.rollout_path
    log = logged(tmp_path)
    assert [entry["hook_event_name"] for entry in log] == [
        *("SessionStart", "UserPromptSubmit", "PreModelRequest", "PostModelRequest", "PreToolUse", "PostToolUse"),
        *("PreModelRequest", "PostModelRequest", "Stop", "SessionEnd"),
    ]
    assert {entry["session_id"] for entry in log} == {thread_id}
    assert {entry["transcript_path"] for entry in log} == {str(path)}
    by_event = {entry["hook_event_name"]: entry for entry in log}
    assert by_event["SessionStart"]["source"] == "startup"
    assert by_event["UserPromptSubmit"]["prompt"] == "go"
    assert by_event["PreToolUse"]["tool_input"] == {"command": "echo hi"}
    assert by_event["PreToolUse"]["tool_name"] == "Bash"
    assert by_event["PostToolUse"]["tool_response"] == "hi\n"
    assert by_event["Stop"]["last_assistant_message"] == "done"
    assert by_event["Stop"]["stop_hook_active"] is False
    assert by_event["SessionEnd"]["reason"] == "other"
    assert "model" not in by_event["SessionEnd"]
    assert by_event["PostModelRequest"]["token_usage"]["input_tokens"] == 10
    assert by_event["Stop"]["permission_mode"] == "bypassPermissions"


async def test_hooks_that_nobody_trusts_do_not_run_and_one_notice_says_so(tmp_path: Path) -> None:
    config = hooked(tmp_path, bypass=False, Stop="true", UserPromptSubmit="exit 2")
    async with running(tmp_path, [says("done")], **config) as w:
        assert isinstance(await w.turn(), TaskComplete)
        (notice,) = w.all(Warning)
        assert notice.message.startswith("2 hooks")
    assert logged(tmp_path) == []


async def test_without_hooks_nothing_of_them_is_loaded(tmp_path: Path) -> None:
    async with running(tmp_path, [says("done")]) as w:
        await w.turn()
        assert w.thread._state.hooks is None  # pyright: ignore[reportPrivateUsage]


async def test_what_hooks_tell_the_model_stands_behind_the_prompt(tmp_path: Path) -> None:
    config = hooked(tmp_path, SessionStart="echo house rules", UserPromptSubmit="echo today is Monday")
    async with running(tmp_path, [says("a")], [says("b")], **config) as w:
        await w.turn("first")
        texts = [item.text() for item in w.sent() if isinstance(item, Message)]
        assert texts[-3:] == [
            "first",
            "<hook_context>\nhouse rules\n</hook_context>",
            "<hook_context>\ntoday is Monday\n</hook_context>",
        ]
        await w.turn("second")
        assert sum("house rules" in text for text in developer_texts(w)) == 1


@pytest.mark.parametrize(
    "hooks",
    [
        {"UserPromptSubmit": "echo it holds a secret >&2; exit 2"},
        {"UserPromptSubmit": answer(decision="block", reason="it holds a secret")},
        {"SessionStart": answer(**{"continue": False, "stopReason": "it holds a secret"})},
    ],
)
async def test_a_prompt_that_a_hook_stops_is_neither_sent_nor_kept(tmp_path: Path, hooks: dict[str, str]) -> None:
    async with running(tmp_path, [says("no")], **hooked(tmp_path, **hooks)) as w:
        ended = await w.turn("password 123")
        assert isinstance(ended, TaskComplete)
        assert "it holds a secret" in (ended.error or "")
        assert w.all(Error)[-1].message == ended.error
        assert w.model.prompts == []
        assert w.all(UserMessage) == []
        assert w.thread.rollout_path is not None
        assert "password" not in w.thread.rollout_path.read_text()


async def test_a_call_that_a_hook_denies_does_not_run_and_the_model_reads_why(tmp_path: Path) -> None:
    config = hooked(tmp_path, PreToolUse="echo not on Fridays >&2; exit 2")
    async with running(tmp_path, [run("touch made")], [says("ok")], **config) as w:
        await w.turn()
        assert outputs(w) == ["Command blocked by PreToolUse hook: not on Fridays. Command: touch made"]
        assert w.sandbox.commands == []


async def test_a_call_that_a_hook_rewrites_runs_so(tmp_path: Path) -> None:
    config = hooked(
        tmp_path, PreToolUse=specific("PreToolUse", permissionDecision="allow", updatedInput={"command": "echo two"})
    )
    async with running(tmp_path, [run("echo one")], [says("ok")], **config) as w:
        await w.turn()
        assert [begin.command[-1] for begin in w.all(ExecCommandBegin)] == ["echo two"]
        assert "two" in outputs(w)[0]


async def test_a_patch_is_matched_by_each_of_its_names(tmp_path: Path) -> None:
    config = hooked(tmp_path, PreToolUse="exit 1")
    file = tmp_path / "home" / "hooks.json"
    table = json.loads(file.read_text())
    table["hooks"]["PreToolUse"][0]["matcher"] = "^Write$"
    file.write_text(json.dumps(table))
    patch = "*** Begin Patch\n*** Add File: a.txt\n+x\n*** End Patch"
    heredoc = f"apply_patch <<'EOF'\n{patch.replace('a.txt', 'b.txt')}\nEOF"
    script = [[custom("apply_patch", patch)], [run(heredoc)], [run("true")], [says("ok")]]
    async with running(tmp_path, *script, **config) as w:
        await w.turn()
        assert [entry["tool_name"] for entry in logged(tmp_path)] == ["apply_patch", "apply_patch"]
        assert logged(tmp_path)[0]["tool_input"] == {"command": patch}
        assert (tmp_path / "work" / "b.txt").exists()
        assert "ended with 1" in w.all(Warning)[-1].message


async def test_what_a_hook_says_after_a_call_replaces_its_output_or_stands_behind_it(tmp_path: Path) -> None:
    blocking = hooked(tmp_path, PostToolUse=answer(decision="block", reason="the output was withheld"))
    async with running(tmp_path, [run("echo secret")], [says("ok")], **blocking) as w:
        await w.turn()
        assert outputs(w) == ["the output was withheld"]
    noting = hooked(tmp_path, PostToolUse=specific("PostToolUse", additionalContext="run the linter too"))
    async with running(tmp_path, [run("echo a"), run("echo b")], [says("ok")], **noting) as w:
        await w.turn()
        kinds = [type(item).__name__ for item in w.sent()][-6:]
        assert kinds == [
            "FunctionCall",
            "FunctionCall",
            "FunctionCallOutput",
            "FunctionCallOutput",
            "Message",
            "Message",
        ]


@pytest.mark.parametrize(
    ("decision", "ran", "resolved"),
    [
        ({"behavior": "allow"}, True, ReviewDecision.APPROVED),
        ({"behavior": "deny", "message": "ask me tomorrow"}, False, ReviewDecision.DENIED),
    ],
)
async def test_a_hook_answers_an_approval_and_nobody_is_asked(
    tmp_path: Path, decision: dict[str, str], ran: bool, resolved: ReviewDecision
) -> None:
    config = hooked(tmp_path, PermissionRequest=specific("PermissionRequest", decision=decision)) | {
        "approval_policy": ApprovalPolicy.UNTRUSTED,
        "sandbox_policy": WorkspaceWrite(),
    }
    async with running(tmp_path, [run("touch made")], [says("ok")], can_ask=True, **config) as w:
        await w.turn()
        assert w.all(ExecApprovalRequest) == []
        assert [(one.decision, one.by) for one in w.all(ApprovalResolved)] == [(resolved, "hook")]
        assert bool(w.sandbox.commands) is ran
        assert ran or any("ask me tomorrow" in text for text in developer_texts(w))


async def test_a_hook_that_has_no_answer_leaves_the_approval_to_the_user(tmp_path: Path) -> None:
    config = hooked(tmp_path, PermissionRequest="true") | {
        "approval_policy": ApprovalPolicy.UNTRUSTED,
        "sandbox_policy": WorkspaceWrite(),
    }
    async with running(tmp_path, [run("touch made")], [says("ok")], can_ask=True, **config) as w:
        turn = asyncio.create_task(w.turn())
        asked = await w.until(ExecApprovalRequest)
        w.thread.submit(ExecApproval(id=asked.approval_id, decision=ReviewDecision.APPROVED))
        await turn
    assert logged(tmp_path)[0]["tool_input"]["command"] == "touch made"


async def test_a_stop_hook_sends_the_turn_on_but_not_for_ever(tmp_path: Path) -> None:
    config = hooked(tmp_path, Stop="echo test it first >&2; exit 2")
    async with running(tmp_path, *([says("done")] for _ in range(20)), **config) as w:
        await w.turn()
        assert len(w.model.prompts) == 11
        assert "<hook_prompt" in w.sent()[-1].text()
        assert "test it first" in w.sent()[-1].text()
        assert "now it ends" in w.all(Warning)[-1].message
    assert [entry["stop_hook_active"] for entry in logged(tmp_path)[:2]] == [False, True]


async def test_a_hook_can_keep_the_history_from_being_compacted(tmp_path: Path) -> None:
    config = hooked(tmp_path, PreCompact=answer(**{"continue": False, "stopReason": "keep it"}))
    async with running(tmp_path, [says("x")], **config) as w:
        await w.turn()
        w.thread.submit(Compact())
        await w.until(TaskComplete, 2)
        assert len(w.model.prompts) == 1
        assert "keep it" in w.all(Warning)[-1].message
    assert logged(tmp_path)[0]["trigger"] == "manual"


async def test_an_interrupt_ends_a_running_hook_and_is_told_to_its_own(tmp_path: Path) -> None:
    config = hooked(tmp_path, UserPromptSubmit="sleep 300", Interrupt="true")
    async with running(tmp_path, [says("x")], **config) as w:
        w.thread.submit(UserInput(items=(TextInput("go"),)))
        await w.until(type(w.events[0].msg))
        w.thread.submit(Interrupt())
        await w.until(TurnAborted)
    assert logged(tmp_path)[-1]["hook_event_name"] == "Interrupt"


async def test_input_that_steers_a_turn_is_checked_too(tmp_path: Path) -> None:
    config = hooked(tmp_path, UserPromptSubmit="grep -q secret && { echo no secrets >&2; exit 2; }; true")
    config_file = tmp_path / "home" / "hooks.json"
    table = json.loads(config_file.read_text())
    check = "if grep -q secret; then echo no secrets >&2; exit 2; fi"
    table["hooks"]["UserPromptSubmit"][0]["hooks"][0]["command"] = check
    config_file.write_text(json.dumps(table))
    gate = asyncio.Event()
    async with running(tmp_path, [waits(gate), says("a")], [says("b")], **config) as w:
        turn = asyncio.create_task(w.turn("begin"))
        await w.until(UserMessage)
        w.thread.submit(UserInput(items=(TextInput("my secret"),)))
        await w.until(Warning)
        w.thread.submit(UserInput(items=(TextInput("fine"),)))
        await w.until(UserMessage, 2)
        gate.set()
        await turn
        texts = [item.text() for item in w.thread.items if isinstance(item, Message) and item.role == "user"]
        assert "fine" in texts
        assert "my secret" not in texts
