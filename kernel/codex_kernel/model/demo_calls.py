"""The tools a prompt offers the demo model, and calls made of them; the call ids tell later what each call was for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from codex_kernel.model.interface import FreeformTool, FunctionTool, LocalShellTool, Prompt
from codex_protocol.items import CustomToolCall, FunctionCall, Item, LocalShellAction, LocalShellCall


class Offer:
    """The tools a prompt offers, and calls made of them."""

    def __init__(self, prompt: Prompt) -> None:
        names = {tool.name: tool for tool in prompt.tools if isinstance(tool, FunctionTool | FreeformTool)}
        self._number = len(prompt.input)
        self.plan = "update_plan" in names
        self.poll = "write_stdin" in names
        self.command: Literal["exec_command", "shell", "local_shell"] | None = None
        if "exec_command" in names:
            self.command = "exec_command"
        elif "shell" in names:
            self.command = "shell"
        elif any(isinstance(tool, LocalShellTool) for tool in prompt.tools):
            self.command = "local_shell"
        self.patch = "apply_patch" in names
        self._freeform = isinstance(names.get("apply_patch"), FreeformTool)

    def run(self, label: str, command: str) -> Item:
        """A call that runs a shell line."""
        argv = ("bash", "-lc", command)
        match self.command:
            case "exec_command":
                arguments = {"cmd": command, "login": False, "yield_time_ms": 30_000}
                return self._function(label, "exec_command", arguments)
            case "shell":
                return self._function(label, "shell", {"command": argv, "timeout_ms": 60_000})
            case _:
                action = LocalShellAction(command=argv, timeout_ms=60_000)
                return LocalShellCall(call_id=self._id(label), status="completed", action=action)

    def wait(self, label: str, session: int) -> Item:
        """A call that waits for a command that runs on."""
        return self._function(label, "write_stdin", {"session_id": session, "chars": "", "yield_time_ms": 30_000})

    def show_plan(self, label: str, steps: Iterable[str], done: int, *, ended: bool = False) -> list[Item]:
        """A call that shows the plan with its first `done` steps completed, and the next one begun unless `ended`."""
        if not self.plan:
            return []
        status = ["completed"] * done + ["pending" if ended else "in_progress"] + ["pending"] * 3
        plan = [{"step": step, "status": status[number]} for number, step in enumerate(steps)]
        return [self._function(label, "update_plan", {"plan": plan})]

    def write(self, label: str, patch: str) -> Item:
        """A call that applies a patch."""
        if self._freeform:
            return CustomToolCall(call_id=self._id(label), name="apply_patch", input=patch)
        return self._function(label, "apply_patch", {"input": patch})

    def _function(self, label: str, name: str, arguments: Mapping[str, Any]) -> Item:
        return FunctionCall(call_id=self._id(label), name=name, arguments=msgspec.json.encode(arguments).decode())

    def _id(self, label: str) -> str:
        return f"demo_{self._number}_{label}"
