"""What a turn came to: the last answer, and everything said, run, patched and used on the way, as data."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from codex_protocol.events import PlanStep
from codex_protocol.file_changes import FileChange
from codex_protocol.policy import ReviewDecision
from codex_protocol.token_usage import TokenUsage

Status = Literal["running", "completed", "interrupted", "failed"]


class AgentText(msgspec.Struct, frozen=True, kw_only=True, tag="agent_message"):
    """Something the model said."""

    text: str


class Thought(msgspec.Struct, frozen=True, kw_only=True, tag="reasoning"):
    """One part of a summary of its reasoning."""

    text: str


class CommandRun(msgspec.Struct, frozen=True, kw_only=True, tag="command"):
    """A command that ran, or was refused."""

    call_id: str
    command: tuple[str, ...]
    """Its argv."""
    script: str
    """As a person would type it."""
    cwd: str
    exit_code: int | None = None
    """None while it runs; -1 when it never ran."""
    output: str = ""
    """stdout and stderr as they interleaved; the middle is cut out of a long one."""
    duration_s: float | None = None
    sandboxed: bool = True
    timed_out: bool = False


class PatchRun(msgspec.Struct, frozen=True, kw_only=True, tag="patch"):
    """Files that were changed, or should have been."""

    call_id: str
    changes: dict[str, FileChange]
    """By absolute path."""
    success: bool | None = None
    """None when it never ended."""
    message: str = ""
    """Why it failed, or what was done."""


class ToolRun(msgspec.Struct, frozen=True, kw_only=True, tag="tool"):
    """A call of an MCP server's tool."""

    call_id: str
    server: str
    tool: str
    arguments: Any = None
    result: dict[str, Any] | None = None
    """`{"Ok": …}` or `{"Err": text}`; None when it never ended."""
    duration_s: float | None = None


class WebSearch(msgspec.Struct, frozen=True, kw_only=True, tag="web_search"):
    """A search the provider ran."""

    call_id: str
    query: str


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A question that was asked in the turn, and its answer."""

    approval_id: str
    what: str
    """The command, or the files of the patch."""
    decision: ReviewDecision | None = None
    by: str | None = None
    """Who answered; None when nobody could."""


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """Data that was sent along with a prompt."""

    name: str
    kind: str
    """Its Python type."""
    text: str
    """What the model saw of it."""
    cut: bool = False
    """Whether that is not all."""


Item = AgentText | Thought | CommandRun | PatchRun | ToolRun | WebSearch


class TurnResult(msgspec.Struct, frozen=True, kw_only=True):
    """A turn and what it came to; shows itself in notebooks and terminals."""

    id: str
    thread_id: str
    status: Status
    final_response: str | None = None
    """The last thing the model said; None when it said nothing at the end."""
    items: tuple[Item, ...] = ()
    """In the order they began."""
    diff: str = ""
    """Everything the turn's patches changed, as one git-style diff."""
    plan: tuple[PlanStep, ...] = ()
    """As it last stood."""
    usage: TokenUsage = TokenUsage()
    """Of this turn."""
    approvals: tuple[Approval, ...] = ()
    warnings: tuple[str, ...] = ()
    context: tuple[Passed, ...] = ()
    error: str | None = None
    duration_s: float = 0.0
    cwd: str = ""
    model: str = ""
    parsed: Any = None
    """The answer as an object of the schema that was asked for."""

    @property
    def commands(self) -> tuple[CommandRun, ...]:
        """The commands, in the order they began."""
        return tuple(item for item in self.items if isinstance(item, CommandRun))

    @property
    def changes(self) -> dict[str, FileChange]:
        """What the turn's patches did to each file; of several to one file, the last."""
        done = [item for item in self.items if isinstance(item, PatchRun) and item.success]
        return {path: change for item in done for path, change in item.changes.items()}

    def __str__(self) -> str:
        from codex_client.result_views import plain

        return plain(self)

    def __repr__(self) -> str:
        """A terminal shows results by this."""
        return str(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """A notebook shows results by this."""
        from codex_client.result_views import html, plain

        return {"text/plain": plain(self), "text/html": html(self)}
