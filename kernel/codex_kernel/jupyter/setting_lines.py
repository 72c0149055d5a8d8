"""The `%` lines of a cell: the thread's settings for later turns, one a line. `%` alone shows them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from codex_kernel.jupyter.asking import ask
from codex_kernel.jupyter.cell_context import CellContext
from codex_kernel.jupyter.cell_text import Setting
from codex_protocol.errors import ConfigError, UsageError
from codex_protocol.events import ThreadNameUpdated, TurnContextChanged
from codex_protocol.ops import OverrideTurnContext, SetThreadName
from codex_protocol.policy import (
    ApprovalPolicy,
    Effort,
    SandboxMode,
    SandboxPolicy,
    Summary,
    mode_of,
    plain_policy,
)
from codex_render.safe_text import one_line

if TYPE_CHECKING:
    from codex_kernel.config.types import Config

Kind = TypeVar("Kind", ApprovalPolicy, Effort, SandboxMode, Summary)
Apply = Callable[[CellContext, str], Awaitable[None]]


async def apply(context: CellContext, setting: Setting) -> None:
    """Apply one line.

    Raises:
        CodexError: There is no such setting, or it does not take the value.
    """
    if not setting.name:
        await show(context)
        return
    entry = SETTINGS.get(setting.name)
    if entry is None:
        close = get_close_matches(setting.name, SETTINGS, n=1)
        hint = f"; did you mean %{close[0]}?" if close else f"; there are {', '.join(f'%{name}' for name in SETTINGS)}"
        raise UsageError(f"there is no setting %{setting.name}{hint}")
    await entry[1](context, setting.value)


async def show(context: CellContext) -> None:
    """The settings of the next turn."""
    thread = await context.thread()
    now = thread.context
    effort = f" {now.effort.value}" if now.effort is not None else ""
    lines = [
        f"%model {now.model}{effort}",
        f"%approval {now.approval_policy.value}",
        f"%sandbox {mode_of(now.sandbox_policy).value}",
        f"%cd {one_line(now.cwd)}",
        f"%events {'on' if context.kernel.events_as_data else 'off'}",
    ]
    context.result({"text/plain": "\n".join(lines)})


async def override(context: CellContext, op: OverrideTurnContext) -> None:
    """Change what `op` names and say what holds now.

    Raises:
        ThreadError: The thread refused it.
    """
    thread = await context.thread()
    now = await ask(thread, op, TurnContextChanged)
    facts = thread.sandbox.facts(now.sandbox_policy)
    context.outputs.stream(
        f"model {now.model}{f' ({now.effort.value})' if now.effort else ''} · approval {now.approval_policy.value} · "
        f"sandbox {facts.summary} (rung {facts.rung} of 5) · in {one_line(now.cwd)}\n"
    )


async def set_model(context: CellContext, value: str) -> None:
    """`%model NAME [EFFORT]`."""
    words = value.split()
    if not 1 <= len(words) <= 2:
        raise UsageError("%model takes a name and, if you like, an effort: %model gpt-5.5 high")
    effort = _one_of(Effort, words[1], "%model's effort") if len(words) == 2 else None
    await override(context, OverrideTurnContext(model=words[0], effort=effort))


async def set_effort(context: CellContext, value: str) -> None:
    """`%effort high`."""
    await override(context, OverrideTurnContext(effort=_one_of(Effort, value, "%effort")))


async def set_summary(context: CellContext, value: str) -> None:
    """`%summary concise`."""
    await override(context, OverrideTurnContext(summary=_one_of(Summary, value, "%summary")))


async def set_approval(context: CellContext, value: str) -> None:
    """`%approval on-request`."""
    await override(context, OverrideTurnContext(approval_policy=_one_of(ApprovalPolicy, value, "%approval")))


async def set_sandbox(context: CellContext, value: str) -> None:
    """`%sandbox workspace-write`."""
    policy = policy_of(context, _one_of(SandboxMode, value, "%sandbox"))
    await override(context, OverrideTurnContext(sandbox_policy=policy))


async def set_directory(context: CellContext, value: str) -> None:
    """`%cd DIR`: where later turns work. A thread that is not open yet begins there, with that project's settings."""
    path = _directory(context.agent.cwd, value)
    if context.agent.current is None:
        context.agent.begin_in(path)
        context.outputs.stream(f"the thread will work in {one_line(str(path))}\n")
    else:
        await override(context, OverrideTurnContext(cwd=str(path)))


async def set_name(context: CellContext, value: str) -> None:
    """`%name NAME`: what the thread is called in lists."""
    if not value:
        raise UsageError("%name takes the thread's new name")
    told = await ask(await context.thread(), SetThreadName(name=value), ThreadNameUpdated)
    context.outputs.stream(f"the thread is called {one_line(told.name)}\n")


async def set_events(context: CellContext, value: str) -> None:
    """`%events on`: every event also as data, for front ends that draw themselves."""
    if value not in ("on", "off"):
        raise UsageError("%events takes on or off")
    context.kernel.events_as_data = value == "on"


SETTINGS: dict[str, tuple[str, Apply]] = {
    "model": ("the model, and its effort", set_model),
    "effort": ("how long the model thinks", set_effort),
    "summary": ("how much of its reasoning is summarised", set_summary),
    "approval": ("when you are asked: untrusted, on-failure, on-request, never", set_approval),
    "sandbox": ("what commands may touch: read-only, workspace-write, danger-full-access", set_sandbox),
    "cd": ("the directory of later turns", set_directory),
    "name": ("the thread's name", set_name),
    "events": ("every event also as data: on, off", set_events),
}
"""Name to what it is and what applies it."""

VALUES: dict[str, tuple[str, ...]] = {
    "effort": tuple(Effort),
    "summary": tuple(Summary),
    "approval": tuple(ApprovalPolicy),
    "sandbox": tuple(SandboxMode),
    "events": ("on", "off"),
}
"""What completion offers after a setting's name."""


def policy_of(context: CellContext, mode: SandboxMode) -> SandboxPolicy:
    """The policy of that name, as `policy_for`."""
    return policy_for(context.agent.config, mode)


def policy_for(config: Config | None, mode: SandboxMode) -> SandboxPolicy:
    """The policy of that name; with the details the settings give where they name the same one."""
    if config is not None and mode_of(config.sandbox_policy) is mode:
        return config.sandbox_policy
    return plain_policy(mode)


def _directory(cwd: Path, value: str) -> Path:
    path = (cwd / Path(value or "~").expanduser()).resolve()
    if not path.is_dir():
        raise ConfigError(f"{path} is not a directory (%cd)")
    return path


def _one_of(kind: type[Kind], value: str, what: str) -> Kind:
    try:
        return kind(value)
    except ValueError:
        raise UsageError(f"{what} takes {', '.join(kind)}, not {value!r}") from None
