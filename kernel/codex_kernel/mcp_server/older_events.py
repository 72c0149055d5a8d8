"""Our events in the vocabulary of August 2025, which MCP clients of the agent read: pure functions, a table in tests.

Source: spec/agent-loop.md section 1.2 and spec/mcp.md B4. Kinds that came later are turned into an older one that says
the same to a person, or left out: clients of that time refuse a kind they do not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codex_protocol import events as ev
from codex_protocol.events import EventMsg
from codex_protocol.file_changes import FileChange

Wire = dict[str, Any]


def older(msg: EventMsg) -> Wire | None:
    """The event as a JSON object with `type` first; None when the older vocabulary has nothing for it."""
    match msg:
        case ev.Warning(message=message):
            return {"type": "background_event", "message": message}
        case ev.ContextCompacted():
            return {"type": "background_event", "message": "The history was replaced by a summary of it."}
        case ev.ExecCommandOutputDelta():
            return _picked(msg, "call_id", "stream") | {"chunk": list(msg.chunk)}
        case ev.ExecApprovalRequest():
            return _picked(msg, "call_id", "command", "cwd") | _given(reason=msg.reason)
        case ev.ApplyPatchApprovalRequest():
            asked = {"type": "apply_patch_approval_request", "call_id": msg.call_id, "changes": changes(msg.changes)}
            return asked | _given(reason=msg.reason, grant_root=msg.grant_root)
        case ev.PatchApplyBegin():
            return _picked(msg, "call_id", "auto_approved") | {"changes": changes(msg.changes)}
        case ev.GetHistoryEntryResponse():
            return _picked(msg, "offset", "log_id") | _given(entry=msg.entry)
        case _:
            fields = _FIELDS.get(type(msg))
            return None if fields is None else _picked(msg, *fields)


def changes(files: Mapping[str, FileChange]) -> Wire:
    """Changes by path: `{"add": {…}}`, the bare word `delete`, or `{"update": {…}}`."""
    return {path: _change(change) for path, change in files.items()}


def _change(change: FileChange) -> Any:
    if change.delete is not None:
        return "delete"
    if change.update is not None:
        return {"update": {"unified_diff": change.update.unified_diff, "move_path": change.update.move_path}}
    return {"add": {"content": change.add.content if change.add is not None else ""}}


_FIELDS: dict[type, tuple[str, ...]] = {
    ev.SessionConfigured: ("session_id", "model", "history_log_id", "history_entry_count"),
    ev.Error: ("message",),
    ev.StreamError: ("message",),
    ev.TaskStarted: ("model_context_window",),
    ev.TaskComplete: ("last_agent_message",),
    ev.TurnAborted: ("reason",),
    ev.TokenCount: (
        "input_tokens",
        "cached_input_tokens",
        "output_tokens",
        "reasoning_output_tokens",
        "total_tokens",
    ),
    ev.AgentMessage: ("message",),
    ev.AgentMessageDelta: ("delta",),
    ev.AgentReasoning: ("text",),
    ev.AgentReasoningDelta: ("delta",),
    ev.AgentReasoningRawContent: ("text",),
    ev.AgentReasoningRawContentDelta: ("delta",),
    ev.AgentReasoningSectionBreak: (),
    ev.McpToolCallBegin: ("call_id", "invocation"),
    ev.McpToolCallEnd: ("call_id", "invocation", "duration", "result"),
    ev.WebSearchBegin: ("call_id",),
    ev.WebSearchEnd: ("call_id", "query"),
    ev.ExecCommandBegin: ("call_id", "command", "cwd", "parsed_cmd"),
    ev.ExecCommandEnd: (
        "call_id",
        "stdout",
        "stderr",
        "aggregated_output",
        "exit_code",
        "duration",
        "formatted_output",
    ),
    ev.BackgroundEvent: ("message",),
    ev.PatchApplyEnd: ("call_id", "stdout", "stderr", "success"),
    ev.TurnDiff: ("unified_diff",),
    ev.PlanUpdate: ("explanation", "plan"),
    ev.McpListToolsResponse: ("tools",),
    ev.ListCustomPromptsResponse: ("custom_prompts",),
    ev.ConversationHistory: ("conversation_id", "entries"),
    ev.ShutdownComplete: (),
}
"""What the older vocabulary has of each kind, in its order."""


def _picked(msg: EventMsg, *fields: str) -> Wire:
    return {"type": kind_of(msg), **{field: getattr(msg, field) for field in fields}}


def kind_of(msg: EventMsg) -> str:
    """The event's `type`."""
    tag = type(msg).__struct_config__.tag
    assert isinstance(tag, str)  # noqa: S101 (every event has one)
    return tag


def _given(**fields: Any) -> Wire:
    return {name: value for name, value in fields.items() if value is not None}
