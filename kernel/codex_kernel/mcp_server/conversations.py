"""The conversation methods: threads a client drives message by message, and tells who listens.

Every listener gets every event; what happened before the first one came is kept for it. Approvals are put to the client
whether anybody listens or not. Source: spec/mcp.md B6.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from codex_kernel.mcp_server.approvals import OpenQuestions, as_conversation_request
from codex_kernel.mcp_server.messages import INTERNAL_ERROR, INVALID_REQUEST, RequestId, RpcError
from codex_kernel.mcp_server.older_events import older
from codex_kernel.mcp_server.outgoing import Outgoing
from codex_kernel.mcp_server.settings import NewConversation, ServerSettings, config_for
from codex_kernel.mcp_server.threads import ServedThread, Spawn, Threads
from codex_protocol.errors import CodexError, ConfigError, ThreadError, UsageError
from codex_protocol.events import (
    ApplyPatchApprovalRequest,
    ApprovalResolved,
    ExecApprovalRequest,
    McpApprovalRequest,
    NumberedEvent,
    SessionConfigured,
    TaskComplete,
    TurnAborted,
)
from codex_protocol.ops import ImageInput, Interrupt, LocalImageInput, Op, TextInput, UserInput, UserInputItem, UserTurn
from codex_protocol.policy import ApprovalPolicy, Effort, SandboxPolicy, Summary


class _Text(msgspec.Struct, frozen=True):
    text: str


class _Image(msgspec.Struct, frozen=True):
    image_url: str


class _LocalImage(msgspec.Struct, frozen=True):
    path: str


class _TextItem(msgspec.Struct, frozen=True, tag="text"):
    data: _Text


class _ImageItem(msgspec.Struct, frozen=True, tag="image"):
    data: _Image


class _LocalImageItem(msgspec.Struct, frozen=True, tag="localImage"):
    data: _LocalImage


Items = tuple[_TextItem | _ImageItem | _LocalImageItem, ...]


class SendUserMessage(msgspec.Struct, frozen=True, rename="camel"):
    """Parameters of `sendUserMessage`."""

    conversation_id: str
    items: Items


class SendUserTurn(msgspec.Struct, frozen=True, rename="camel"):
    """Parameters of `sendUserTurn`; `effort` may be null, as clients of models that do not reason send it."""

    conversation_id: str
    items: Items
    cwd: str
    approval_policy: ApprovalPolicy
    sandbox_policy: SandboxPolicy
    model: str
    summary: Summary
    effort: Effort | None = None


class OneConversation(msgspec.Struct, frozen=True, rename="camel"):
    """Parameters of the methods that only name a conversation."""

    conversation_id: str


class OneSubscription(msgspec.Struct, frozen=True, rename="camel"):
    """Parameters of `removeConversationListener`."""

    subscription_id: str


class Conversations:
    """Answers the conversation methods."""

    def __init__(self, out: Outgoing, threads: Threads, settings: ServerSettings, spawn: Spawn) -> None:
        self._out = out
        self._threads = threads
        self._settings = settings
        self._spawn = spawn
        self._open: dict[str, _Conversation] = {}
        self._listened: dict[str, _Conversation] = {}
        """By subscription id."""

    def new(self, id: RequestId, params: NewConversation) -> None:
        """Start a thread; its answer names it."""
        self._spawn(self._new(id, params), id)

    async def _new(self, id: RequestId, params: NewConversation) -> None:
        try:
            config = await asyncio.to_thread(config_for, self._settings, params)
            thread = await self._threads.start(config, can_ask=True)
        except (ConfigError, UsageError) as error:
            self._out.error(id, INVALID_REQUEST, f"error deriving config: {error}")
        except CodexError as error:
            self._out.error(id, INTERNAL_ERROR, f"error creating conversation: {error}")
        else:
            conversation = self._open[thread.id] = _Conversation(thread, self._out)
            self._out.result(id, {"conversationId": thread.id, "model": conversation.model})

    def send_message(self, params: SendUserMessage) -> dict[str, Any]:
        """Start a turn, or join the running one."""
        self._find(params.conversation_id).submit(UserInput(items=_plain(params.items)))
        return {}

    def send_turn(self, params: SendUserTurn) -> dict[str, Any]:
        """Start a turn with settings of its own."""
        turn = UserTurn(
            items=_plain(params.items),
            cwd=params.cwd,
            approval_policy=params.approval_policy,
            sandbox_policy=params.sandbox_policy,
            model=params.model,
            effort=params.effort,
            summary=params.summary,
        )
        self._find(params.conversation_id).submit(turn)
        return {}

    def interrupt(self, id: RequestId, params: OneConversation) -> None:
        """Stop the running turn; answered when it has stopped, at once when none runs."""
        self._find(params.conversation_id).interrupt(id)

    def add_listener(self, params: OneConversation) -> dict[str, Any]:
        """Tell the client of the conversation's events from now on."""
        conversation = self._find(params.conversation_id)
        subscription = str(uuid.uuid4())
        self._listened[subscription] = conversation
        self._spawn(_soon(conversation.listen, subscription), None)  # the answer goes first
        return {"subscriptionId": subscription}

    def remove_listener(self, params: OneSubscription) -> dict[str, Any]:
        """No longer."""
        conversation = self._listened.pop(params.subscription_id, None)
        if conversation is None:
            raise RpcError(INVALID_REQUEST, f"subscription not found: {params.subscription_id}")
        conversation.listeners.discard(params.subscription_id)
        return {}

    def _find(self, id: str) -> _Conversation:
        conversation = self._open.get(id)
        if conversation is None:
            raise RpcError(INVALID_REQUEST, f"conversation not found: {id}")
        return conversation


