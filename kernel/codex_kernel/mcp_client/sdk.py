"""The official SDK's session behind our interface. Importing this takes most of a second: `connection` does, late."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import mcp_types as types
import pydantic
from mcp.client.session import ClientRequestContext, ClientSession, IncomingMessage
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from codex_kernel.mcp_client.interface import (
    Ask,
    Elicit,
    Hears,
    McpError,
    OnProgress,
    Progress,
    ToolFacts,
)
from codex_protocol.version import VERSION

MAX_TOOLS = 512
_MAX_PAGES = 50
_MAX_SCHEMA_BYTES = 256 * 1024

_R = TypeVar("_R", bound=BaseModel)

for _name in ("mcp", "client"):  # the SDK tells of a server's faults with tracebacks; ours are one sentence
    if logging.getLogger(_name).level == logging.NOTSET:
        logging.getLogger(_name).setLevel(logging.CRITICAL)


class SdkSession:
    """A greeted server; implements `interface.Session`."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        capabilities = session.server_capabilities
        self.instructions = session.instructions
        self.has_resources = capabilities is not None and capabilities.resources is not None
        self._has_tools = capabilities is None or capabilities.tools is not None

    async def list_tools(self) -> tuple[ToolFacts, ...]:
        """All tools, all pages, as far as their schemas can be used."""
        if not self._has_tools:
            return ()
        found: list[ToolFacts] = []
        cursor: str | None = None
        for _ in range(_MAX_PAGES):
            page = await _asked(
                self._session.list_tools(params=types.PaginatedRequestParams(cursor=cursor) if cursor else None)
            )
            found += [facts for tool in page.tools if (facts := facts_of(_json(tool))) is not None]
            cursor = page.next_cursor
            if cursor is None or len(found) >= MAX_TOOLS:
                break
        return tuple(found[:MAX_TOOLS])

    async def call_tool(self, name: str, arguments: Any, on_progress: OnProgress | None) -> dict[str, Any]:
        """The result as JSON."""

        async def progressed(progress: float, total: float | None, message: str | None) -> None:
            if on_progress is not None:
                on_progress(Progress(progress=progress, total=total, message=message))

        request = types.CallToolRequest(params=types.CallToolRequestParams(name=name, arguments=arguments))
        # Not `call_tool`: that raises where a result does not fit the server's own output schema; the model can cope.
        result = await _asked(self._session.send_request(request, types.CallToolResult, progress_callback=progressed))
        return _json(result)

    async def list_resources(self, cursor: str | None, *, templates: bool) -> dict[str, Any]:
        """One page, as JSON."""
        params = types.PaginatedRequestParams(cursor=cursor) if cursor else None
        if templates:
            return _json(await _asked(self._session.list_resource_templates(params=params)))
        return _json(await _asked(self._session.list_resources(params=params)))

    async def read_resource(self, uri: str) -> dict[str, Any]:
        """The contents, as JSON."""
        return _json(await _asked(self._session.read_resource(uri)))


@asynccontextmanager
async def greeted(read: Any, write: Any, *, server: str, ask: Ask, hears: Hears) -> AsyncGenerator[SdkSession]:
    """A session over a transport's streams, after the handshake.

    Raises:
        McpError: The server does not greet back as MCP has it.
    """

    async def elicit(
        context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult | types.ErrorData:
        answer = await ask(_question(server, params))
        return types.ElicitResult(action=answer.action, content=answer.content if answer.action == "accept" else None)

    async def log(params: types.LoggingMessageNotificationParams) -> None:
        data = params.data
        hears.logged(params.level, data if isinstance(data, str) else str(data))

    async def heard(message: IncomingMessage) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            hears.tools_changed()

    session = ClientSession(
        read,
        write,
        elicitation_callback=elicit,
        logging_callback=log,
        message_handler=heard,
        client_info=types.Implementation(name="codex-mcp-client", title="Codex", version=VERSION),
    )
    async with session:
        await _greet(session)
        yield SdkSession(session)


async def _greet(session: ClientSession) -> None:
    """The handshake of revisions up to 2025-11-25; a server that knows only later ones is asked what it speaks."""
    try:
        await session.initialize()
    except MCPError as error:
        if error.code != types.METHOD_NOT_FOUND:
            raise _sentence(error) from error
        await _asked(session.discover())
    except (RuntimeError, pydantic.ValidationError) as error:
        raise McpError(f"its answer to the handshake is not MCP: {_first_line(error)}") from error


async def _asked(answer: Awaitable[_R]) -> _R:
    try:
        return await answer
    except MCPError as error:
        raise _sentence(error) from error
    except pydantic.ValidationError as error:
        raise McpError(f"its answer does not have the form MCP asks for: {_first_line(error)}") from error
    except (RuntimeError, OSError, ValueError) as error:
        raise McpError(_first_line(error)) from error


def _sentence(error: MCPError) -> McpError:
    if error.code == types.CONNECTION_CLOSED:
        return Disconnected("the server closed the connection")
    return McpError(f"server returned JSON-RPC error: code = {error.code}, message = {error.message}")


class Disconnected(McpError):
    """The connection is gone."""


def _question(server: str, params: types.ElicitRequestParams) -> Elicit:
    if isinstance(params, types.ElicitRequestURLParams):
        return Elicit(server=server, message=params.message, mode="url", url=params.url)
    schema = cast("Any", params.requested_schema)
    return Elicit(
        server=server,
        message=params.message,
        schema=_json(schema) if isinstance(schema, BaseModel) else dict(schema),
    )


def facts_of(raw: dict[str, Any]) -> ToolFacts | None:
    """A listed tool; None when it has no usable name or its schema is out of all proportion."""
    name, schema = raw.get("name"), raw.get("inputSchema")
    if not isinstance(name, str) or not name or len(name) > 256 or len(str(schema)) > _MAX_SCHEMA_BYTES:
        return None
    hints = raw.get("annotations")
    annotations = cast("dict[str, Any]", hints) if isinstance(hints, dict) else {}

    def hint(key: str) -> bool | None:
        value = annotations.get(key)
        return value if isinstance(value, bool) else None

    return ToolFacts(
        name=name,
        description=str(raw.get("description") or ""),
        input_schema=cast("dict[str, Any]", schema) if isinstance(schema, dict) else {},
        read_only=hint("readOnlyHint"),
        destructive=hint("destructiveHint"),
        open_world=hint("openWorldHint"),
        raw=raw,
    )


def _json(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return " ".join(line.strip() for line in lines[:3]) if lines else type(error).__name__
