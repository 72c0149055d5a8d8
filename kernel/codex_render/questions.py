"""Approvals where people type: the question in words, what a typed answer means, and who answered."""

from __future__ import annotations

import msgspec

from codex_protocol.events import (
    ApplyPatchApprovalRequest,
    ApprovalRequest,
    ApprovalResolved,
    ExecApprovalRequest,
    McpApprovalRequest,
)
from codex_protocol.policy import ReviewDecision
from codex_render.command_words import script_of
from codex_render.diff_rows import counts
from codex_render.safe_text import one_line, visible

CHOICES = "[y]es, [a]lways in this thread, [n]o, [s]top the turn: "
"""Ends a question."""
_MAX_PATHS = 12
_MAX_ARGUMENT_CHARS = 2_000
_ANSWERS = {
    **dict.fromkeys(("y", "yes", "ok", "allow", "approve"), ReviewDecision.APPROVED),
    **dict.fromkeys(("a", "always"), ReviewDecision.APPROVED_FOR_SESSION),
    **dict.fromkeys(("n", "no", "deny"), ReviewDecision.DENIED),
    **dict.fromkeys(("s", "stop", "abort", "q", "quit"), ReviewDecision.ABORT),
}
_WORDS = {
    ReviewDecision.APPROVED: "allowed",
    ReviewDecision.APPROVED_FOR_SESSION: "allowed for this thread",
    ReviewDecision.DENIED: "denied",
    ReviewDecision.ABORT: "stopped",
}


def question_words(request: ApprovalRequest) -> str:
    """What is asked, without the choices."""
    match request:
        case ExecApprovalRequest():
            lines = _command(request)
        case ApplyPatchApprovalRequest():
            lines = _patch(request)
        case McpApprovalRequest():
            lines = _mcp_call(request)
    if request.reason:
        lines.append(f"  reason: {one_line(request.reason)}")
    return "\n".join(lines)


def typed_decision(text: str) -> ReviewDecision | None:
    """What a typed answer means; None when it means nothing."""
    return _ANSWERS.get(text.strip().casefold())


def resolved_words(resolved: ApprovalResolved) -> str:
    """Who answered what: `Allowed by page`."""
    word = _WORDS[resolved.decision].capitalize()
    return f"{word} by {one_line(resolved.by)}" if resolved.by else f"{word}: nobody could be asked"


def _command(request: ExecApprovalRequest) -> list[str]:
    first, *rest = visible(script_of(request.command)).split("\n")
    where = "outside the sandbox" if request.unconfined else "inside the sandbox"
    lines = [f"Allow this command, {where}?", f"  $ {first}", *(f"    {line}" for line in rest)]
    lines.append(f"  in {one_line(request.cwd)}")
    if request.would_touch:
        lines.append(f"  would remove or overwrite: {_paths(request.would_touch)}")
    if request.sandbox is not None:
        lines.append(f"  sandbox here: rung {request.sandbox.rung} of 5")
    return lines


def _patch(request: ApplyPatchApprovalRequest) -> list[str]:
    lines = ["Allow these changes?"]
    for path, change in request.changes.items():
        added, removed = counts(change)
        moved = change.update.move_path if change.update is not None else None
        target = f" → {one_line(moved)}" if moved else ""
        lines.append(f"  {one_line(path)}{target} (+{added} -{removed})")
    if request.grant_root:
        lines.append(f"  and let the thread write below {one_line(request.grant_root)} from now on")
    return lines


def _mcp_call(request: McpApprovalRequest) -> list[str]:
    arguments = one_line(msgspec.json.encode(request.arguments).decode("utf-8"))
    shown = arguments if len(arguments) <= _MAX_ARGUMENT_CHARS else arguments[:_MAX_ARGUMENT_CHARS] + "…"
    called = f"{one_line(request.server)}/{one_line(request.tool)}"
    return [f"Allow this call of an MCP server's tool, {called}?", f"  with {shown}"]


def _paths(paths: tuple[str, ...]) -> str:
    shown = ", ".join(one_line(path) for path in paths[:_MAX_PATHS])
    more = len(paths) - _MAX_PATHS
    return f"{shown} and {more} more" if more > 0 else shown
