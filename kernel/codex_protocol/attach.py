"""How a rich client and an agent that is a Jupyter kernel talk: one vocabulary over two routes.

Requests and replies are JSON objects with a `type`. Routes:

- **control channel** (`KernelClient`, our page): send a message of type `codex_request` whose content is a request; the
  answer is a `codex_reply` on the same channel whose content is a reply. Events come on iopub as `codex_event`
  messages, one for all clients that are attached by this route; their content is what `event_content` makes.
- **comm** (front ends that have nothing but comms): open a comm with target `codex.thread` and a request as its `data`;
  every further request, reply and event is the `data` of a `comm_msg`. Replies carry the request's `ref`.

Order: subscribe to iopub, attach, then apply `Attached.replay` (or the snapshot), then every event with `n > last`.
Events may arrive before the reply that a client waits for: keep them, drop those with `n <= last`. When an event's `n`
is not the successor of the last one seen, send `Replay` with the position of the last one seen. Another `boot` means a
new agent process or a new thread in it: send `Replay` too; the answer is a snapshot.
"""

from __future__ import annotations

from typing import Any

import msgspec

from codex_protocol.errors import UsageError
from codex_protocol.events import (
    EVENT_KINDS,
    ApprovalRequest,
    Event,
    NumberedEvent,
    PlanStep,
    SessionConfigured,
    TurnContextChanged,
)
from codex_protocol.ops import Op
from codex_protocol.parsed_commands import ParsedCommand
from codex_protocol.token_usage import TokenUsage

PROTOCOL_VERSION = 1
COMM_TARGET = "codex.thread"
REQUEST_TYPE = "codex_request"
REPLY_TYPE = "codex_reply"
EVENT_TYPE = "codex_event"


def presence_topic(client: str) -> bytes:
    """Subscribe the iopub socket to this too: the kernel then notices when the client dies without a word."""
    return b"codex-client:" + client.encode()


class Position(msgspec.Struct, frozen=True):
    """The last event a client has seen."""

    boot: str
    n: int


class _Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    ref: str | None = None
    """Handed back in the reply; the control channel does not need it."""


class Attach(_Request, tag="attach", frozen=True, kw_only=True):
    """Take part in the thread, which is opened if it is not; answered by `Attached`.

    Asking again under the same client name replaces the earlier attachment.
    """

    protocol_version: int = PROTOCOL_VERSION
    client: str
    """Unique among the thread's clients, as `page-3f2a`; what stands before the first `-` is said to people."""
    since: Position | None = None
    can_answer: bool = True
    """Approvals can be offered to it."""
    answers_servers: bool = False
    """It shows what MCP servers ask the user (`elicitation_request`) and answers by op."""


class Detach(_Request, tag="detach", frozen=True, kw_only=True):
    """Take part no longer; answered by `Done`. Closing the comm says the same."""

    client: str


class Submit(_Request, tag="submit", frozen=True, kw_only=True):
    """Hand an op to the thread; answered by `Accepted`."""

    op: Op
    id: str | None = None
    """What its events shall carry; None: the thread's next number."""


class Replay(_Request, tag="replay", frozen=True, kw_only=True):
    """A gap was seen: what came after `since`? Answered by `Attached`."""

    client: str
    since: Position | None = None


class Query(_Request, tag="query", frozen=True, kw_only=True):
    """A question beside the thread, answered by `Result`. Names: `codex_kernel/jupyter/queries.py`.

    A newer query of the same name by the same client makes an older one that still runs pointless: that is refused.
    """

    name: str
    arguments: dict[str, Any] = {}
    client: str = ""


class NewThread(_Request, tag="new_thread", frozen=True, kw_only=True):
    """Leave the thread and open another one in this kernel; answered by `Done`. Other clients see another `boot`."""

    resume: str | None = None
    """Id or name of a stored thread; None: a new one."""
    fork: str | None = None


