"""What the parts of the MCP client tell each other, without a word of the SDK's: that is loaded late."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

import msgspec

from codex_protocol.errors import CodexError


class McpError(CodexError):
    """A server could not be started, reached or understood; one sentence."""


class ToolFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as its server lists it."""

    name: str
    description: str = ""
    input_schema: dict[str, Any] = {}
    read_only: bool | None = None
    """The server's own hints; None where it says nothing."""
    destructive: bool | None = None
    open_world: bool | None = None
    raw: dict[str, Any] = {}
    """The listing as JSON."""


class Elicit(msgspec.Struct, frozen=True, kw_only=True):
    """A server asks the user."""

    server: str
    message: str
    mode: Literal["form", "url"] = "form"
    schema: dict[str, Any] = {}
    url: str | None = None


class ElicitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the user said."""

    action: Literal["accept", "decline", "cancel"]
    content: dict[str, Any] | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a call has come."""

    progress: float
    total: float | None = None
    message: str | None = None


Ask = Callable[[Elicit], Awaitable[ElicitAnswer]]
"""Puts a server's question to a person; answered `cancel` at once where nobody can answer."""
OnProgress = Callable[[Progress], None]


class Session(Protocol):
    """A server that has been greeted. Everything may raise `McpError`."""

    instructions: str | None
    """What the server says about itself."""
    has_resources: bool

    async def list_tools(self) -> tuple[ToolFacts, ...]:
        """All tools, all pages."""
        ...

    async def call_tool(self, name: str, arguments: Any, on_progress: OnProgress | None) -> dict[str, Any]:
        """The `CallToolResult` as JSON. Cancelling tells the server."""
        ...

    async def list_resources(self, cursor: str | None, *, templates: bool) -> dict[str, Any]:
        """One page of resources or of their templates, as JSON."""
        ...

    async def read_resource(self, uri: str) -> dict[str, Any]:
        """A resource's contents, as JSON."""
        ...


class Hears(Protocol):
    """Who is told what a server says by itself."""

    def tools_changed(self) -> None:
        """The list of tools is another one."""
        ...

    def logged(self, level: str, text: str) -> None:
        """A log line."""
        ...