class _Conversation:
    """One thread and who listens to it."""

    def __init__(self, thread: ServedThread, out: Outgoing) -> None:
        self.model = ""
        self.listeners: set[str] = set()
        self._thread = thread
        self._out = out
        self._missed: list[dict[str, Any]] | None = []
        """What happened before the first listener came; None afterwards."""
        self._interrupts: list[RequestId] = []
        self._questions = OpenQuestions(out, self._answer)
        thread.subscribe(self._on_event)

    def submit(self, op: Op) -> None:
        """Hand an op to the thread.

        Raises:
            RpcError: It has ended.
        """
        try:
            self._thread.submit(op)
        except ThreadError as error:
            raise RpcError(INTERNAL_ERROR, str(error)) from error

    def interrupt(self, id: RequestId) -> None:
        """Stop the turn and answer `id` when it has."""
        self.submit(Interrupt())
        if self._thread.busy:
            self._interrupts.append(id)
        else:
            self._out.result(id, {"abortReason": "interrupted"})

    def listen(self, subscription: str) -> None:
        """One more listener; the first is told what it missed."""
        self.listeners.add(subscription)
        missed, self._missed = self._missed, None
        for params in missed or ():
            self._notify(params)

    def _answer(self, op: Op) -> None:
        try:
            self._thread.submit(op)
        except ThreadError:
            return  # it has ended: there is nothing to answer

    def _on_event(self, numbered: NumberedEvent) -> None:
        event = numbered.event
        msg = event.msg
        if isinstance(msg, SessionConfigured):
            self.model = msg.model  # told by the answer to `newConversation`
            return
        self._tell(event.id, older(msg))
        match msg:
            case ExecApprovalRequest() | ApplyPatchApprovalRequest() | McpApprovalRequest():
                self._questions.put(msg, as_conversation_request(msg, self._thread.id))
            case ApprovalResolved(approval_id=approval_id):
                self._questions.settled(approval_id)
            case TurnAborted(reason=reason):
                self._stopped(reason)
            case TaskComplete():
                self._stopped("interrupted")
            case _:
                return

    def _stopped(self, reason: str) -> None:
        interrupts, self._interrupts = self._interrupts, []
        for id in interrupts:
            self._out.result(id, {"abortReason": reason})

    def _tell(self, id: str, msg: dict[str, Any] | None) -> None:
        if msg is None:
            return
        params = {"id": id, "msg": msg, "conversationId": self._thread.id}
        if self._missed is not None:
            self._missed.append(params)
        elif self.listeners:
            self._notify(params)

    def _notify(self, params: dict[str, Any]) -> None:
        """Tell the client once: all listeners are its own, and the notification names none of them."""
        self._out.notify(f"codex/event/{params['msg']['type']}", params)


def _plain(items: Items) -> tuple[UserInputItem, ...]:
    plain: list[UserInputItem] = []
    for item in items:
        match item:
            case _TextItem(data=text):
                plain.append(TextInput(text.text))
            case _ImageItem(data=image):
                plain.append(ImageInput(image.image_url))
            case _LocalImageItem(data=image):
                plain.append(LocalImageInput(image.path))
    return tuple(plain)


async def _soon(act: Callable[[str], None], subscription: str) -> None:
    act(subscription)
