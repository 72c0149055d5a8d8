"""What the server answers: MCP's own methods, the two tools, and the conversation methods.

Every message is handled in the order it came, without waiting: what takes time runs in a task of its own, what a client
has to decide comes back as a message of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from codex_kernel.mcp_server.account import Account, CancelLogin, GetAuthStatus
from codex_kernel.mcp_server.conversations import (
    Conversations,
    OneConversation,
    OneSubscription,
    SendUserMessage,
    SendUserTurn,
)
from codex_kernel.mcp_server.messages import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    Incoming,
    Malformed,
    Notification,
    Request,
    RequestId,
    Response,
    RpcError,
    parse,
)
from codex_kernel.mcp_server.outgoing import Outgoing
from codex_kernel.mcp_server.settings import NewConversation, ServerSettings
from codex_kernel.mcp_server.threads import Threads
from codex_kernel.mcp_server.tool_calls import ToolCalls
from codex_kernel.mcp_server.tool_schemas import TOOLS
from codex_protocol.errors import CodexError
from codex_protocol.version import VERSION

log = logging.getLogger(__name__)

LATEST_REVISION = "2025-11-25"
"""Newest revision of MCP with the `initialize` handshake; what we speak with a client that names none."""

_T = TypeVar("_T")


class _Initialize(msgspec.Struct, frozen=True, rename="camel"):
    protocol_version: str = LATEST_REVISION
    capabilities: dict[str, Any] = {}


class _Call(msgspec.Struct, frozen=True):
    name: str
    arguments: Any = None


class _Cancelled(msgspec.Struct, frozen=True, rename="camel"):
    request_id: RequestId


class _Directory(msgspec.Struct, frozen=True):
    cwd: str


class Server:
    """One client's server. Used on one loop; `feed_line` never blocks."""

    def __init__(
        self, write: Callable[[bytes], None], settings: ServerSettings, threads: Threads | None = None
    ) -> None:
        """Ready for the first line.

        Args:
            write: Takes a line for the client and returns at once, whatever the client does.
            settings: What threads start from.
            threads: Where threads come from; None: the core.
        """
        self._out = Outgoing(write)
        self._threads = threads or Threads()
        self._tasks: set[asyncio.Task[None]] = set()
        self._tools = ToolCalls(self._out, self._threads, settings, self._spawn)
        self._conversations = Conversations(self._out, self._threads, settings, self._spawn)
        self._account = Account(self._out, settings, self._spawn)
        self._initialized = False
        talks, account = self._conversations, self._account
        self._methods: dict[str, Callable[[Request], None]] = {
            "initialize": self._initialize,
            "ping": self._answer(lambda _: {}),
            "tools/list": self._answer(lambda _: {"tools": TOOLS}),
            "tools/call": self._call,
            "newConversation": lambda request: talks.new(request.id, _params(request, NewConversation)),
            "sendUserMessage": self._answer(lambda request: talks.send_message(_params(request, SendUserMessage))),
            "sendUserTurn": self._answer(lambda request: talks.send_turn(_params(request, SendUserTurn))),
            "interruptConversation": lambda request: talks.interrupt(request.id, _params(request, OneConversation)),
            "addConversationListener": self._answer(
                lambda request: talks.add_listener(_params(request, OneConversation))
            ),
            "removeConversationListener": self._answer(
                lambda request: talks.remove_listener(_params(request, OneSubscription))
            ),
            "gitDiffToRemote": self._later(lambda request: _git_diff(_params(request, _Directory))),
            "loginChatGpt": lambda request: account.log_in(request.id),
            "cancelLoginChatGpt": self._answer(lambda request: account.cancel_login(_params(request, CancelLogin))),
            "logoutChatGpt": self._later(lambda _: account.log_out()),
            "getAuthStatus": self._later(lambda request: account.auth_status(_params(request, GetAuthStatus))),
            "getConfigToml": self._later(lambda _: account.config_toml()),
        }

    def feed_line(self, line: bytes) -> None:
        """Take one line from the client."""
        try:
            self._take(parse(line))
        except Exception:  # the outermost frame: one bad message must not end the server
            log.exception("a message could not be handled")

    async def aclose(self) -> None:
        """End everything: running turns are interrupted, their processes ended."""
        await self._threads.aclose()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=1)

    def _take(self, message: Incoming) -> None:
        match message:
            case Request():
                self._handle(message)
            case Notification():
                self._notified(message)
            case Response():
                self._out.answered(message)
            case Malformed(why=why, id=id) if id is not None:
                self._out.error(id, INVALID_REQUEST, f"invalid request: {why}")
            case Malformed(why=why):
                log.warning("a line of the client is passed over: %s", why)

    def _handle(self, request: Request) -> None:
        method = self._methods.get(request.method)
        if method is None:
            self._out.error(request.id, METHOD_NOT_FOUND, f"method not found: {request.method}")
            return
        try:
            method(request)
        except RpcError as error:
            self._out.error(request.id, error.code, str(error))
        except CodexError as error:
            self._out.error(request.id, INTERNAL_ERROR, str(error))
        except Exception as error:  # a client is waiting for its answer
            log.exception("%s failed", request.method)
            self._out.error(request.id, INTERNAL_ERROR, f"internal error: {type(error).__name__}: {error}")

    def _notified(self, notification: Notification) -> None:
        if notification.method != "notifications/cancelled":
            return
        try:
            cancelled = msgspec.convert(notification.params, _Cancelled)
        except msgspec.ValidationError as error:
            log.warning("a cancellation is passed over: %s", error)
            return
        self._tools.cancel(cancelled.request_id)

    def _initialize(self, request: Request) -> None:
        if self._initialized:
            raise RpcError(INVALID_REQUEST, "initialize called more than once")
        asked = _params(request, _Initialize)
        self._initialized = True
        self._tools.can_ask = isinstance(asked.capabilities.get("elicitation"), dict)
        self._out.result(
            request.id,
            {
                "protocolVersion": asked.protocol_version,
                "capabilities": {"tools": {"listChanged": True}},
                "serverInfo": {"name": "codex-mcp-server", "title": "Codex", "version": VERSION},
            },
        )

    def _call(self, request: Request) -> None:
        asked = _params(request, _Call)
        self._tools.call(request, asked.name, asked.arguments)

    def _answer(self, handler: Callable[[Request], Any]) -> Callable[[Request], None]:
        """A method that is answered with what `handler` returns."""

        def method(request: Request) -> None:
            self._out.result(request.id, handler(request))

        return method

    def _later(self, handler: Callable[[Request], Coroutine[Any, Any, Any]]) -> Callable[[Request], None]:
        """A method that takes time, in a task of its own."""

        async def work(request: Request, answer: Coroutine[Any, Any, Any]) -> None:
            try:
                self._out.result(request.id, await answer)
            except RpcError as error:
                self._out.error(request.id, error.code, str(error))

        return lambda request: self._spawn(work(request, handler(request)), request.id)

    def _spawn(self, work: Coroutine[Any, Any, None], id: RequestId | None = None) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, id))

    def _ended(self, task: asyncio.Task[None], id: RequestId | None) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.error("a request failed", exc_info=error)
        if id is not None:
            self._out.error(id, INTERNAL_ERROR, f"internal error: {type(error).__name__}: {error}")


def _params(request: Request, kind: type[_T]) -> _T:
    """A request's parameters.

    Raises:
        RpcError: Missing, or they do not fit; says which field.
    """
    params = request.params
    if not isinstance(params, dict):
        raise RpcError(INVALID_PARAMS, f"{request.method} needs params, an object")
    try:
        return msgspec.convert(cast("dict[str, Any]", params), kind)
    except msgspec.ValidationError as error:
        raise RpcError(INVALID_PARAMS, f"invalid params of {request.method}: {error}") from error


async def _git_diff(asked: _Directory) -> dict[str, Any]:
    from codex_kernel.mcp_server.git_remote import diff_to_remote

    found = await diff_to_remote(Path(asked.cwd))
    if found is None:
        raise RpcError(INVALID_REQUEST, f'failed to compute git diff to remote for cwd: "{asked.cwd}"')
    return {"sha": found.sha, "diff": found.diff}
