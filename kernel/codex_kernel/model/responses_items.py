"""Output items of the Responses API, also in the forms that other servers and proxies give them.

Source: spec/model-api.md section 2; LiteLLM's bridge sends reasoning items without a summary and with message parts.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from codex_kernel.model.answer import garbled
from codex_protocol.items import (
    Item,
    PlainReasoningText,
    Reasoning,
    ReasoningText,
    SummaryText,
    item_from_object,
)
from codex_protocol.sound_json import encode_json


def read_item(fields: dict[str, Any], data: bytes) -> Item:
    """The item that an object of a stream stands for.

    Args:
        fields: The decoded object; changed where its form is not the API's.
        data: The event it came in, for the error.

    Raises:
        StreamClosed: A known kind with missing or mistyped fields.
    """
    match fields.get("type"):
        case "reasoning":
            return _reasoning(fields)
        case "message":
            fields["content"] = _message_parts(fields.get("content"))
            fields.setdefault("role", "assistant")
        case "function_call":
            if isinstance(fields.get("arguments"), dict):  # some servers send the object itself
                fields["arguments"] = encode_json(fields["arguments"]).decode()
            fields["call_id"] = fields.get("call_id") or ""  # it will be given one
        case _:
            pass
    try:
        return item_from_object(fields)
    except (msgspec.ValidationError, RecursionError):
        raise garbled(data) from None


def _reasoning(fields: dict[str, Any]) -> Reasoning:
    """What can be read of a reasoning item: proxies make them up in many forms, and no answer is lost for a thought."""
    item_id, encrypted = fields.get("id"), fields.get("encrypted_content")
    content = [
        PlainReasoningText(part["text"]) if part.get("type") == "text" else ReasoningText(part["text"])
        for part in _texts(fields.get("content"))
    ]
    return Reasoning(
        id=item_id if isinstance(item_id, str) else "",
        summary=tuple(SummaryText(part["text"]) for part in _texts(fields.get("summary"))),
        content=tuple(content) or None,
        encrypted_content=encrypted if isinstance(encrypted, str) else None,
    )


def _texts(parts: Any) -> list[dict[str, Any]]:
    """The parts that hold a text."""
    found = cast("list[Any]", parts) if isinstance(parts, list) else []
    objects = cast("list[dict[str, Any]]", [part for part in found if isinstance(part, dict)])
    return [part for part in objects if isinstance(part.get("text"), str)]


def _message_parts(content: Any) -> Any:
    if isinstance(content, str):
        return [{"type": "output_text", "text": content}]
    if not isinstance(content, list):
        return [] if content is None else content
    known = [_known_part(part) for part in cast("list[Any]", content)]
    return [part for part in known if part is not None]


def _known_part(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    fields = cast("dict[str, Any]", part)
    match fields.get("type"):
        case "refusal":
            return {"type": "output_text", "text": fields.get("refusal")}
        case "text":
            return {"type": "output_text", "text": fields.get("text")}
        case "input_text" | "output_text" | "input_image":
            return fields
        case _:
            return None
