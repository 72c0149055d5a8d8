"""What a scripted model server answers: one `Reply` a request, made by the functions below or read from JSON.

A script in a file is a list of objects with the fields of `Reply`; `text` is short for one assistant message.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

_ids = itertools.count(1)

DEFAULT_USAGE: Mapping[str, Any] = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 40},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 120,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Reply:
    """One answer: a stream of items, an HTTP error, or bytes as they are; optionally slow, cut or held."""

    items: Sequence[Mapping[str, Any]] = ()
    """Responses output items, whole; the Chat Completions wire is made from the same ones."""
    delta_chars: int = 0
    """Texts and call arguments are streamed first, in pieces of so many characters; 0: no deltas."""
    usage: Mapping[str, Any] | None = field(default_factory=lambda: DEFAULT_USAGE)
    """As `response.completed` reports it; None: not reported."""
    events: Sequence[Mapping[str, Any] | str] | None = None
    """The whole stream, event by event, instead of `items`; a string goes out as it is after `data: `."""
    complete: bool = True
    """False: the stream ends (cleanly) without its last events."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """The body as it is, instead of everything above."""

    chunk_bytes: int | None = 8192
    """Bytes in one write to the socket; None: one write an event."""
    delay_s: float = 0
    """Before the status line."""
    event_delay_s: float = 0
    """Before every event; implies `chunk_bytes=None`."""
    cut_after_bytes: int | None = None
    """The connection is closed after so many bytes of the body."""
    reset: bool = False
    """A cut is a TCP reset rather than an orderly close."""
    hold_after_events: int | None = None
    """After so many events the server waits for `release`; implies `chunk_bytes=None`."""
    held: Event = field(default_factory=Event)
    """Set when the server has come to the hold."""
    release: Event = field(default_factory=Event)
    """Set by the test to let a held stream go on."""

    def but(self, **changes: Any) -> Reply:
        """The same with other fields, and events of its own."""
        return replace(self, **{"held": Event(), "release": Event(), **changes})


def message(text: str, *, phase: str | None = None) -> dict[str, Any]:
    """An assistant message item."""
    item: dict[str, Any] = {
        "type": "message",
        "id": f"msg_{next(_ids)}",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }
    return {**item, "phase": phase} if phase else item


def reasoning(summary: str, *, encrypted: str | None = "opaque") -> dict[str, Any]:
    """A reasoning item with one summary part."""
    return {
        "type": "reasoning",
        "id": f"rs_{next(_ids)}",
        "summary": [{"type": "summary_text", "text": summary}],
        "encrypted_content": encrypted,
    }


def function_call(name: str, arguments: Mapping[str, Any] | str, *, call_id: str | None = None) -> dict[str, Any]:
    """A function call item; a string goes out as the arguments as it is."""
    number = next(_ids)
    return {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": call_id or f"call_{number}",
        "name": name,
        "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments),
        "status": "completed",
    }


def custom_call(name: str, text: str, *, call_id: str | None = None) -> dict[str, Any]:
    """A freeform tool call item."""
    number = next(_ids)
    return {
        "type": "custom_tool_call",
        "id": f"ctc_{number}",
        "call_id": call_id or f"call_{number}",
        "name": name,
        "input": text,
        "status": "completed",
    }


def says(text: str, **fields: Any) -> Reply:
    """One assistant message; the turn ends with it."""
    return Reply(items=[message(text)], **fields)


def calls(name: str, arguments: Mapping[str, Any] | str, *, call_id: str | None = None, **fields: Any) -> Reply:
    """One function call."""
    return Reply(items=[function_call(name, arguments, call_id=call_id)], **fields)


def patches(patch: str, *, call_id: str | None = None, **fields: Any) -> Reply:
    """One freeform `apply_patch` call."""
    return Reply(items=[custom_call("apply_patch", patch, call_id=call_id)], **fields)


def fails(status: int, body: Mapping[str, Any] | str = "", **fields: Any) -> Reply:
    """An HTTP error; an object goes out as JSON."""
    encoded = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Reply(status=status, body=encoded, **fields)


def reply_from_object(raw: Mapping[str, Any]) -> Reply:
    """A reply read from a script file; `body` may be text or an object, `body_base64` any bytes."""
    fields = dict(raw)
    if (text := fields.pop("text", None)) is not None:
        fields["items"] = [*fields.get("items", ()), message(text)]
    if (encoded := fields.pop("body_base64", None)) is not None:
        fields["body"] = base64.b64decode(encoded)
    elif (body := fields.get("body")) is not None:
        fields["body"] = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Reply(**fields)


def read_script(path: Path) -> list[Reply]:
    """The script in a JSON file."""
    return [reply_from_object(raw) for raw in json.loads(path.read_text("utf-8"))]
