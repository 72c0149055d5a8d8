"""All MCP servers of a thread: started together, their tools gathered for the model under names of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codex_kernel.mcp_client.cache import ToolCache
from codex_kernel.mcp_client.connection import Connection, Where
from codex_kernel.mcp_client.interface import Ask, ElicitAnswer, McpError, ToolFacts
from codex_kernel.mcp_client.login_file import LOGINS_FILE
from codex_kernel.mcp_client.names import name_tools
from codex_kernel.mcp_client.resources import RESOURCE_TOOLS
from codex_kernel.mcp_client.tool import McpTool

if TYPE_CHECKING:
    from codex_kernel.config.types import McpServer
    from codex_kernel.mcp_client.interface import Elicit
    from codex_kernel.tools.interface import Tool

START_DELAY_S = 0.15
"""Loading the SDK takes the processor for most of a second: the first request to the model goes out before."""


class McpServers:
    """The servers of one thread."""

    def __init__(
        self,
        servers: Mapping[str, McpServer],
        *,
        cwd: Path,
        env: Mapping[str, str],
        kept: Path | None,
        offer: Callable[[tuple[Tool, ...]], None],
        tell: Callable[[str], None],
        ask: Ask | None = None,
        bound: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Nothing is started; what servers listed last is offered at once.

        Args:
            servers: The configured ones, by name.
            cwd: The thread's directory.
            env: The environment it was opened with.
            kept: Folder for tool lists and logins; None keeps nothing.
            offer: Called with all tools, each time there are others.
            tell: Takes one sentence for the user.
            ask: Puts servers' questions to the user; None: nobody can answer.
            bound: For each server that a project brings: the files its command names, and their digests.
        """
        self._offer = offer
        self._tell = tell
        self._cache = ToolCache(kept / "mcp-tools" if kept is not None else None)
        where = Where(cwd, env, kept / LOGINS_FILE if kept is not None else None, bound or {})
        self._connections: dict[str, Connection] = {}
        self._facts: dict[str, tuple[ToolFacts, ...]] = {}
        self._cached: set[str] = set()
        """Servers whose tools are only known from last time."""
        for name, settings in servers.items():
            if settings.enabled:
                self._connections[name] = self._connection(name, settings, where, ask or _nobody)
        self._starting: asyncio.Task[None] | None = None
        self._publish()

    def _connection(self, name: str, settings: McpServer, where: Where, ask: Ask) -> Connection:
        def listed(facts: tuple[ToolFacts, ...]) -> None:
            self._cache.write(name, settings, facts)
            self._cached.discard(name)
            if self._facts.get(name) != facts:
                self._facts[name] = facts
                self._publish()

        if not settings.required and (known := self._cache.read(name, settings)) is not None:
            self._facts[name] = known
            self._cached.add(name)
        return Connection(name, settings, where, ask=ask, tell=self._tell, listed=listed)

    async def start(self) -> None:
        """Start all; wait for the required ones, not for the others.

        Raises:
            McpError: A required one does not run.
        """
        required = [one for one in self._connections.values() if one.settings.required]
        for connection in required:
            connection.start()
        self._starting = asyncio.create_task(self._start_rest(delay_s=0 if required else START_DELAY_S))
        for connection in required:
            try:
                await connection.session()
            except McpError as error:
                raise McpError(f"the required MCP server `{connection.name}` failed to start: {error}") from error

    async def _start_rest(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        for connection in self._connections.values():
            connection.start()

    async def aclose(self) -> None:
        """End all; their processes have ended on return."""
        if self._starting is not None:
            self._starting.cancel()
        await asyncio.gather(*(one.aclose() for one in self._connections.values()))

    def unknown(self) -> tuple[str, ...]:
        """Servers whose tools are not known yet, not even from last time."""
        return tuple(name for name in self._connections if name not in self._facts)

    def connection(self, name: str) -> Connection | None:
        """A configured and enabled server."""
        return self._connections.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The configured and enabled servers."""
        return tuple(self._connections)

    def listing(self) -> dict[str, Any]:
        """Every tool by qualified name, as its server lists it; marked when that was last time."""
        listed: dict[str, Any] = {}
        for name, (server, facts) in self._named().items():
            listed[name] = {**facts.raw, "_meta": {"codex/cached": True}} if server in self._cached else facts.raw
        return dict(sorted(listed.items()))

    def _named(self) -> dict[str, tuple[str, ToolFacts]]:
        wanted = {
            (server, one.name): one
            for server, facts in self._facts.items()
            for one in reversed(facts)  # of two tools of one name the first one counts
            if _allowed(self._connections[server].settings, one.name)
        }
        return {name: (server, wanted[server, tool]) for name, (server, tool) in name_tools(sorted(wanted)).items()}

    def _publish(self) -> None:
        tools: list[Tool] = [
            McpTool(name, self._connections[server], facts) for name, (server, facts) in sorted(self._named().items())
        ]
        if self._connections:
            tools += [make(self) for make in RESOURCE_TOOLS]
        self._offer(tuple(tools))


def _allowed(settings: McpServer, tool: str) -> bool:
    if settings.enabled_tools is not None and tool not in settings.enabled_tools:
        return False
    return tool not in settings.disabled_tools


async def _nobody(question: Elicit) -> ElicitAnswer:
    return ElicitAnswer(action="cancel")
