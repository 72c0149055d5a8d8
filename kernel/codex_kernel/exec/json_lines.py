"""The lines of `codex exec --json`: eight types of events and their items, in the field order of upstream.

Source: spec/exec-json.md sections 2 and 4.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from codex_protocol.sound_json import encode_json


class Usage(msgspec.Struct, frozen=True):
    """Tokens of the whole thread, not of the turn."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0


class Message(msgspec.Struct, frozen=True):
    """A sentence about what failed."""

    message: str


class AgentMessageItem(msgspec.Struct, frozen=True, kw_only=True):
    """Something the model said."""

    id: str
    type: str = "agent_message"
    text: str


class ReasoningItem(msgspec.Struct, frozen=True, kw_only=True):
    """A reasoning summary."""

    id: str
    type: str = "reasoning"
    text: str


class CommandItem(msgspec.Struct, frozen=True, kw_only=True):
    """A command."""

    id: str
    type: str = "command_execution"
    command: str
    aggregated_output: str
    exit_code: int | None
    status: Literal["in_progress", "completed", "failed", "declined"]


class FileChangeEntry(msgspec.Struct, frozen=True):
    """One changed file."""

    path: str
    kind: Literal["add", "delete", "update"]


class FileChangeItem(msgspec.Struct, frozen=True, kw_only=True):
    """A patch."""

    id: str
    type: str = "file_change"
    changes: tuple[FileChangeEntry, ...]
    status: Literal["in_progress", "completed", "failed"]


class McpToolCallItem(msgspec.Struct, frozen=True, kw_only=True):
    """A call to an MCP server."""

    id: str
    type: str = "mcp_tool_call"
    server: str
    tool: str
    arguments: Any
    result: dict[str, Any] | None
    error: Message | None
    status: Literal["in_progress", "completed", "failed"]


class WebSearchItem(msgspec.Struct, frozen=True, kw_only=True):
    """A search the provider ran."""

    id: str
    type: str = "web_search"
    query: str
    action: dict[str, Any]


class TodoEntry(msgspec.Struct, frozen=True):
    """One step of the plan."""

    text: str
    completed: bool


class TodoListItem(msgspec.Struct, frozen=True, kw_only=True):
    """The plan."""

    id: str
    type: str = "todo_list"
    items: tuple[TodoEntry, ...]


class ErrorItem(msgspec.Struct, frozen=True, kw_only=True):
    """A notice; the turn goes on."""

    id: str
    type: str = "error"
    message: str


ThreadItem = (
    AgentMessageItem
    | ReasoningItem
    | CommandItem
    | FileChangeItem
    | McpToolCallItem
    | WebSearchItem
    | TodoListItem
    | ErrorItem
)


class ThreadStarted(msgspec.Struct, frozen=True, tag="thread.started"):
    """The first line, on resume and fork too."""

    thread_id: str


class TurnStarted(msgspec.Struct, frozen=True, tag="turn.started"):
    """A turn began."""


class ItemStarted(msgspec.Struct, frozen=True, tag="item.started"):
    """An item began; never a message, reasoning or a notice."""

    item: Any


class ItemUpdated(msgspec.Struct, frozen=True, tag="item.updated"):
    """The plan changed."""

    item: TodoListItem


class ItemCompleted(msgspec.Struct, frozen=True, tag="item.completed"):
    """An item is in its last state."""

    item: Any  # a ThreadItem; the items carry their `type` as a field, which msgspec does not take for a union's tag


class TurnCompleted(msgspec.Struct, frozen=True, tag="turn.completed"):
    """The turn went well; the last line."""

    usage: Usage


class TurnFailed(msgspec.Struct, frozen=True, tag="turn.failed"):
    """The turn failed; the last line."""

    error: Message


class StreamErrorLine(msgspec.Struct, frozen=True, tag="error"):
    """A notice about the stream; retries are announced this way, so it ends nothing by itself."""

    message: str


Line = (
    ThreadStarted
    | TurnStarted
    | ItemStarted
    | ItemUpdated
    | ItemCompleted
    | TurnCompleted
    | TurnFailed
    | StreamErrorLine
)


def encode_lines(lines: list[Line]) -> bytes:
    """The lines with their line ends, UTF-8, compact."""
    return b"".join(encode_json(line) + b"\n" for line in lines)
