"""A turn from input to answer, against the scripted model."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path

import pytest

from codex_kernel.model.scripted import ScriptedModel, calls, custom, fails, reasons, says, uses, waits
from codex_kernel.patch.apply import apply
from codex_kernel.sandbox.interface import Command
from codex_protocol.errors import ModelError, RolloutError, StreamClosed
from codex_protocol.events import (
    AgentMessage,
    AgentMessageDelta,
    AgentReasoning,
    Error,
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandOutputDelta,
    PatchApplyEnd,
    PlanUpdate,
    SessionConfigured,
    StreamError,
    TaskComplete,
    TaskStarted,
    TokenCount,
    TurnAborted,
    TurnDiff,
    UserMessage,
)
from codex_protocol.items import FunctionCallOutput, InputImage, Message
from codex_protocol.ops import Interrupt, LocalImageInput, RunUserShellCommand, TextInput, UserInput
from tests.support.plain_sandbox import PlainProcess, PlainSandbox
from tests.support.threads import running

PNG = bytes.fromhex("89504e470d0a1a0a") + b"rest of an image"


def outputs(watched, number=-1) -> list[str]:
    return [item.text() for item in watched.sent(number) if hasattr(item, "output")]


async def test_a_turn_ends_with_what_the_model_said_last(tmp_path: Path):
    async with running(tmp_path, [reasons("thinking"), says("hello")]) as watched:
        end = await watched.turn("hi")
        assert end == TaskComplete(last_agent_message="hello")
        kinds = [type(event.msg) for event in watched.events]
        assert kinds[0] is SessionConfigured
        assert [kind for kind in kinds if kind not in (AgentMessageDelta,)][1:4] == [TaskStarted, UserMessage, kinds[3]]
        assert watched.all(AgentMessage) == [AgentMessage(message="hello")]
        assert watched.all(AgentReasoning) == [AgentReasoning(text="thinking")]


async def test_a_turn_whose_last_message_is_empty_ends_without_a_message(tmp_path: Path):
    async with running(tmp_path, [says("")]) as watched:
        assert await watched.turn("hi") == TaskComplete(last_agent_message=None)


async def test_context_comes_before_the_prompt_and_is_said_once(tmp_path: Path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "AGENTS.md").write_text("be kind")
    async with running(tmp_path, says("one"), says("two")) as watched:
        await watched.turn("first")
        await watched.turn("second")
        first, second = watched.sent(0), watched.sent(1)
        assert [item.role for item in first] == ["developer", "user", "user", "user"]
        assert "be kind" in first[1].text()
        assert first[2].text().startswith("<environment_context>")
        assert second[: len(first)] == first
        assert [item.text() for item in second[len(first) :]] == ["one", "second"]


async def test_a_call_is_run_and_its_output_goes_back(tmp_path: Path):
    async with running(tmp_path, calls("exec_command", {"cmd": "echo out; exit 3"}), says("done")) as watched:
        await watched.turn()
        text = outputs(watched)[0]
        assert "Process exited with code 3" in text
        assert text.endswith("Output:\nout\n")
        begin, end = watched.all(ExecCommandBegin)[0], watched.all(ExecCommandEnd)[0]
        assert begin.command == ("/bin/bash", "-lc", "echo out; exit 3")
        assert (end.call_id, end.exit_code, end.aggregated_output) == (begin.call_id, 3, "out\n")


async def test_parallel_calls_run_together_and_answer_in_call_order(tmp_path: Path):
    wait_for_other = "touch {mine}; for i in $(seq 200); do [ -e {other} ] && exit 0; sleep 0.02; done; exit 1"
    script = [
        calls("exec_command", {"cmd": wait_for_other.format(mine="a", other="b") + " # first"}),
        calls("exec_command", {"cmd": wait_for_other.format(mine="b", other="a")}),
    ]
    async with running(tmp_path, script, says("done")) as watched:
        await watched.turn()
        answers = [item for item in watched.sent() if isinstance(item, FunctionCallOutput)]
        assert [item.call_id for item in answers] == ["call_1", "call_2"]
        assert all("code 0" in item.text() for item in answers)


async def test_unknown_tools_and_bad_arguments_are_answered_and_the_turn_goes_on(tmp_path: Path):
    script = [
        calls("no_such_tool", {}),
        calls("exec_command", "{not json"),
        calls("exec_command", {"command": "x"}),
        custom("nothing", "x"),
    ]
    async with running(tmp_path, script, says("done")) as watched:
        end = await watched.turn()
        assert end.last_agent_message == "done"
        unknown, broken, missing, freeform = outputs(watched)
        assert unknown == "unsupported call: no_such_tool"
        assert broken.startswith("failed to parse function arguments: ")
        assert "cmd" in missing
        assert freeform == "unsupported custom tool call: nothing"


async def test_the_older_shell_tool_answers_with_json(tmp_path: Path):
    async with running(tmp_path, calls("shell", {"command": ["bash", "-lc", "echo hi"]}), says("done")) as watched:
        await watched.turn()
        answer = json.loads(outputs(watched)[0])
        assert answer["output"] == "hi\n"
        assert answer["metadata"]["exit_code"] == 0


async def test_a_shell_command_past_its_time_is_killed_with_everything_it_started(tmp_path: Path):
    command = ["bash", "-c", "(sleep 60; touch late) & echo $!; sleep 60"]
    async with running(tmp_path, calls("shell", {"command": command, "timeout_ms": 3000}), says("done")) as watched:
        await watched.turn()
        answer = json.loads(outputs(watched)[0])
        assert answer["metadata"]["exit_code"] == 124
        assert "timed out after 3000 milliseconds" in answer["output"]
        pid = int(answer["output"].split()[0])
        assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]


async def test_a_command_may_outlive_its_call(tmp_path: Path):
    first = calls(
        "exec_command", {"cmd": "echo one; while [ ! -e go ]; do sleep 0.02; done; echo two", "yield_time_ms": 250}
    )

    def go_on(prompt):
        session = [item.text() for item in prompt.input if hasattr(item, "output")][-1]
        assert "one" in session
        (tmp_path / "work" / "go").touch()
        number = session.split("session ID ")[1].split()[0]
        return [calls("write_stdin", {"session_id": int(number), "yield_time_ms": 5000})]

    async with running(tmp_path, first, go_on, says("done")) as watched:
        await watched.turn()
        assert outputs(watched)[1].endswith("Output:\ntwo\n")
        assert "exited with code 0" in outputs(watched)[1]
        assert len(watched.all(ExecCommandEnd)) == 1


async def test_a_patch_is_applied_and_the_turn_diff_told(tmp_path: Path):
    patch = "*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch"
    async with running(tmp_path, custom("apply_patch", patch), says("done")) as watched:
        await watched.turn()
        assert (tmp_path / "work" / "new.txt").read_text() == "hello\n"
        assert "Success. Updated the following files:\nA new.txt" in outputs(watched)[0]
        assert watched.all(PatchApplyEnd)[0].success
        assert "+hello" in watched.all(TurnDiff)[-1].unified_diff


async def test_interrupts_while_a_patch_is_written_leave_it_whole_and_told_to_the_model(tmp_path: Path, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def slowly(verified):
        begun.set()
        assert go_on.wait(20)
        return apply(verified)

    monkeypatch.setattr("codex_kernel.patch.apply.apply", slowly)
    patch = "*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch"
    async with running(tmp_path, custom("apply_patch", patch), says("fine")) as watched:
        watched.thread.submit(UserInput(items=(TextInput("a"),)))
        assert await asyncio.to_thread(begun.wait, 20)
        for _ in range(3):
            watched.thread.submit(Interrupt())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        go_on.set()
        await watched.until(TurnAborted)
        assert (tmp_path / "work" / "new.txt").read_text() == "hello\n"
        assert watched.all(PatchApplyEnd)[0].success
        await watched.turn("b")
        assert "Success" in outputs(watched)[0]


async def test_a_patch_given_to_the_shell_is_taken_as_a_patch(tmp_path: Path):
    script = "apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: a.txt\n+x\n*** End Patch\nEOF\n"
    turn = [
        calls("exec_command", {"cmd": script}),
        calls(
            "shell",
            {"command": ["apply_patch", script.split("\n", 1)[1].rsplit("EOF", 1)[0].replace("a.txt", "b.txt")]},
        ),
    ]
    async with running(tmp_path, turn, says("done")) as watched:
        await watched.turn()
        assert (tmp_path / "work" / "a.txt").exists()
        assert (tmp_path / "work" / "b.txt").exists()
        assert not watched.all(ExecCommandBegin)


async def test_a_patch_that_does_not_fit_changes_nothing_and_tells_the_model_why(tmp_path: Path):
    patch = "*** Begin Patch\n*** Add File: new.txt\n+x\n*** Update File: missing.txt\n@@\n-a\n+b\n*** End Patch"
    async with running(tmp_path, custom("apply_patch", patch), says("done")) as watched:
        await watched.turn()
        assert outputs(watched)[0].startswith("error: ")
        assert "missing.txt" in outputs(watched)[0]
        assert not (tmp_path / "work" / "new.txt").exists()


async def test_the_plan_is_told_of(tmp_path: Path):
    plan = {"plan": [{"step": "look", "status": "in_progress"}], "explanation": "start"}
    bad = {"plan": [{"step": "look", "status": "maybe"}]}
    async with running(tmp_path, [calls("update_plan", plan), calls("update_plan", bad)], says("done")) as watched:
        await watched.turn()
        good, wrong = outputs(watched)
        assert good == "Plan updated"
        assert wrong.startswith("failed to parse function arguments: ")
        assert watched.all(PlanUpdate)[0].plan[0].step == "look"


async def test_the_model_sees_the_image_it_asked_for(tmp_path: Path):
    async with running(tmp_path, calls("view_image", {"path": "p.png"}), says("nice"), says("x")) as watched:
        (tmp_path / "work" / "p.png").write_bytes(PNG)
        await watched.turn()
        image = next(item for item in watched.sent() if isinstance(item, FunctionCallOutput)).output[0]
        assert isinstance(image, InputImage)
        assert image.image_url.startswith("data:image/png;base64,")


async def test_an_attached_image_that_cannot_be_read_is_said_and_nothing_else_is_lost(tmp_path: Path):
    async with running(tmp_path, says("ok")) as watched:
        (tmp_path / "work" / "p.png").write_bytes(PNG)
        items = (TextInput("look"), LocalImageInput("p.png"), LocalImageInput("none.png"))
        watched.thread.submit(UserInput(items=items))
        await watched.until(TaskComplete)
        message = watched.sent()[-1]
        assert [type(part).__name__ for part in message.content] == [
            "InputText",
            "InputText",
            "InputImage",
            "InputText",
            "InputText",
        ]
        assert "none.png cannot be read" in message.content[-1].text


async def test_a_broken_stream_is_asked_for_again_and_nothing_runs_twice(tmp_path: Path):
    command = calls("exec_command", {"cmd": "echo ran >> log"})
    async with running(
        tmp_path, [command, says("half"), fails(StreamClosed("cut"))], [command], says("done")
    ) as watched:
        await watched.turn()
        assert (tmp_path / "work" / "log").read_text() == "ran\n"
        assert watched.all(StreamError)[0].attempt == 1
        assert watched.all(AgentMessage) == [AgentMessage(message="done")]
        assert watched.sent(0) == watched.sent(1)


async def test_a_failing_provider_ends_the_turn_with_one_sentence_and_the_next_turn_works(tmp_path: Path):
    async with running(tmp_path, fails(ModelError("the provider said no")), says("better")) as watched:
        end = await watched.turn("one")
        assert end == TaskComplete(last_agent_message=None, error="the provider said no")
        assert watched.all(Error) == [Error(message="the provider said no")]
        assert (await watched.turn("two")).last_agent_message == "better"
        said = [item.text() for item in watched.sent() if isinstance(item, Message) and item.role == "user"]
        assert said[-2:] == ["one", "two"]


async def test_input_during_a_turn_is_steered_into_it_once(tmp_path: Path):
    running_now = calls("exec_command", {"cmd": "touch started; while [ ! -e go ]; do sleep 0.02; done"})
    async with running(tmp_path, running_now, says("done"), says("again")) as watched:
        watched.thread.submit(UserInput(items=(TextInput("first"),)))
        await watched.until(ExecCommandBegin)
        watched.thread.submit(UserInput(items=(TextInput("also this"),), client_id="c1"))
        watched.thread.submit(UserInput(items=(TextInput("also this"),), client_id="c1"))
        assert (await watched.until(UserMessage, 2)).steered
        (tmp_path / "work" / "go").touch()
        await watched.until(TaskComplete)
        texts = [item.text() for item in watched.sent() if not hasattr(item, "call_id")]
        assert texts.count("also this") == 1
        assert isinstance(watched.sent()[-2], FunctionCallOutput)
        assert watched.sent()[-1].text() == "also this"


async def test_input_that_comes_while_the_last_answer_streams_is_still_answered(tmp_path: Path):
    gate = asyncio.Event()
    async with running(tmp_path, [says("first"), waits(gate)], says("second")) as watched:
        watched.thread.submit(UserInput(items=(TextInput("a"),)))
        await watched.until(AgentMessageDelta)
        watched.thread.submit(UserInput(items=(TextInput("b"),)))
        await watched.until(UserMessage, 2)
        gate.set()
        end = await watched.until(TaskComplete)
        assert end.last_agent_message == "second"
        assert watched.sent()[-1].text() == "b"


async def test_an_interrupt_ends_the_command_and_leaves_a_valid_history(tmp_path: Path):
    script = [calls("exec_command", {"cmd": "echo begun; sleep 60"}), calls("exec_command", {"cmd": "sleep 61"})]
    async with running(tmp_path, script, says("fine")) as watched:
        watched.thread.submit(UserInput(items=(TextInput("a"),)))
        await watched.until(ExecCommandBegin, 2)
        watched.thread.submit(Interrupt())
        assert await watched.until(TurnAborted) == TurnAborted(reason="interrupted")
        assert len(watched.all(ExecCommandEnd)) == 2
        await watched.turn("b")
        texts = outputs(watched)
        assert len(texts) == 2
        assert "aborted by the user" in texts[0]
        assert "<turn_aborted>" in watched.sent()[-2].text()
        assert watched.sent()[-1].text() == "b"


class SlowlyDying(PlainSandbox):
    """Its commands take a moment to end when they are killed."""

    async def start(self, command: Command) -> PlainProcess:
        process = await super().start(command)
        kill = process.kill

        def later() -> None:
            asyncio.get_running_loop().call_later(0.2, kill)

        process.kill = later
        return process


@pytest.mark.parametrize("tool", ["exec_command", "shell", "the user's own"])
async def test_an_interrupt_that_is_repeated_still_tells_of_the_commands_end(tmp_path: Path, tool: str):
    form = {"command": ["sh", "-c", "echo begun; sleep 60"]} if tool == "shell" else {"cmd": "echo begun; sleep 60"}
    async with running(tmp_path, calls(tool, form), says("fine"), sandbox=SlowlyDying()) as watched:
        if tool == "the user's own":
            watched.thread.submit(RunUserShellCommand(command="echo begun; sleep 60"))
        else:
            watched.thread.submit(UserInput(items=(TextInput("a"),)))
        await watched.until(ExecCommandOutputDelta)
        for _ in range(3):
            watched.thread.submit(Interrupt())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        end = await watched.until(ExecCommandEnd)
        assert end.aggregated_output == "begun\n"
        if tool != "the user's own":
            await watched.until(TurnAborted)
            await watched.turn("b")
            assert "aborted by the user" in outputs(watched)[0]


async def test_an_interrupt_before_the_turn_has_begun_still_ends_it(tmp_path: Path):
    async with running(tmp_path, model=ScriptedModel(says("fine"), again=True)) as watched:
        watched.thread.submit(UserInput(items=(TextInput("a"),)))
        watched.thread.submit(Interrupt())
        await watched.until(TurnAborted)
        assert not watched.all(AgentMessage)
        assert (await watched.turn("b")).last_agent_message == "fine"


async def test_what_was_said_before_an_interrupt_is_kept(tmp_path: Path):
    async with running(tmp_path, [says("I was about to"), waits()], says("fine")) as watched:
        watched.thread.submit(UserInput(items=(TextInput("a"),)))
        await watched.until(AgentMessageDelta)
        watched.thread.submit(Interrupt())
        await watched.until(TurnAborted)
        await watched.turn("b")
        assert any(isinstance(item, Message) and item.text() == "I was about to" for item in watched.sent())


async def test_token_counts_are_summed_over_the_thread(tmp_path: Path):
    async with running(tmp_path, [uses(100, 20, cached_tokens=10), says("a")], [uses(130, 5), says("b")]) as watched:
        await watched.turn()
        await watched.turn()
        last = watched.all(TokenCount)[-1]
        assert (last.input_tokens, last.total.input_tokens, last.total.output_tokens) == (130, 230, 25)


async def test_a_call_id_that_comes_again_is_made_unique(tmp_path: Path):
    one = calls("exec_command", {"cmd": "echo 1"}, call_id="call_0")
    two = calls("exec_command", {"cmd": "echo 2"}, call_id="call_0")
    async with running(tmp_path, [one, two], one, says("done")) as watched:
        await watched.turn()
        ids = [item.call_id for item in watched.sent() if isinstance(item, FunctionCallOutput)]
        assert len(set(ids)) == 3


async def test_a_flood_of_output_keeps_head_and_tail_and_little_memory(tmp_path: Path):
    flood = "echo first; head -c 30000000 /dev/zero | tr '\\0' x; echo; echo last"
    async with running(tmp_path, calls("exec_command", {"cmd": flood}), says("done")) as watched:
        await watched.turn()
        text = outputs(watched)[0]
        assert "first" in text
        assert text.endswith("last\n")
        assert "tokens truncated" in text
        assert len(text) < 45_000
        end = watched.all(ExecCommandEnd)[0]
        assert len(end.aggregated_output) < 200_000
        kept = sum(len(event.chunk) for event in watched.all(type(watched.events[0].msg)) if hasattr(event, "chunk"))
        assert kept < 2_000_000


async def test_a_full_disk_fails_the_turn_and_leaves_a_valid_history(tmp_path: Path, monkeypatch):
    script = [calls("exec_command", {"cmd": "echo 1"}), calls("exec_command", {"cmd": "echo 2"})]
    async with running(tmp_path, script, says("fine")) as watched:
        state = watched.thread._state  # pyright: ignore[reportPrivateUsage]
        write = state.recorder.items

        def full(*items, **fields):
            if any(isinstance(item, FunctionCallOutput) for item in items):
                raise RolloutError("No space left on device.")
            write(*items, **fields)

        monkeypatch.setattr(state.recorder, "items", full)
        end = await watched.turn("a")
        assert end.error == "No space left on device."
        monkeypatch.setattr(state.recorder, "items", write)
        assert (await watched.turn("b")).last_agent_message == "fine"
        kinds = [type(item).__name__ for item in watched.sent() if hasattr(item, "call_id")]
        assert kinds == ["FunctionCall", "FunctionCall", "FunctionCallOutput", "FunctionCallOutput"]


async def test_input_that_cannot_be_written_down_ends_its_turn_and_may_be_sent_again(tmp_path: Path, monkeypatch):
    async with running(tmp_path, says("fine")) as watched:
        state = watched.thread._state  # pyright: ignore[reportPrivateUsage]
        write = state.recorder.items

        def full(*items, **fields):
            if any("precious" in str(item) for item in items):
                raise RolloutError("No space left on device.")
            write(*items, **fields)

        monkeypatch.setattr(state.recorder, "items", full)
        end = await watched.turn("precious", client_id="mine")
        assert end.error == "No space left on device."
        assert len(watched.all(Error)) == 1
        assert not watched.thread.busy
        monkeypatch.setattr(state.recorder, "items", write)
        assert (await watched.turn("precious", client_id="mine")).last_agent_message == "fine"


async def test_an_interrupted_command_of_the_user_is_told_to_have_ended(tmp_path: Path):
    async with running(tmp_path) as watched:
        watched.thread.submit(RunUserShellCommand(command="echo begun; sleep 100"))
        await watched.until(ExecCommandOutputDelta)
        watched.thread.submit(Interrupt())
        end = await watched.until(ExecCommandEnd)
        assert end.aggregated_output == "begun\n"


async def test_a_named_pipe_is_no_image_and_holds_nothing_up(tmp_path: Path):
    (tmp_path / "work").mkdir()
    os.mkfifo(tmp_path / "work" / "pipe.png")
    async with running(tmp_path, calls("view_image", {"path": "pipe.png"}), says("done")) as watched:
        end = await watched.turn()
        assert end.last_agent_message == "done"
        assert "not a regular file" in outputs(watched)[0]
        watched.thread.submit(UserInput(items=(LocalImageInput("/dev/zero"),)))
        await watched.until(TaskStarted, 2)
