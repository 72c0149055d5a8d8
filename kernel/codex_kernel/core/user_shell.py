"""The user's own command (`!cmd`): run in the sandbox as the policy says, and put into the history.

The user asked for it, so nobody else is asked; it is confined like any command of the thread.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from codex_kernel.policy.command_summary import summarise
from codex_kernel.sandbox.environment import command_environment
from codex_kernel.sandbox.interface import Command
from codex_kernel.tools.running import RunningCommand
from codex_kernel.tools.truncation import shell_text
from codex_protocol.events import ExecCommandBegin
from codex_protocol.items import InputText, Message
from codex_protocol.policy import DangerFullAccess

if TYPE_CHECKING:
    from codex_kernel.core.state import Emit, ThreadState


async def run_user_shell(state: ThreadState, command: str, emit: Emit) -> Message:
    """Run `command` to its end; the message to record.

    Raises:
        SandboxError: It cannot be started.
        asyncio.CancelledError: Interrupted; the command has ended.
    """
    settings = state.settings
    argv = ("/bin/bash", "-lc" if settings.config.allow_login_shell else "-c", command)
    call_id = f"user_{os.urandom(6).hex()}"
    process = await state.sandbox.start(
        Command(
            argv=argv,
            cwd=settings.cwd,
            env=command_environment(settings.config.shell_environment_policy, state.base_environment),
            policy=settings.sandbox_policy,
            workspace=settings.cwd,
        )
    )
    emit(
        ExecCommandBegin(
            call_id=call_id,
            command=argv,
            cwd=str(settings.cwd),
            parsed_cmd=summarise(argv),
            source="user_shell",
            sandboxed=not isinstance(settings.sandbox_policy, DangerFullAccess),
        )
    )
    running = RunningCommand(process, call_id, emit)
    try:
        await running.ended()
    except asyncio.CancelledError:
        try:
            await running.aclose()
        finally:
            for event in running.take_end_event(shell_text(running.aggregated)):
                emit(event)
        raise
    text = shell_text(running.aggregated)
    code = running.exit.code if running.exit else -1
    for event in running.take_end_event(text):
        emit(event)
    body = f"<user_shell_command>\n$ {command}\nexit code {code}\n{text}\n</user_shell_command>"
    return Message(role="user", content=(InputText(body),))
