"""A small tool loop for the demo model: really runs its commands in a directory and applies its patches, unconfined."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codex_kernel.model.demo import TOUR_PROMPT, DemoModel
from codex_kernel.model.interface import FreeformTool, FunctionTool, ItemDone, LocalShellTool, Prompt, ToolSpec
from codex_protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputText,
    Item,
    LocalShellCall,
    Message,
    user_message,
)


def function(name: str) -> FunctionTool:
    return FunctionTool(name=name, description="", parameters={"type": "object"})


MODERN: tuple[ToolSpec, ...] = (
    function("exec_command"),
    function("write_stdin"),
    function("update_plan"),
    FreeformTool(name="apply_patch", description="", definition=""),
)
OLDER: tuple[ToolSpec, ...] = (function("shell"), function("update_plan"), function("apply_patch"))
LOCAL: tuple[ToolSpec, ...] = (LocalShellTool(),)


@dataclass
class DemoRun:
    """What a run of the demo came to."""

    history: list[Item] = field(default_factory=list)
    requests: int = 0
    commands: list[str] = field(default_factory=list)
    patches: list[str] = field(default_factory=list)
    plans: list[list[dict[str, str]]] = field(default_factory=list)

    @property
    def messages(self) -> list[str]:
        return [item.text() for item in self.history if isinstance(item, Message) and item.role == "assistant"]

    @property
    def answer(self) -> str:
        last = self.history[-1]
        assert isinstance(last, Message)
        return last.text()


async def run_demo(
    directory: Path,
    *,
    prompt: str = TOUR_PROMPT,
    tools: Sequence[ToolSpec] = MODERN,
    sandbox_mode: str = "workspace-write",
    refusal: str | None = None,
    execute: Callable[[Sequence[str], Path], tuple[int, str]] | None = None,
    run: DemoRun | None = None,
) -> DemoRun:
    """One turn. `refusal` is what every command is answered with instead of being run."""
    run = run or DemoRun()
    facts = f"  <cwd>{directory}</cwd>\n  <sandbox_mode>{sandbox_mode}</sandbox_mode>"
    context = f"<environment_context>\n{facts}\n</environment_context>"
    run.history += [Message(role="user", content=(InputText(context),)), user_message(prompt)]
    model = DemoModel()
    for _ in range(30):
        run.requests += 1
        ask = Prompt(model="demo", instructions="", input=tuple(run.history), tools=tools, thread_id="t")
        items = [event.item async for event in model.stream(ask) if isinstance(event, ItemDone)]
        run.history += items
        outputs = [_answer(item, directory, run, refusal, execute or _execute) for item in items]
        done = [output for output in outputs if output is not None]
        run.history += done
        if not done:
            return run
    raise AssertionError("the demo does not end")


def _answer(
    item: Item,
    directory: Path,
    run: DemoRun,
    refusal: str | None,
    execute: Callable[[Sequence[str], Path], tuple[int, str]],
) -> Item | None:
    match item:
        case FunctionCall(name="update_plan"):
            run.plans.append(json.loads(item.arguments)["plan"])
            return FunctionCallOutput(call_id=item.call_id, output="Plan updated")
        case FunctionCall(name="apply_patch"):
            text = apply_patch(json.loads(item.arguments)["input"], directory, run)
            return FunctionCallOutput(call_id=item.call_id, output=_json_form(0, text))
        case CustomToolCall():
            text = apply_patch(item.input, directory, run)
            return CustomToolCallOutput(
                call_id=item.call_id, output=f"Exit code: 0\nWall time: 0.1 seconds\nOutput:\n{text}"
            )
        case FunctionCall() | LocalShellCall():
            argv = _argv(item)
            run.commands.append(argv[-1])
            if refusal is not None:
                return FunctionCallOutput(call_id=item.call_id or "", output=refusal)
            code, output = execute(argv, directory)
            modern = isinstance(item, FunctionCall) and item.name == "exec_command"
            text = _text_form(code, output) if modern else _json_form(code, output)
            return FunctionCallOutput(call_id=item.call_id or "", output=text)
        case _:
            return None


def _json_form(code: int, output: str) -> str:
    return json.dumps({"output": output, "metadata": {"exit_code": code, "duration_seconds": 0.1}})


def _text_form(code: int, output: str) -> str:
    head = f"Chunk ID: abc123\nWall time: 0.1000 seconds\nProcess exited with code {code}\nOriginal token count: 1"
    return f"{head}\nOutput:\n{output}"


def _argv(call: FunctionCall | LocalShellCall) -> Sequence[str]:
    if isinstance(call, LocalShellCall):
        return call.action.command
    arguments: dict[str, Any] = json.loads(call.arguments)
    if call.name == "exec_command":
        return ["bash", "-lc" if arguments["login"] else "-c", arguments["cmd"]]
    return arguments["command"]


def _execute(argv: Sequence[str], directory: Path) -> tuple[int, str]:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        argv,
        cwd=directory,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")


def apply_patch(patch: str, directory: Path, run: DemoRun) -> str:
    """Adds or updates one file by a patch whose update shows the whole file."""
    run.patches.append(patch)
    first, header, *body = patch.split("\n")
    assert (first, body.pop()) == ("*** Begin Patch", "*** End Patch")
    verb, _, name = header.removeprefix("*** ").partition(" File: ")
    path = directory / name
    if verb == "Add":
        assert all(line.startswith("+") for line in body)
    else:
        assert body.pop(0) == "@@"
        old = [line[1:] for line in body if line[:1] in " -"]
        assert path.read_text().splitlines() == old
    path.write_text("".join(f"{line[1:]}\n" for line in body if line[:1] in " +"))
    return f"Success. Updated the following files:\n{'A' if verb == 'Add' else 'M'} {name}"
