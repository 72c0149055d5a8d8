"""From a command the model asks for to a running process or a refusal: decision, approval, start."""

from __future__ import annotations

import asyncio
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING

import msgspec

from codex_kernel.policy.interface import Ask, CommandQuestion, Deny, Run
from codex_kernel.sandbox.interface import Command
from codex_kernel.tools.interface import ToolOutput
from codex_kernel.tools.running import RunningCommand
from codex_protocol.errors import SandboxError
from codex_protocol.events import BackgroundEvent, ExecCommandBegin
from codex_protocol.policy import DangerFullAccess, ReviewDecision

if TYPE_CHECKING:
    from codex_kernel.tools.interface import ToolContext
    from codex_kernel.tools.terminal_queries import TerminalQueries

REJECTED = "exec command rejected by user"
"""Source: spec/tools.md section 4.2."""
_SHOWN_PATH = 300


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A command as the model asked for it."""

    argv: tuple[str, ...]
    cwd: Path
    escalated: bool = False
    justification: str | None = None
    pty: bool = False
    stdin: bool = False


class Launched(msgspec.Struct, frozen=True):
    """A command that runs, and whether the sandbox stopping it is worth a question."""

    command: RunningCommand
    escalate_on_denial: bool


class Refused(msgspec.Struct, frozen=True):
    """A command that does not run."""

    output: ToolOutput


async def launch(request: Request, context: ToolContext) -> Launched | Refused:
    """Decide, ask when that is the decision, and start the command.

    Events: the approval's, then `exec_command_begin`. A refused command has no begin event.
    """
    if not request.argv or not request.argv[0]:
        return Refused(ToolOutput("execution error: command args are empty", success=False))
    if (wrong := await asyncio.to_thread(_wrong_with, request.cwd)) is not None:
        return Refused(ToolOutput(f"execution error: {wrong}", success=False))
    decision = await context.judge.command(
        CommandQuestion(
            argv=request.argv,
            cwd=request.cwd,
            escalated=request.escalated,
            justification=request.justification,
        )
    )
    match decision:
        case Deny():
            return Refused(ToolOutput(f"exec command rejected: {decision.reason}", success=False))
        case Ask():
            refusal = await _ask(request, context, decision)
            if refusal is not None:
                return refusal
            if decision.consent:
                context.judge.consent()
        case Run():
            if decision.would_touch:
                context.emit(BackgroundEvent(message=_touches(decision.would_touch)))
    context.made_here.update(decision.makes)
    escalate = isinstance(decision, Run) and decision.escalate_on_denial
    return await _start(request, context, confined=decision.confined, escalate_on_denial=escalate)


def _wrong_with(directory: Path) -> str | None:
    """Why no command can start in `directory`, as far as that can be seen beforehand."""
    shown = str(directory)[:_SHOWN_PATH]
    try:
        return None if S_ISDIR(directory.stat().st_mode) else f"{shown} is not a directory"
    except (FileNotFoundError, ValueError):
        return f"the directory {shown} does not exist"
    except OSError as error:
        return f"the directory {shown} cannot be used ({error.strerror})"


async def relaunch_unconfined(request: Request, context: ToolContext, denied: str) -> Launched | Refused | None:
    """Ask whether a command that the sandbox stopped may run again outside it; None when the answer is no."""
    context.emit(BackgroundEvent(message=f"The sandbox stopped the command: {denied}"))
    ask = Ask(reason=f"command failed; retry without sandbox? ({denied})", confined=False)
    if await _ask(request, context, ask) is not None:
        return None
    context.emit(BackgroundEvent(message="retrying command without sandbox"))
    return await _start(request, context, confined=False, escalate_on_denial=False)


async def _ask(request: Request, context: ToolContext, ask: Ask) -> Refused | None:
    digest = _digest(request, context, ask)
    answer = await context.approver.command(
        call_id=context.call_id, argv=request.argv, cwd=request.cwd, ask=ask, digest=digest
    )
    if answer not in (ReviewDecision.APPROVED, ReviewDecision.APPROVED_FOR_SESSION):
        if not context.approver.can_ask:
            return Refused(ToolOutput(f"exec command rejected: {ask.unanswered().reason}", success=False))
        return Refused(ToolOutput(REJECTED, success=False))
    if _digest(request, context, ask) != digest:
        return Refused(ToolOutput("exec command rejected: it changed while it waited for approval", success=False))
    return None


def _digest(request: Request, context: ToolContext, ask: Ask) -> str:
    from codex_kernel.policy.digest import command_digest

    policy = context.sandbox_policy if ask.confined else DangerFullAccess()
    return command_digest(request.argv, request.cwd, policy)


async def _start(
    request: Request, context: ToolContext, *, confined: bool, escalate_on_denial: bool
) -> Launched | Refused:
    from codex_kernel.policy.command_summary import summarise

    command = Command(
        argv=request.argv,
        cwd=request.cwd,
        env=context.environment,
        policy=context.sandbox_policy if confined else DangerFullAccess(),
        workspace=context.cwd,
        pty=request.pty,
        stdin=request.stdin,
    )
    begin = ExecCommandBegin(
        call_id=context.call_id,
        command=request.argv,
        cwd=str(request.cwd),
        parsed_cmd=summarise(request.argv),
        sandboxed=confined and not isinstance(context.sandbox_policy, DangerFullAccess),
    )
    try:
        process = await context.sandbox.start(command)
    except SandboxError as error:
        return Refused(ToolOutput(f"execution error: {error}", success=False))
    context.emit(begin)
    queries: TerminalQueries | None = None
    if request.pty:
        from codex_kernel.tools.terminal_queries import TerminalQueries

        queries = TerminalQueries()
    return Launched(RunningCommand(process, context.call_id, context.emit, queries=queries), escalate_on_denial)


def _touches(paths: tuple[str, ...]) -> str:
    shown = ", ".join(paths[:5])
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return f"The command removes or overwrites {shown}{more}."


def resolve_directory(workdir: str | None, cwd: Path) -> Path:
    """The directory a call names, relative to the turn's."""
    return (cwd / workdir) if workdir else cwd
