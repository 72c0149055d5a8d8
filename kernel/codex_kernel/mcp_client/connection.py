"""One configured server: started beside everything else, kept alive, restarted with back-off when it dies.

All of the SDK's contexts are entered and left by one task, as they have to be; whoever wants something of the server
waits for `session`, with a limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from codex_kernel.mcp_client.interface import Ask, McpError, OnProgress, Session, ToolFacts
from codex_kernel.mcp_client.server_environment import http_headers, server_environment

if TYPE_CHECKING:
    from codex_kernel.config.types import McpServer
    from codex_kernel.mcp_client.stdio import Child

log = logging.getLogger(__name__)

_T = TypeVar("_T")

_BACKOFF_S = (0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
_MAX_SHOWN_LOGS = 10
_SETTLED_S = 60.0
"""A server that lived so long starts its back-off anew."""


class Where(msgspec.Struct, frozen=True):
    """What a server is started with besides its settings."""

    cwd: Path
    env: Mapping[str, str]
    """The thread's environment."""
    credentials: Path | None = None
    """Where logins to servers are kept."""
    bound: Mapping[str, Mapping[str, str]] = {}
    """For each server that a project brings: the files its command names, and the digests they must have."""


class Connection:
    """A server and the task that keeps it."""

    def __init__(
        self,
        name: str,
        settings: McpServer,
        where: Where,
        *,
        ask: Ask,
        tell: Callable[[str], None],
        listed: Callable[[tuple[ToolFacts, ...]], None],
        load: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            name: The server's name in the settings.
            settings: What they say of it.
            where: What it is started with.
            ask: Puts its questions to the user.
            tell: Takes one sentence for the user.
            listed: Called with its tools, each time they are known anew.
            load: Loads the SDK; None loads it in a thread.
        """
        self.name = name
        self.settings = settings
        self.failure: str | None = None
        """Why it does not run, while it does not."""
        self._where = where
        self._ask = ask
        self._tell = tell
        self._listed = listed
        self._load = load or load_sdk
        self._session: Session | None = None
        self._gone = asyncio.Event()
        """The present process has ended, or never began."""
        self._changed = asyncio.Event()
        self._relist = asyncio.Event()
        self._retry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._told_of_end = False
        self._shown_logs = 0
        self._status = 0
        """The last HTTP status that was a refusal."""
        self._child: Child | None = None
        """Of a stdio server: its present or last process."""

    @property
    def ready(self) -> bool:
        """Whether it can be asked now."""
        return self._session is not None and not self._gone.is_set()

    def start(self) -> None:
        """Start it, beside everything else."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep(), name=f"mcp {self.name}")

    async def aclose(self) -> None:
        """End it; its processes have ended on return."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def session(self) -> Session:
        """The running server, waited for as long as it may take to start.

        Raises:
            McpError: It does not run.
        """
        self.start()
        self._retry.set()
        try:
            async with asyncio.timeout(self.settings.startup_timeout_sec):
                while self._session is None or self._gone.is_set():
                    if self.failure is not None and not self._retry.is_set():
                        raise McpError(self.failure)
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            seconds = self.settings.startup_timeout_sec
            raise McpError(self.failure or f"it did not answer within {seconds:g} s") from None
        return self._session

    async def call(self, tool: str, arguments: Any, on_progress: OnProgress | None) -> dict[str, Any]:
        """A tool's result as JSON, within the server's time-out; time the user takes to answer it does not count.

        Raises:
            McpError: It does not run, died, took too long or refused.
        """
        session = await self.session()
        return await self.within(session.call_tool(tool, arguments, on_progress))

    async def within(self, work: Coroutine[Any, Any, _T]) -> _T:
        """`work` within the server's time-out for tools."""
        seconds = self.settings.tool_timeout_sec
        task = asyncio.ensure_future(work)
        try:
            left = seconds
            while not task.done():
                before = asyncio.get_running_loop().time()
                asking = self._asking
                await asyncio.wait({task}, timeout=min(left, 1.0))
                if not (asking or self._asking):
                    left -= asyncio.get_running_loop().time() - before
                if left <= 0 and not task.done():
                    raise McpError(f"request timed out after {seconds:g} s")
            return task.result()
        finally:
            if not task.done():
                task.cancel()  # the SDK tells the server; its writing never waits
                await asyncio.wait({task}, timeout=1)

    _asking = 0
    """Questions of this server that a person has not answered yet."""

    async def ask(self, question: Any) -> Any:
        """Put a question of the server's to the user; the clock of its calls stands still meanwhile."""
        self._asking += 1
        try:
            return await self._ask(question)
        finally:
            self._asking -= 1

    # What a server says by itself

    def tools_changed(self) -> None:
        """List its tools anew."""
        self._relist.set()

    def logged(self, level: str, text: str) -> None:
        """Keep its log lines; what is worse than a warning is shown too."""
        log.info("%s: %s: %s", self.name, level, text)
        if level not in ("error", "critical", "alert", "emergency") or self._shown_logs > _MAX_SHOWN_LOGS:
            return
        self._shown_logs += 1
        if self._shown_logs > _MAX_SHOWN_LOGS:
            self._tell(f"MCP server `{self.name}` reports more errors; they are no longer shown")
        else:
            self._tell(f"MCP server `{self.name}`: {' '.join(text.split())[:300]}")

    # The task

    async def _keep(self) -> None:
        """Run it, again and again with growing pauses, until we are closed."""
        await self._load()
        attempt = 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._retry.clear()
            self._child = None
            self._status = 0
            reason = "it ended"
            try:
                await self._run_once()
            except Exception as error:  # also a fault of the SDK: it must not end the task that keeps the server
                log.debug("the MCP server %s failed", self.name, exc_info=True)
                reason = self._sentence(error)
            lived, self._session = self._session is not None, None
            self.failure = None if lived else reason
            self._retry.clear()
            self._changed.set()
            self._tell_end(reason, lived=lived)
            attempt = 0 if loop.time() - began > _SETTLED_S else attempt + 1
            if not lived:
                await self._retry.wait()  # it never ran: tried again only when somebody wants it
            await asyncio.sleep(_BACKOFF_S[min(attempt, len(_BACKOFF_S)) - 1])

    def _sentence(self, error: BaseException) -> str:
        """Why it failed, with what it said last."""
        said = sentence_of(error, f"it did not answer within {self.settings.startup_timeout_sec:g} s")
        if self._status in (401, 403):
            return f"it asks for a login (HTTP {self._status}); run 'codex mcp login {self.name}'"
        if self._status:
            said = f"{said} (HTTP {self._status})"
        words = self._child.last_words() if self._child is not None else ""
        return f"{said}: {words}" if words else said

    def _tell_end(self, reason: str, *, lived: bool) -> None:
        if self._told_of_end:
            return
        self._told_of_end = True
        if lived:
            self._tell(f"MCP server `{self.name}` stopped ({reason}); it is being restarted")
        else:
            self._tell(f"MCP client for `{self.name}` failed to start: {reason}")

    async def _run_once(self) -> None:
        """One life of the server; returns when it has gone."""
        from codex_kernel.mcp_client.sdk import greeted

        async with self._transport() as (read, write, gone), contextlib.AsyncExitStack() as stack:
            async with asyncio.timeout(self.settings.startup_timeout_sec):
                session = await stack.enter_async_context(
                    greeted(read, write, server=self.name, ask=self.ask, hears=self)
                )
                tools = await session.list_tools()
            self._listed(tools)
            self._session, self.failure, self._gone = session, None, gone
            self._changed.set()
            await self._stay(session, gone)

    async def _stay(self, session: Session, gone: asyncio.Event) -> None:
        """Until the server has gone; its tools are listed anew when it says so."""
        gone_task = asyncio.create_task(gone.wait())
        try:
            while not gone_task.done():
                self._relist.clear()
                relist = asyncio.create_task(self._relist.wait())
                try:
                    await asyncio.wait({gone_task, relist}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    relist.cancel()
                if not gone_task.done():
                    with contextlib.suppress(McpError, TimeoutError):
                        async with asyncio.timeout(self.settings.startup_timeout_sec):
                            self._listed(await session.list_tools())
        finally:
            gone_task.cancel()

    @contextlib.asynccontextmanager
    async def _transport(self) -> AsyncGenerator[tuple[Any, Any, asyncio.Event]]:
        settings, where = self.settings, self._where
        if settings.url is not None:
            from codex_kernel.mcp_client.http import connect_http

            headers = http_headers(
                where.env,
                fixed=settings.http_headers,
                from_env=settings.env_http_headers,
                bearer_token_env_var=settings.bearer_token_env_var,
            )
            async with connect_http(settings.url, headers, self._login(headers), self._refused) as (read, write):
                yield read, write, asyncio.Event()
            return
        from codex_kernel.mcp_client.stdio import run_server

        env = server_environment(where.env, settings.env)
        cwd = where.cwd / settings.cwd if settings.cwd is not None else where.cwd
        self._refuse_what_was_changed(cwd)
        async with run_server(settings.command or "", settings.args, env, cwd) as (read, write, child):
            self._child = child
            yield read, write, child.gone

    def _refuse_what_was_changed(self, cwd: Path) -> None:
        """A server runs outside the sandbox: what it runs must be what the person confirmed, each time it starts.

        Raises:
            McpError: It is not.
        """
        bound = self._where.bound.get(self.name)
        if bound is None:
            return
        from codex_kernel.config.confirmed import REMEDY, programs_of

        now = programs_of((self.settings.command or "", *self.settings.args), cwd)
        if changed := [path for path, digest in now.items() if bound.get(path) != digest]:
            raise McpError(f"{changed[0]} was changed since you trusted it; {REMEDY}")

    def _refused(self, status: int) -> None:
        self._status = status

    def _login(self, headers: Mapping[str, str]) -> Any:
        """The kept login of an HTTP server that has no credential of its own in the settings."""
        if self._where.credentials is None or self.settings.url is None:
            return None
        if any(name.lower() == "authorization" for name in headers):
            return None
        from codex_kernel.mcp_client.oauth import kept_login

        return kept_login(self.name, self.settings.url, self._where.credentials)


async def load_sdk() -> None:
    """The SDK's modules, loaded in a thread: it takes most of a second, in which the loop goes on."""
    for module in ("codex_kernel.mcp_client.sdk", "codex_kernel.mcp_client.stdio", "codex_kernel.mcp_client.http"):
        await asyncio.to_thread(importlib.import_module, module)


def sentence_of(error: BaseException, timed_out: str = "it took too long") -> str:
    """What went wrong, from inside the task groups the SDK wraps around it."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    if isinstance(error, TimeoutError):
        return timed_out
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
