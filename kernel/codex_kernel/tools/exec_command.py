"""`exec_command` and `write_stdin`: a command that may outlive the call, on pipes or a terminal.

Source: spec/exec-json.md section 9.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import TYPE_CHECKING

import msgspec

from codex_kernel.model.interface import FunctionTool, ToolSpec
from codex_kernel.tools.apply_patch import run_patch
from codex_kernel.tools.interface import BadArguments, ToolOutput, decode_arguments, object_schema
from codex_kernel.tools.launch import Launched, Refused, Request, launch, relaunch_unconfined, resolve_directory
from codex_kernel.tools.sessions import MAX_SESSIONS
from codex_kernel.tools.truncation import middle_cut, token_count
from codex_protocol.errors import SandboxError
from codex_protocol.events import TerminalInteraction
from codex_protocol.items import FunctionCall, ToolCallItem

if TYPE_CHECKING:
    from codex_kernel.tools.interface import Offer, ToolContext
    from codex_kernel.tools.running import RunningCommand

DEFAULT_SHELL = "/bin/bash"
DEFAULT_MAX_TOKENS = 10_000
EXEC_YIELD_MS = 10_000
WRITE_YIELD_MS = 250
POLL_YIELD_MS = 5_000
"""A write that sends nothing only waits: then longer waiting saves requests."""
MIN_YIELD_MS, MAX_YIELD_MS = 250, 30_000
MOST_TOKENS = 1_000_000
INTERRUPT, END = "\x03", "\x1c"
"""Ctrl-C and Ctrl-\\: what can be typed at a command that has no terminal, too."""

_LOGIN = {"login": {"type": "boolean", "description": "Whether the shell is a login shell; true if absent."}}
_YIELD = {
    "type": "number",
    "description": "Milliseconds to wait for output or the end before answering; 250 to 30000.",
}
_MAX_TOKENS = {"type": "number", "description": "Longest output to return, in tokens; the middle of more is cut out."}


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


class WriteArguments(msgspec.Struct, frozen=True):
    """Arguments of `write_stdin`; unknown fields are ignored."""

    session_id: float
    """A number on the wire: some models write 7.0."""
    chars: str = ""
    yield_time_ms: float | None = None
    max_output_tokens: float | None = None


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
                    "yield_time_ms": _YIELD,
                    "max_output_tokens": _MAX_TOKENS,
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
        yield_s = _yield_s(arguments.yield_time_ms, EXEC_YIELD_MS, MAX_YIELD_MS)
        max_tokens = _max_tokens(arguments.max_output_tokens)
        output = await _first_answer(launched, yield_s, max_tokens, context)
        denied = launched.command.exit.denied if launched.command.exit else None
        if denied and launched.escalate_on_denial:
            context.interrupted = output  # it has run: an interrupt of the question must not hide that
            again = await relaunch_unconfined(request, context, denied)
            context.interrupted = None
            if isinstance(again, Launched):
                for event in output.after:
                    context.emit(event)
                return await _first_answer(again, yield_s, max_tokens, context)
        return output


class WriteStdin:
    """Types into a running session, or waits for more of its output."""

    names = ("write_stdin",)
    parallel = True

    def spec(self, offer: Offer) -> ToolSpec | None:
        """Offered with `exec_command`."""
        if ExecCommand().spec(offer) is None:
            return None
        return FunctionTool(
            name="write_stdin",
            description=(
                "Sends characters to a session that exec_command left running and returns what it printed since. "
                "Without chars it only waits. Control characters are sent as they are: \\u0003 is Ctrl-C. "
                "It interrupts a command without a terminal, too; \\u001c ends one that ignores it."
            ),
            parameters=object_schema(
                {
                    "session_id": {"type": "number", "description": "The session's id."},
                    "chars": {"type": "string", "description": "What to send; may be empty."},
                    "yield_time_ms": _YIELD,
                    "max_output_tokens": _MAX_TOKENS,
                },
                required=("session_id",),
            ),
        )

    async def run(self, call: ToolCallItem, context: ToolContext) -> ToolOutput:
        """Send, wait, and report what the session printed."""
        if not isinstance(call, FunctionCall):
            raise BadArguments("write_stdin is a function tool")
        arguments = decode_arguments(call.arguments, WriteArguments)
        sessions = context.sessions
        if sessions.find(session_id := _whole(arguments.session_id)) is None:
            return ToolOutput(sessions.about_missing(arguments.session_id), success=False)
        async with sessions.lock(session_id):
            command = sessions.find(session_id)
            if command is None:  # it ended in the call before
                return ToolOutput(sessions.about_missing(session_id), success=False)
            asked_at = time.monotonic()
            try:
                wait_s = _wait_s(arguments, context)
                if arguments.chars:
                    refusal = await _send(command, session_id, arguments.chars, context, within_s=wait_s)
                    if refusal is not None:
                        return refusal
                ended = await command.ended(max(0.0, asked_at + wait_s - time.monotonic()))
            except asyncio.CancelledError:
                if not command.running:  # it ended while it was ours to tell
                    for event in command.take_end_event(command.aggregated.text()):
                        context.emit(event)
                raise
            if ended:
                code = command.exit.code if command.exit else "unknown"
                sessions.forget(session_id, f"has ended with exit code {code}, which you were told before")
            max_tokens = _max_tokens(arguments.max_output_tokens)
            return _answer(command, None if ended else session_id, max_tokens, since=asked_at)


async def _send(
    command: RunningCommand, session_id: int, chars: str, context: ToolContext, *, within_s: float
) -> ToolOutput | None:
    """Type; what the command has not read after `within_s` stays typed. What the model is told when it cannot be."""
    key = chars.rstrip("\r\n")
    why_not = _cannot_type(command, chars) if key not in (INTERRUPT, END) else None
    if why_not is not None and command.running:
        return ToolOutput(f"failed to write to stdin: {why_not}", success=False)
    context.emit(TerminalInteraction(call_id=command.call_id, process_id=session_id, stdin=chars))
    if not command.on_terminal:
        if key == INTERRUPT:
            command.process.interrupt()
        elif key == END:
            command.process.kill()
        return None
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await command.process.write(chars.encode())
    except SandboxError as error:
        if command.running:
            return ToolOutput(f"failed to write to stdin: {error}", success=False)
    return None


def _cannot_type(command: RunningCommand, chars: str) -> str | None:
    if not command.on_terminal:
        return (
            "the command has no standard input; start it with tty=true to type into it. "
            "\\u0003 alone interrupts it, \\u001c alone ends it."
        )
    limit = command.process.line_limit()
    longest = max(map(len, chars.encode().replace(b"\r", b"\n").split(b"\n")))
    if limit is None or longest <= limit:
        return None
    return (
        f"nothing was typed, because the program now takes lines of at most {limit} bytes from its terminal, "
        f"and one has {longest}; write a file instead, or wait for its prompt"
    )


async def _first_answer(launched: Launched, yield_s: float, max_tokens: int, context: ToolContext) -> ToolOutput:
    command = launched.command
    try:
        ended = await command.ended(yield_s)
    except asyncio.CancelledError:
        try:
            await command.aclose()
        finally:
            context.interrupted = _answer(command, None, max_tokens, note="aborted by the user")
        raise
    if ended:
        return _answer(command, None, max_tokens)
    sessions, emit = context.sessions, context.emit
    dropped = sessions.make_room()
    session_id = sessions.keep(command)

    def report_end() -> None:
        if not sessions.is_claimed(command):  # otherwise the waiting write_stdin tells of it
            for event in command.take_end_event(command.aggregated.text()):
                emit(event)

    command.when_ended(report_end)
    note = f"session {dropped} was ended to make room: at most {MAX_SESSIONS} are kept" if dropped else None
    return _answer(command, session_id, max_tokens, note=note)


def _answer(
    command: RunningCommand,
    session_id: int | None,
    max_tokens: int,
    *,
    note: str | None = None,
    since: float | None = None,
) -> ToolOutput:
    unread = command.unread_text()
    text = middle_cut(unread, max_tokens)
    end = command.exit
    waited_s = command.seconds if since is None else time.monotonic() - since
    lines = [f"Chunk ID: {os.urandom(3).hex()}", f"Wall time: {waited_s:.4f} seconds"]
    if session_id is not None:
        lines.append(f"Process running with session ID {session_id}")
    elif end is not None:
        lines.append(f"Process exited with code {end.code}")
    if told := note or command.note:
        lines.append(f"Note: {told}")
    lines += [f"Original token count: {token_count(unread.total_bytes)}", "Output:", text]
    after = () if session_id is not None else command.take_end_event(text)
    return ToolOutput("\n".join(lines), success=end is None or end.code == 0, after=after)


def _wait_s(arguments: WriteArguments, context: ToolContext) -> float:
    if arguments.chars:
        return _yield_s(arguments.yield_time_ms, WRITE_YIELD_MS, MAX_YIELD_MS)
    return _yield_s(arguments.yield_time_ms, POLL_YIELD_MS, context.config.background_terminal_max_timeout_ms)


def _whole(number: float) -> int:
    """A number as models write them, whole; what is far out of bounds is brought near."""
    return int(min(max(number, -1), MOST_TOKENS))


def _max_tokens(asked: float | None) -> int:
    return DEFAULT_MAX_TOKENS if asked is None else max(_whole(asked), 0)


def _yield_s(asked_ms: float | None, default_ms: int, longest_ms: int) -> float:
    return min(max(asked_ms if asked_ms is not None else default_ms, MIN_YIELD_MS), longest_ms) / 1000
