"""Clients that speak ops and events, attached over the control channel or a comm: told everything once, in order."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from codex_kernel.jupyter.agent import Agent
from codex_kernel.jupyter.channels import Channels
from codex_kernel.jupyter.snapshots import Snapshots
from codex_protocol.attach import (
    EVENT_TYPE,
    PROTOCOL_VERSION,
    Accepted,
    Attach,
    Attached,
    Detach,
    Done,
    NewThread,
    Query,
    Refused,
    Replay,
    Reply,
    Request,
    Result,
    Submit,
    decode_request,
    event_content,
    presence_topic,
)
from codex_protocol.errors import CodexError, ThreadEnded, UsageError
from codex_protocol.events import NumberedEvent
from codex_protocol.version import VERSION

log = logging.getLogger(__name__)

Answer = Callable[[Query], Awaitable[Any]]


class Client(msgspec.Struct, eq=False):
    """Somebody attached."""

    name: str
    comm_id: str | None
    """None: by the control channel."""
    can_answer: bool


class RichClients:
    """Who is attached, and the answers to their requests."""

    def __init__(self, agent: Agent, channels: Channels) -> None:
        """Hear the agent's events from now on."""
        self._agent = agent
        self._channels = channels
        self._clients: dict[str, Client] = {}
        self._snapshots = Snapshots(agent)
        self.ever = False
        """Whether one that can answer was ever attached: approvals then wait for its return."""
        self.on_change: Callable[[], None] = lambda: None
        """Called when one came or went."""
        self.answer_query: Answer = _no_queries
        agent.listen(self._tell)

    def __len__(self) -> int:
        return len(self._clients)

    def comm_ids(self) -> tuple[str, ...]:
        """The comms by which clients are attached."""
        return tuple(client.comm_id for client in self._clients.values() if client.comm_id is not None)

    def can_answer(self) -> bool:
        """Whether one of them can be offered an approval."""
        return any(client.can_answer for client in self._clients.values())

    async def take(self, content: dict[str, Any], comm_id: str | None = None) -> Reply:
        """The reply to a request; never raises what is the client's own mistake."""
        ref = content.get("ref")
        ref = ref if isinstance(ref, str) else None
        try:
            if (refused := _other_version(content)) is not None:
                return msgspec.structs.replace(refused, ref=ref)
            reply = await self._do(decode_request(content), comm_id)
        except UsageError as error:
            reply = Refused(message=str(error), reason="usage")
        except ThreadEnded as error:
            reply = Refused(message=str(error), reason="ended")
        except CodexError as error:
            superseded = type(error).__name__ == "Superseded"
            reply = Refused(message=str(error), reason="superseded" if superseded else "error")
        except Exception as error:  # a client waits for its reply
            log.exception("a request failed")
            reply = Refused(message=f"internal error: {type(error).__name__}: {error}")
        return msgspec.structs.replace(reply, ref=ref)

    def close_comm(self, comm_id: str) -> None:
        """The comm is closed: its client has left."""
        for client in tuple(self._clients.values()):
            if client.comm_id == comm_id:
                self._leave(client.name)

    def topic_left(self, topic: bytes) -> None:
        """A client that had subscribed to its presence topic has gone, in whatever way."""
        for client in tuple(self._clients.values()):
            if presence_topic(client.name) == topic:
                self._leave(client.name)

    async def _do(self, request: Request, comm_id: str | None) -> Reply:
        match request:
            case Attach():
                return await self._attach(request, comm_id)
            case Detach():
                self._leave(request.client)
                return Done()
            case Replay():
                return await self._snapshots.since(request.since)
            case Submit():
                return Accepted(id=await self._agent.submit(request.op, request.id))
            case Query():
                return Result(value=await self.answer_query(request))
            case NewThread():
                await self._agent.replace(resume=request.resume, fork=request.fork)
                return Done()

    async def _attach(self, request: Attach, comm_id: str | None) -> Attached:
        thread = await self._agent.thread()
        attached = await self._snapshots.since(request.since)
        # Nothing awaits between the snapshot's last event and this: no event is missed, none comes twice.
        self._clients[request.client] = Client(request.client, comm_id, request.can_answer)
        self.ever = self.ever or request.can_answer
        if request.can_answer:
            thread.can_ask = True
        if request.answers_servers:
            thread.answers_servers()
        self.on_change()
        return msgspec.structs.replace(attached, agent_version=VERSION)

    def _leave(self, name: str) -> None:
        if self._clients.pop(name, None) is not None:
            self.on_change()

    def _tell(self, numbered: NumberedEvent) -> None:
        if not self._clients:
            return
        content = event_content(numbered)
        on_control = False
        for client in self._clients.values():
            if client.comm_id is None:
                on_control = True
            else:
                self._channels.publish("comm_msg", {"comm_id": client.comm_id, "data": content})
        if on_control:
            self._channels.publish(EVENT_TYPE, content)


def _other_version(content: dict[str, Any]) -> Refused | None:
    """Checked before everything else: what another version sends may not be readable at all."""
    theirs = content.get("protocol_version", PROTOCOL_VERSION)
    if content.get("type") != "attach" or theirs == PROTOCOL_VERSION:
        return None
    return Refused(
        message=f"this thread's agent speaks protocol version {PROTOCOL_VERSION} (release {VERSION}) and the client "
        f"version {theirs}; restart this thread to go on with it",
        reason="version",
    )


async def _no_queries(query: Query) -> Any:
    raise UsageError(f"there is no query {query.name!r}")
