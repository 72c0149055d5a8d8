"""The tools by which the model lists and reads servers' resources. Source: spec/modern-features.md, "MCP resources"."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import msgspec

from codex_kernel.mcp_client.interface import McpError, Session
from codex_kernel.mcp_client.results import for_model
from codex_kernel.model.interface import FunctionTool, ToolSpec
from codex_kernel.tools.interface import BadArguments, Tool, ToolOutput, decode_arguments, object_schema
from codex_protocol.events import Duration, McpInvocation, McpToolCallBegin, McpToolCallEnd
from codex_protocol.items import FunctionCall, ToolCallItem

if TYPE_CHECKING:
    from codex_kernel.mcp_client.servers import McpServers
    from codex_kernel.tools.interface import Offer, ToolContext


class _Listing(msgspec.Struct, frozen=True):
    server: str | None = None
    cursor: str | None = None


class _Reading(msgspec.Struct, frozen=True):
    server: str
    uri: str


class _ResourceTool:
    """What the three have in common: a server is asked, and its JSON is the output."""

    parallel = True

    def __init__(self, servers: McpServers, name: str, description: str, parameters: dict[str, Any]) -> None:
        self.names = (name,)
        self._servers = servers
        self._spec = FunctionTool(name=name, description=description, parameters=parameters)

    def spec(self, offer: Offer) -> ToolSpec | None:
        """Offered as soon as a server is configured."""
        return self._spec

    async def run(self, call: ToolCallItem, context: ToolContext) -> ToolOutput:
        """Ask the server or servers."""
        if not isinstance(call, FunctionCall):
            raise BadArguments(f"{self.names[0]} is a function tool")
        server, arguments = self._arguments(call.arguments)
        invocation = McpInvocation(server or "codex", self.names[0], arguments)
        context.emit(McpToolCallBegin(call_id=context.call_id, invocation=invocation))
        before = asyncio.get_running_loop().time()

        def output(content: Any, result: dict[str, Any], *, success: bool) -> ToolOutput:
            duration = Duration.of(asyncio.get_running_loop().time() - before)
            end = McpToolCallEnd(call_id=context.call_id, invocation=invocation, duration=duration, result=result)
            return ToolOutput(content, success=success, after=(end,))

        try:
            answer = await self._answer(arguments)
        except McpError as error:
            return output(f"error: {error}", {"Err": str(error)}, success=False)
        except asyncio.CancelledError:
            context.interrupted = output("aborted by the user", {"Err": "aborted by the user"}, success=False)
            raise
        text = for_model({"structuredContent": answer})
        shown = text if isinstance(text, str) else ""
        return output(shown, {"Ok": {"content": [{"type": "text", "text": shown}]}}, success=True)

    def _arguments(self, text: str) -> tuple[str | None, dict[str, Any]]:
        raise NotImplementedError

    async def _answer(self, arguments: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    async def _ask(self, server: str, what: Callable[[Session], Any]) -> dict[str, Any]:
        connection = self._servers.connection(server)
        if connection is None:
            known = ", ".join(self._servers.names)
            raise McpError(f"there is no MCP server named {server!r}; there are: {known}")
        session = await connection.session()
        return await connection.within(what(session))


class _ListTool(_ResourceTool):
    def __init__(self, servers: McpServers, *, templates: bool) -> None:
        self._templates = templates
        self._key = "resourceTemplates" if templates else "resources"
        what = "templates of resources" if templates else "resources (files, tables, documents)"
        super().__init__(
            servers,
            "list_mcp_resource_templates" if templates else "list_mcp_resources",
            f"Lists the {what} that MCP servers provide.",
            object_schema(
                {
                    "server": {"type": "string", "description": "Only of this server; all when absent."},
                    "cursor": {"type": "string", "description": "Where a longer list goes on; needs server."},
                },
                required=(),
            ),
        )

    def _arguments(self, text: str) -> tuple[str | None, dict[str, Any]]:
        asked = decode_arguments(text, _Listing)
        return asked.server, {key: value for key, value in msgspec.to_builtins(asked).items() if value is not None}

    async def _answer(self, arguments: dict[str, Any]) -> dict[str, Any]:
        server, cursor = arguments.get("server"), arguments.get("cursor")
        if server is not None:
            page = await self._page(server, cursor)
            return {"server": server, **page}
        found: list[Any] = []
        for name in self._servers.names:
            connection = self._servers.connection(name)
            if connection is None or not connection.ready:
                continue
            page = await self._page(name, None)
            found += [{"server": name, **cast("dict[str, Any]", one)} for one in page.get(self._key, [])]
        return {self._key: found}

    async def _page(self, server: str, cursor: str | None) -> dict[str, Any]:
        async def ask(session: Session) -> dict[str, Any]:
            if not session.has_resources:
                return {self._key: []}
            return await session.list_resources(cursor, templates=self._templates)

        page = await self._ask(server, ask)
        return {key: page[key] for key in (self._key, "nextCursor") if key in page}


class _ReadTool(_ResourceTool):
    def __init__(self, servers: McpServers) -> None:
        super().__init__(
            servers,
            "read_mcp_resource",
            "Reads one resource of an MCP server.",
            object_schema(
                {
                    "server": {"type": "string", "description": "The server, as list_mcp_resources names it."},
                    "uri": {"type": "string", "description": "The resource's URI."},
                },
                required=("server", "uri"),
            ),
        )

    def _arguments(self, text: str) -> tuple[str | None, dict[str, Any]]:
        asked = decode_arguments(text, _Reading)
        return asked.server, {"server": asked.server, "uri": asked.uri}

    async def _answer(self, arguments: dict[str, Any]) -> dict[str, Any]:
        contents = await self._ask(arguments["server"], lambda session: session.read_resource(arguments["uri"]))
        return {"server": arguments["server"], "uri": arguments["uri"], "contents": contents.get("contents", [])}


RESOURCE_TOOLS: tuple[Callable[[McpServers], Tool], ...] = (
    lambda servers: _ListTool(servers, templates=False),
    lambda servers: _ListTool(servers, templates=True),
    _ReadTool,
)
"""In the order the model is told of them."""
