"""JSON-RPC 2.0 as MCP frames it on stdio: one object a line; what came in, told apart, and what goes out, encoded.

Source: spec/mcp.md, "Framing everywhere".
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from codex_protocol.sound_json import encode_json

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

RequestId = str | int


class Request(msgspec.Struct, frozen=True):
    """The client asks, and waits for the answer of this id."""

    id: RequestId
    method: str
    params: Any


class Notification(msgspec.Struct, frozen=True):
    """The client tells."""

    method: str
    params: Any


class Response(msgspec.Struct, frozen=True):
    """The client answers a request of ours; `error` is None when `result` counts."""

    id: RequestId
    result: Any
    error: Any


class Malformed(msgspec.Struct, frozen=True):
    """A line that is none of these; `id` is there when somebody may be waiting for an answer."""

    why: str
    id: RequestId | None = None


Incoming = Request | Notification | Response | Malformed


class RpcError(Exception):
    """A request that is answered with an error; raised by handlers.

    Attributes:
        code: One of the numbers above.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse(line: bytes) -> Incoming:
    """What a line holds; nothing is raised, whatever it is."""
    try:
        raw = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Malformed(f"not JSON: {error}")
    if not isinstance(raw, dict):
        return Malformed("a message is one JSON object; batches are not part of MCP any more")
    fields = cast("dict[str, Any]", raw)
    id, method = fields.get("id"), fields.get("method")
    known_id = id if isinstance(id, str | int) and not isinstance(id, bool) else None
    if method is None:
        if known_id is None or not ({"result", "error"} & set(fields)):
            return Malformed("neither a request nor an answer", known_id)
        return Response(known_id, fields.get("result"), fields.get("error"))
    if not isinstance(method, str):
        return Malformed("the method is not a string", known_id)
    params = fields.get("params")
    if "id" not in fields:
        return Notification(method, params)
    if known_id is None:
        return Malformed("the id is neither a string nor an integer")
    return Request(known_id, method, params)


def encode_result(id: RequestId, result: Any) -> bytes:
    """A request answered, as a line."""
    return _line({"jsonrpc": "2.0", "id": id, "result": result})


def encode_error(id: RequestId, code: int, message: str) -> bytes:
    """A request refused, as a line."""
    return _line({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})


def encode_request(id: int, method: str, params: Any) -> bytes:
    """A request of ours, as a line."""
    return _line({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


def encode_notification(method: str, params: Any) -> bytes:
    """A notification, as a line."""
    return _line({"jsonrpc": "2.0", "method": method, "params": params})


def _line(message: dict[str, Any]) -> bytes:
    return encode_json(message) + b"\n"
