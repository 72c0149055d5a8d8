"""Events in, lines of `codex exec --json` out: a pure state machine over one run.

Source: spec/exec-json.md sections 2 to 5.
"""

from __future__ import annotations

from typing import Any, cast

from codex_kernel.exec.json_lines import (
    AgentMessageItem,
    CommandItem,
    ErrorItem,
    FileChangeEntry,
    FileChangeItem,
    ItemCompleted,
    ItemStarted,
    ItemUpdated,
    Line,
    McpToolCallItem,
    Message,
    ReasoningItem,
    StreamErrorLine,
    ThreadStarted,
    TodoEntry,
    TodoListItem,
    TurnCompleted,
    TurnFailed,
    TurnStarted,
    Usage,
    WebSearchItem,
)
from codex_protocol.events import (
    AgentMessage,
    AgentMessageDelta,
    AgentReasoning,
    AgentReasoningDelta,
    AgentReasoningRawContentDelta,
    AgentReasoningSectionBreak,
    Error,
    EventMsg,
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandOutputDelta,
    McpInvocation,
    McpToolCallBegin,
    McpToolCallEnd,
    PatchApplyBegin,
    PatchApplyEnd,
    PlanUpdate,
    SessionConfigured,
    StreamError,
    TaskComplete,
    TaskStarted,
    TokenCount,
    Warning,
    WebSearchBegin,
    WebSearchEnd,
)
from codex_protocol.file_changes import FileChange
from codex_protocol.policy import DangerFullAccess
from codex_protocol.token_usage import TokenUsage
from codex_render.shell_words import join_words

_DELTAS = frozenset(
    {
        AgentMessageDelta,
        AgentReasoningDelta,
        AgentReasoningRawContentDelta,
        AgentReasoningSectionBreak,
        ExecCommandOutputDelta,
    }
)
_WEAK_RUNG = 3
_ACTIONS = {"search": ("query", "queries"), "open_page": ("url",), "find_in_page": ("url", "pattern")}