Request = Attach | Detach | Submit | Replay | Query | NewThread


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The thread as it stands, for who cannot be brought up to date by events alone."""

    configured: SessionConfigured
    settings: TurnContextChanged
    """Of the next turn."""
    items: tuple[dict[str, Any], ...]
    """What was said and done before `events`, as JSON objects of `codex_protocol.items`, oldest first."""
    parsed: dict[str, tuple[ParsedCommand, ...]] = {}
    """What the commands among them do, by the id of their call."""
    events: tuple[dict[str, Any], ...]
    """The events since, as `event_content` makes them."""
    usage: TokenUsage = TokenUsage()
    plan: tuple[PlanStep, ...] = ()
    name: str | None = None
    pending: tuple[ApprovalRequest, ...] = ()
    """Open questions, oldest first."""


class _Reply(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    ref: str | None = None


class Attached(_Reply, tag="attached", frozen=True, kw_only=True):
    """The client is up to date with this: everything after `last` comes as events."""

    protocol_version: int = PROTOCOL_VERSION
    agent_version: str = ""
    thread_id: str
    boot: str
    last: int
    busy: bool = False
    """A turn runs."""
    replay: tuple[dict[str, Any], ...] = ()
    """What came after `since`, as `event_content` makes it; empty when there is a snapshot."""
    snapshot: Snapshot | None = None


class Accepted(_Reply, tag="accepted", frozen=True, kw_only=True):
    """The thread has the op; its events carry `id`."""

    id: str


class Result(_Reply, tag="result", frozen=True, kw_only=True):
    """The answer to a query; its form depends on the query's name."""

    value: Any = None


class Done(_Reply, tag="done", frozen=True, kw_only=True):
    """It is done."""


class Refused(_Reply, tag="refused", frozen=True, kw_only=True):
    """It was not done; `message` is one sentence for a person."""

    message: str
    reason: str = "error"
    """`version`: the client speaks another version; `usage`: the request is malformed; `superseded`; `ended`: the agent
    ends and the thread's next one may be asked the same; else `error`."""


Reply = Attached | Accepted | Result | Done | Refused


_request = msgspec.json.Decoder(Request)


def decode_request(content: bytes | dict[str, Any]) -> Request:
    """The request in a message's content.

    Raises:
        UsageError: It is none; says why.
    """
    try:
        if isinstance(content, bytes):
            return _request.decode(content)
        return msgspec.convert(content, Request)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"not a valid request to the agent: {error}") from error


def read_reply(content: dict[str, Any]) -> Reply:
    """The reply in a message's content.

    Raises:
        UsageError: It is none this version knows.
    """
    try:
        return msgspec.convert(content, Reply)
    except msgspec.ValidationError as error:
        raise UsageError(f"the agent's reply was not understood ({error}); restart this thread") from error


def event_content(numbered: NumberedEvent) -> dict[str, Any]:
    """A numbered event as the content of a message: `{"type": "event", "boot", "n", "id", "msg"}`."""
    event = numbered.event
    msg = msgspec.to_builtins(event.msg)
    return {"type": "event", "boot": numbered.boot, "n": numbered.n, "id": event.id, "msg": msg}


def position_of(content: dict[str, Any]) -> Position:
    """Where an event stands, also one of a kind this version does not know.

    Raises:
        UsageError: The content is no event.
    """
    try:
        return msgspec.convert({"boot": content.get("boot"), "n": content.get("n")}, Position)
    except msgspec.ValidationError as error:
        raise UsageError(f"the agent's event was not understood: {error}") from error


def read_event(content: dict[str, Any]) -> NumberedEvent | None:
    """The event in a message's content; None when its kind is one this version does not know.

    Raises:
        UsageError: A known kind with missing or mistyped fields.
    """
    at = position_of(content)
    msg = content.get("msg")
    try:
        event = msgspec.convert({"id": content.get("id", ""), "msg": msg}, Event)
    except msgspec.ValidationError as error:
        if isinstance(msg, dict) and msg.get("type") not in EVENT_KINDS:  # pyright: ignore[reportUnknownMemberType]
            return None
        raise UsageError(f"the agent's event was not understood: {error}") from error
    return NumberedEvent(at.boot, at.n, event)
