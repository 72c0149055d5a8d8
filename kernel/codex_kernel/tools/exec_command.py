"""`exec_command`: a command that may outlive the call, on pipes or a terminal.

Source: spec/exec-json.md section 9.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from codex_kernel.model.interface import FunctionTool, ToolSpec
from codex_kernel.tools.apply_patch import run_patch
from codex_kernel.tools.command_answer import MAX_TOKENS, YIELD, answer, tokens, yield_s
from codex_kernel.tools.interface import BadArguments, ToolOutput, decode_arguments, object_schema
from codex_kernel.tools.launch import Launched, Refused, Request, launch, relaunch_unconfined, resolve_directory
from codex_kernel.tools.sessions import MAX_SESSIONS
from codex_protocol.items import FunctionCall, ToolCallItem

if TYPE_CHECKING:
    from codex_kernel.tools.interface import Offer, ToolContext

DEFAULT_SHELL = "/bin/bash"
EXEC_YIELD_MS = 10_000

_LOGIN = {"login": {"type": "boolean", "description": "Whether the shell is a login shell; true if absent."}}


class ExecArguments(msgspec.Struct, frozen=True):
    """Arguments of `exec_command`; unknown fields are ignored."""

    cmd: str
    workdir: str | None = None
    shell: str | None = None
    login: bool | None = None
    tty: bool = False
    yield_time_ms: float | None = None
    max_output_tokens: float | None = None
    sandbox_permissions: str | None = None
    with_escalated_permissions: bool | None = None
    justification: str | None = None


class ExecCommand:
    """Runs a shell line; answers when it ends or when the model would rather not wait longer."""

    names = ("exec_command",)
    parallel = True

    def spec(self, offer: Offer) -> ToolSpec | None:
        """Offered unless another shell tool is."""
        wanted = offer.config.tools.shell
        if wanted not in ("auto", "exec_command") or (wanted == "auto" and offer.local_shell):
            return None
        return FunctionTool(
            name="exec_command",
            description=(
                "Runs a shell command line and returns its output. A command that is still running when the wait is "
                "over gets a session id; go on with write_stdin. Set workdir instead of using cd. What a command "
                "leaves in the background ends with it: run a server in the foreground, as a session."
            ),
            parameters=object_schema(
                {
                    "cmd": {"type": "string", "description": "The command line."},
                    "workdir": {
                        "type": "string",
                        "description": "Directory to run in; the working directory if absent.",
                    },
                    "shell": {"type": "string", "description": "Shell to run it with; /bin/bash if absent."},
                    **(_LOGIN if offer.config.allow_login_shell else {}),
                    "tty": {
                        "type": "boolean",
                        "description": "Give it a terminal, for programs that want one; false if absent.",
                    },
                    "yield_time_ms": YIELD,
                    "max_output_tokens": MAX_TOKENS,
                    "sandbox_permissions": {
                        "type": "string",
                        "description": "`require_escalated` asks the user to let it run outside the sandbox.",
                    },
                    "justification": {
                        "type": "string",
                        "description": "One sentence for the user: why it must run outside the sandbox.",
                    },
                },
                required=("cmd",),
            ),
        )

    async def run(self, call: ToolCallItem, context: ToolContext) -> ToolOutput:
        """Start the command and wait for its end or the yield time."""
        if not isinstance(call, FunctionCall):
            raise BadArguments("exec_command is a function tool")
        arguments = decode_arguments(call.arguments, ExecArguments)
        login = context.config.allow_login_shell if arguments.login is None else arguments.login
        if login and not context.config.allow_login_shell:
            raise BadArguments("login shells are switched off by allow_login_shell; leave login out or set it to false")
        argv = (arguments.shell or DEFAULT_SHELL, "-lc" if login else "-c", arguments.cmd)
        cwd = resolve_directory(arguments.workdir, context.cwd)
        if "apply" in arguments.cmd:  # parsing a script costs milliseconds: only where there may be a patch
            from codex_kernel.policy.shell_script import patch_in_script

            patch = patch_in_script(argv)
            if patch is not None:
                return await run_patch(patch.text, cwd / patch.directory if patch.directory else cwd, context)
        request = Request(
            argv=argv,
            cwd=cwd,
            escalated=arguments.sandbox_permissions == "require_escalated"
            or bool(arguments.with_escalated_permissions),
            justification=arguments.justification,
            pty=arguments.tty,  # without one stdin is the null device: an open pipe makes rg and others wait on it
        )
        launched = await launch(request, context)
        if isinstance(launched, Refused):
            return launched.output
        wait_s = yield_s(arguments.yield_time_ms, EXEC_YIELD_MS)
        max_tokens = tokens(arguments.max_output_tokens)
        output = await _first_answer(launched, wait_s, max_tokens, context)
        denied = launched.command.exit.denied if launched.command.exit else None
        if denied and launched.escalate_on_denial:
            context.interrupted = output  # it has run: an interrupt of the question must not hide that
            again = await relaunch_unconfined(request, context, denied)
            context.interrupted = None
            if isinstance(again, Launched):
                for event in output.after:
                    context.emit(event)
                return await _first_answer(again, wait_s, max_tokens, context)
        return output


async def _first_answer(launched: Launched, wait_s: float, max_tokens: int, context: ToolContext) -> ToolOutput:
    command = launched.command
    try:
        ended = await command.ended(wait_s)
    except asyncio.CancelledError:
        try:
            await command.aclose()
        finally:
            context.interrupted = answer(command, None, max_tokens, note="aborted by the user")
        raise
    if ended:
        return answer(command, None, max_tokens)
    sessions, emit = context.sessions, context.emit
    dropped = sessions.make_room()
    session_id = sessions.keep(command)

    def report_end() -> None:
        if not sessions.is_claimed(command):  # otherwise the waiting write_stdin tells of it
            for event in command.take_end_event(command.aggregated.text()):
                emit(event)

    command.when_ended(report_end)
    note = f"session {dropped} was ended to make room: at most {MAX_SESSIONS} are kept" if dropped else None
    return answer(command, session_id, max_tokens, note=note)
