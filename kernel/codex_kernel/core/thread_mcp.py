"""The MCP servers of a thread: made from its settings, joined to its tools, their words told as events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codex_protocol.errors import ThreadError
from codex_protocol.events import BackgroundEvent, EventMsg, McpListToolsResponse, Warning

if TYPE_CHECKING:
    from codex_kernel.core.elicitations import Elicitations
    from codex_kernel.core.state import ThreadState
    from codex_kernel.mcp_client.servers import McpServers
    from codex_protocol import ops

Emit = Callable[[EventMsg], None]


class ThreadMcp:
    """Nothing at all where no server is configured: then not even a module is loaded."""

    def __init__(self, state: ThreadState, kept: Path, emit: Emit) -> None:
        """Prepare the servers.

        Args:
            state: The thread's; servers' tools join its registry.
            kept: Folder for tool lists and logins.
            emit: Reports an event that belongs to no turn.
        """
        self._emit = emit
        self._servers: McpServers | None = None
        self._elicitations: Elicitations | None = None
        configured = {name: one for name, one in state.settings.config.mcp_servers.items() if one.enabled}
        if not configured:
            return
        from codex_kernel.core.elicitations import Elicitations
        from codex_kernel.mcp_client.servers import McpServers

        self._elicitations = Elicitations(emit)
        self._servers = McpServers(
            configured,
            cwd=state.settings.cwd,
            env=state.base_environment,
            kept=kept,
            offer=state.registry.join,
            tell=lambda sentence: emit(Warning(message=sentence)),
            ask=self._elicitations.ask,
            bound=state.settings.config.bound_servers,
        )

    async def start(self) -> None:
        """Start them; wait for the required ones alone.

        Raises:
            ThreadError: A required one does not run.
        """
        if self._servers is None:
            return
        from codex_kernel.mcp_client.interface import McpError

        try:
            await self._servers.start()
        except McpError as error:
            raise ThreadError(str(error)) from error
        if unknown := self._servers.unknown():
            names = ", ".join(f"`{name}`" for name in unknown)
            self._emit(BackgroundEvent(message=f"Starting MCP {names}: the tools join with the turn after that."))

    def may_ask(self) -> None:
        """A front end shows servers' questions from now on."""
        if self._elicitations is not None:
            self._elicitations.can_answer = True

    def answer(self, op: ops.ElicitationAnswer) -> bool:
        """Take an answer; False when there is no such open question."""
        return self._elicitations is not None and self._elicitations.answer(op)

    def listing(self) -> McpListToolsResponse:
        """The tools by qualified name."""
        tools: dict[str, Any] = {} if self._servers is None else self._servers.listing()
        return McpListToolsResponse(tools=tools)

    async def aclose(self) -> None:
        """End every server."""
        if self._servers is not None:
            await self._servers.aclose()