class JsonEvents:
    """The lines for each event, in order. Numbers of items count up over the whole process."""

    def __init__(self) -> None:
        self._next_number = 0
        self._open: dict[str, str] = {}  # call id to item id
        self._commands: dict[str, str] = {}  # call id to the command as a line
        self._changes: dict[str, tuple[FileChangeEntry, ...]] = {}
        self._reasoning: list[str] = []
        self._todo: TodoListItem | None = None
        self._usage = TokenUsage()
        self._error: str | None = None

    def lines(self, event: EventMsg) -> list[Line]:
        """What to print for `event`; often nothing."""
        if type(event) in _DELTAS:
            return []  # the hottest path: thousands of these, and none is shown
        if isinstance(event, AgentReasoning):
            self._reasoning.append(event.text)  # parts of one summary come one after another
            return []
        lines = self._finished_reasoning()
        lines.extend(self._line(event))
        return lines

    def _line(self, event: EventMsg) -> list[Line]:
        match event:
            case SessionConfigured():
                return [ThreadStarted(event.session_id), *self._weak_sandbox(event)]
            case TaskStarted():
                return [TurnStarted()]
            case AgentMessage():
                return [ItemCompleted(AgentMessageItem(id=self._number(), text=event.message))]
            case ExecCommandBegin():
                return self._command_began(event)
            case ExecCommandEnd():
                return self._command_ended(event)
            case PatchApplyBegin():
                return self._patch_began(event)
            case PatchApplyEnd():
                return self._patch_ended(event)
            case McpToolCallBegin():
                return [ItemStarted(self._mcp_item(event.call_id, event.invocation))]
            case McpToolCallEnd():
                return self._mcp_ended(event)
            case WebSearchBegin():
                return [ItemStarted(self._search_item(event.call_id, "", None))]
            case WebSearchEnd():
                item = self._search_item(event.call_id, event.query, event.action)
                self._open.pop(event.call_id, None)
                return [ItemCompleted(item)]
            case PlanUpdate():
                return self._plan(event)
            case TokenCount():
                self._count(event)
                return []
            case Warning():
                return [ItemCompleted(ErrorItem(id=self._number(), message=event.message))]
            case StreamError():
                return [StreamErrorLine(_reconnecting(event))]
            case Error():
                self._error = event.message
                return [StreamErrorLine(event.message)]
            case TaskComplete():
                return self._turn_ended(event.error)
            case _:
                return []  # `turn_aborted` too: the exit code tells of an interrupt, the stream just ends

    def _weak_sandbox(self, session: SessionConfigured) -> list[Line]:
        """A notice when layers of the sandbox are missing: it never degrades silently."""
        facts = session.sandbox
        confined = not isinstance(session.sandbox_policy, DangerFullAccess)
        if facts is None or facts.notice is None or facts.rung < _WEAK_RUNG or not confined:
            return []
        return [ItemCompleted(ErrorItem(id=self._number(), message=facts.notice))]

    def _number(self) -> str:
        number = self._next_number
        self._next_number += 1
        return f"item_{number}"

    def _item_of(self, call_id: str) -> str:
        """The item's id, the same from its first event to its last."""
        if call_id not in self._open:
            self._open[call_id] = self._number()
        return self._open[call_id]

    def _finished_reasoning(self) -> list[Line]:
        if not self._reasoning:
            return []
        text = "\n".join(self._reasoning)
        self._reasoning.clear()
        return [ItemCompleted(ReasoningItem(id=self._number(), text=text))] if text.strip() else []

    def _command_began(self, event: ExecCommandBegin) -> list[Line]:
        command = self._commands[event.call_id] = join_words(event.command)
        item = CommandItem(
            id=self._item_of(event.call_id), command=command, aggregated_output="", exit_code=None, status="in_progress"
        )
        return [ItemStarted(item)]

    def _command_ended(self, event: ExecCommandEnd) -> list[Line]:
        item = CommandItem(
            id=self._item_of(event.call_id),
            command=self._commands.pop(event.call_id, ""),
            aggregated_output=event.aggregated_output,
            exit_code=event.exit_code,
            status="completed" if event.exit_code == 0 else "failed",
        )
        self._open.pop(event.call_id, None)
        return [ItemCompleted(item)]

    def _patch_began(self, event: PatchApplyBegin) -> list[Line]:
        changes = tuple(FileChangeEntry(path, _kind(change)) for path, change in event.changes.items())
        self._changes[event.call_id] = changes
        return [ItemStarted(FileChangeItem(id=self._item_of(event.call_id), changes=changes, status="in_progress"))]

    def _patch_ended(self, event: PatchApplyEnd) -> list[Line]:
        item = FileChangeItem(
            id=self._item_of(event.call_id),
            changes=self._changes.pop(event.call_id, ()),
            status="completed" if event.success else "failed",
        )
        self._open.pop(event.call_id, None)
        return [ItemCompleted(item)]

    def _mcp_item(self, call_id: str, called: McpInvocation) -> McpToolCallItem:
        return McpToolCallItem(
            id=self._item_of(call_id),
            server=called.server,
            tool=called.tool,
            arguments=called.arguments,
            result=None,
            error=None,
            status="in_progress",
        )

    def _mcp_ended(self, event: McpToolCallEnd) -> list[Line]:
        result, error = _mcp_result(event.result)
        item = McpToolCallItem(
            id=self._item_of(event.call_id),
            server=event.invocation.server,
            tool=event.invocation.tool,
            arguments=event.invocation.arguments,
            result=result,
            error=error,
            status="failed" if error is not None or _is_error(event.result) else "completed",
        )
        self._open.pop(event.call_id, None)
        return [ItemCompleted(item)]

    def _search_item(self, call_id: str, query: str, action: dict[str, Any] | None) -> WebSearchItem:
        return WebSearchItem(id=self._item_of(call_id), query=query, action=_action(action))

    def _plan(self, event: PlanUpdate) -> list[Line]:
        entries = tuple(TodoEntry(step.step, step.status == "completed") for step in event.plan)
        first = self._todo is None
        self._todo = TodoListItem(id=self._number() if self._todo is None else self._todo.id, items=entries)
        return [ItemStarted(self._todo) if first else ItemUpdated(self._todo)]

    def _count(self, event: TokenCount) -> None:
        if event.total is not None:
            self._usage = event.total
        else:
            self._usage += event.usage()

    def _turn_ended(self, error: str | None) -> list[Line]:
        lines: list[Line] = []
        if self._todo is not None:
            lines.append(ItemCompleted(self._todo))
            self._todo = None
        if error is not None:
            if self._error is None:
                lines.append(StreamErrorLine(error))
            lines.append(TurnFailed(Message(error)))
        else:
            lines.append(TurnCompleted(_usage_line(self._usage)))
        self._error = None
        return lines


def _kind(change: FileChange) -> Any:
    if change.add is not None:
        return "add"
    return "delete" if change.delete is not None else "update"


def _reconnecting(event: StreamError) -> str:
    """Readers know a retry by its first word, so it stays upstream's."""
    if event.max_attempts <= 0:
        return event.message
    return f"Reconnecting... {event.attempt}/{event.max_attempts} ({event.message})"


def _mcp_result(raw: dict[str, Any]) -> tuple[dict[str, Any] | None, Message | None]:
    if "Ok" not in raw:
        return None, Message(str(raw.get("Err", "the call failed")))
    given = cast("dict[str, Any]", raw["Ok"]) if isinstance(raw["Ok"], dict) else {}
    structured = given.get("structuredContent", given.get("structured_content"))
    result: dict[str, Any] = {"content": given.get("content", []), "structured_content": structured}
    if "_meta" in given:
        result["_meta"] = given["_meta"]
    return result, None


def _is_error(raw: dict[str, Any]) -> bool:
    given = raw.get("Ok")
    return isinstance(given, dict) and bool(cast("dict[str, Any]", given).get("isError"))


def _action(raw: dict[str, Any] | None) -> dict[str, Any]:
    kind = (raw or {}).get("type", "other")
    kind = "find_in_page" if kind == "find" else kind
    if raw is None or kind not in _ACTIONS:
        return {"type": "other"}
    return {"type": kind, **{key: raw[key] for key in _ACTIONS[kind] if raw.get(key) is not None}}


def _usage_line(total: TokenUsage) -> Usage:
    return Usage(
        total.input_tokens,
        total.cached_input_tokens,
        total.cache_write_input_tokens,
        total.output_tokens,
        total.reasoning_output_tokens,
    )
