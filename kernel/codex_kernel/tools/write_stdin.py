"""`write_stdin`: types into a session that `exec_command` left running, or waits for more of its output.

Source: spec/exec-json.md section 9.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import msgspec

from codex_kernel.model.interface import FunctionTool, ToolSpec
from codex_kernel.tools.command_answer import MAX_TOKENS, YIELD, answer, tokens, whole, yield_s
from codex_kernel.tools.exec_command import ExecCommand
from codex_kernel.tools.interface import BadArguments, ToolOutput, decode_arguments, object_schema
from codex_protocol.errors import SandboxError
from codex_protocol.events import TerminalInteraction
from codex_protocol.items import FunctionCall, ToolCallItem

if TYPE_CHECKING:
    from codex_kernel.tools.interface import Offer, ToolContext
    from codex_kernel.tools.running import RunningCommand

WRITE_YIELD_MS = 250
POLL_YIELD_MS = 5_000
"""A write that sends nothing only waits: then longer waiting saves requests."""
INTERRUPT, END = "\x03", "\x1c"
"""Ctrl-C and Ctrl-\\: what can be typed at a command that has no terminal, too."""


class WriteArguments(msgspec.Struct, frozen=True):
    """Arguments of `write_stdin`; unknown fields are ignored."""

    session_id: float
    """A number on the wire: some models write 7.0."""
    chars: str = ""
    yield_time_ms: float | None = None
    max_output_tokens: float | None = None


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
                    "yield_time_ms": YIELD,
                    "max_output_tokens": MAX_TOKENS,
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
        if sessions.find(session_id := whole(arguments.session_id)) is None:
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
            max_tokens = tokens(arguments.max_output_tokens)
            return answer(command, None if ended else session_id, max_tokens, since=asked_at)


async def _send(
    command: RunningCommand, session_id: int, chars: str, context: ToolContext, *, within_s: float
) -> ToolOutput | None:
    """Type; what the command has not read after `within_s` stays typed. What the model is told when it cannot be."""
    if not command.running:
        return None  # its end is the answer
    key = chars.rstrip("\r\n")
    why_not = _cannot_type(command, chars) if key not in (INTERRUPT, END) else None
    if why_not is not None:
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


def _wait_s(arguments: WriteArguments, context: ToolContext) -> float:
    if arguments.chars:
        return yield_s(arguments.yield_time_ms, WRITE_YIELD_MS)
    return yield_s(arguments.yield_time_ms, POLL_YIELD_MS, context.config.background_terminal_max_timeout_ms)
