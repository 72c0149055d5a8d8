"""The older shell tools: `shell`, `container.exec` and the built-in `local_shell`. One command, run to its end.

Source: spec/tools.md sections 2 to 4.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from codex_kernel.model.interface import FunctionTool, LocalShellTool, ToolSpec
from codex_kernel.tools.apply_patch import run_patch
from codex_kernel.tools.interface import ToolOutput, decode_arguments, object_schema
from codex_kernel.tools.launch import Launched, Refused, Request, launch, relaunch_unconfined, resolve_directory
from codex_kernel.tools.truncation import shell_text
from codex_protocol.items import CustomToolCall, LocalShellCall, ToolCallItem

if TYPE_CHECKING:
    from codex_kernel.tools.interface import Offer, ToolContext
    from codex_kernel.tools.running import RunningCommand

DEFAULT_TIMEOUT_MS = 10_000
LONGEST_TIMEOUT_MS = 7 * 24 * 3600 * 1000
TIMED_OUT_EXIT = 124
"""As `timeout(1)` exits."""


class ShellArguments(msgspec.Struct, frozen=True):
    """Arguments of `shell`; unknown fields are ignored."""

    command: tuple[str, ...]
    workdir: str | None = None
    timeout_ms: float | None = None
    timeout: float | None = None
    with_escalated_permissions: bool | None = None
    sandbox_permissions: str | None = None
    justification: str | None = None


class Shell:
    """Runs one argv to its end and answers with its output and exit status."""

    names = ("shell", "container.exec", "local_shell")
    parallel = True

    def spec(self, offer: Offer) -> ToolSpec | None:
        """The function form, or the built-in tool where the model has it."""
        wanted = offer.config.tools.shell
        if wanted == "local_shell" or (wanted == "auto" and offer.local_shell):
            return LocalShellTool()
        if wanted != "shell":
            return None
        flag = "-lc" if offer.config.allow_login_shell else "-c"
        return FunctionTool(
            name="shell",
            description=(
                "Runs a program to its end and returns its output and exit status. Give argv, not a shell line; "
                f'for shell syntax use ["bash", "{flag}", SCRIPT]. Set workdir instead of using cd.'
            ),
            parameters=object_schema(
                {
                    "command": {
                        "type": "array",
                        "items": {"type": "string"},
                        "description": "Program and arguments.",
                    },
                    "workdir": {
                        "type": "string",
                        "description": "Directory to run in; the working directory if absent.",
                    },
                    "timeout_ms": {
                        "type": "number",
                        "description": "Milliseconds after which the command is ended; 10000 if absent.",
                    },
                    "with_escalated_permissions": {
                        "type": "boolean",
                        "description": "Ask the user to let this command run outside the sandbox.",
                    },
                    "justification": {
                        "type": "string",
                        "description": "One sentence for the user: why it must run outside the sandbox.",
                    },
                },
                required=("command",),
            ),
        )

    async def run(self, call: ToolCallItem, context: ToolContext) -> ToolOutput:
        """Run the command; the output is JSON with `output` and `metadata`."""
        arguments = _arguments_of(call, login=context.config.allow_login_shell)
        argv = arguments.command
        cwd = resolve_directory(arguments.workdir, context.cwd)
        if argv:
            from codex_kernel.policy.shell_script import patch_in_script

            patch = patch_in_script(argv)
            if patch is not None:
                return await run_patch(patch.text, cwd / patch.directory if patch.directory else cwd, context)
        asked_ms = arguments.timeout_ms or arguments.timeout or 0
        timeout_ms = min(asked_ms if asked_ms > 0 else DEFAULT_TIMEOUT_MS, LONGEST_TIMEOUT_MS)
        request = Request(
            argv=argv,
            cwd=cwd,
            escalated=bool(arguments.with_escalated_permissions)
            or arguments.sandbox_permissions == "require_escalated",
            justification=arguments.justification,
        )
        launched = await launch(request, context)
        if isinstance(launched, Refused):
            return launched.output
        return await self._finish(request, launched, timeout_ms / 1000, context)

    async def _finish(self, request: Request, launched: Launched, timeout_s: float, context: ToolContext) -> ToolOutput:
        command = launched.command
        try:
            in_time = await command.ended(timeout_s)
            if not in_time:
                await command.aclose()
        except asyncio.CancelledError:
            try:
                await command.aclose()
            finally:
                context.interrupted = _output_of(command, note=f"aborted by the user after {command.seconds:.1f} s")
            raise
        if not in_time:
            return _output_of(
                command, note=f"command timed out after {round(timeout_s * 1000)} milliseconds", timed_out=True
            )
        denied = command.exit.denied if command.exit else None
        if denied and launched.escalate_on_denial:
            first = context.interrupted = _output_of(command)  # an interrupt of the question must not hide that it ran
            again = await relaunch_unconfined(request, context, denied)
            context.interrupted = None
            if not isinstance(again, Launched):
                return first
            for event in first.after:
                context.emit(event)
            return await self._finish(request, again, timeout_s, context)
        return _output_of(command)


def _arguments_of(call: ToolCallItem, *, login: bool) -> ShellArguments:
    match call:
        case LocalShellCall():
            action = call.action
            return ShellArguments(
                command=action.command, workdir=action.working_directory, timeout_ms=action.timeout_ms
            )
        case CustomToolCall():
            return ShellArguments(command=("bash", "-lc" if login else "-c", call.input))
        case _:
            return decode_arguments(call.arguments, ShellArguments)


def _output_of(command: RunningCommand, *, note: str | None = None, timed_out: bool = False) -> ToolOutput:
    text = shell_text(command.aggregated)
    end = command.exit
    if note := note or command.note:
        text = f"{text.rstrip()}\n{note}".lstrip() if text else note
    code = TIMED_OUT_EXIT if timed_out else end.code if end else -1
    metadata = {"exit_code": code, "duration_seconds": round(command.seconds, 1)}
    import json

    content = json.dumps({"output": text, "metadata": metadata}, ensure_ascii=False, separators=(",", ":"))
    after = command.take_end_event(text, exit_code=code, timed_out=timed_out)
    return ToolOutput(content, success=code == 0, after=after)
