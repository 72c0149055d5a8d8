"""Items as they stand in rollouts, of whatever program and version: what can be kept of each is kept."""

from __future__ import annotations

import functools
from typing import Any, cast

import msgspec

from codex_protocol.items import (
    ContentPart,
    InputImage,
    InputText,
    Item,
    KnownItem,
    Message,
    OtherItem,
    OutputText,
    item_from_object,
)


@functools.cache
def _known() -> msgspec.json.Decoder[KnownItem]:
    return msgspec.json.Decoder(KnownItem)


def decode_item(raw: bytes | msgspec.Raw) -> tuple[Item, str | None]:
    """The item in a line's payload, and one sentence about what of it could not be kept.

    A kind we do not know becomes an `OtherItem`; so does a known one that cannot be read, with a notice.

    Raises:
        msgspec.DecodeError: It is no JSON object.
    """
    try:
        return _known().decode(raw), None
    except msgspec.ValidationError:
        fields = msgspec.json.decode(raw, type=dict[str, Any])
    try:
        return item_from_object(fields), None  # an OtherItem, as the kind is not known
    except msgspec.ValidationError as error:
        if fields.get("type") == "message" and (message := _readable_part(fields)) is not None:
            return message, "A message has parts of a kind this version does not know; they were left out."
        return OtherItem(fields), f"An item of kind {fields.get('type')!r} could not be read: {error}."


def _readable_part(fields: dict[str, Any]) -> Message | None:
    """The message without the parts that cannot be read; None when nothing is left."""
    role, content = fields.get("role"), fields.get("content")
    if not isinstance(role, str) or not isinstance(content, list):
        return None
    parts = [part for each in cast("list[Any]", content) if (part := _part(each, role)) is not None]
    return Message(role=role, content=tuple(parts)) if parts else None


def _part(raw: Any, role: str) -> ContentPart | None:
    if not isinstance(raw, dict):
        return None
    fields = cast("dict[str, Any]", raw)
    match fields:
        case {"type": "input_image", "image_url": str(url)}:
            return InputImage(url)
        case {"text": str(text)}:
            return OutputText(text) if role == "assistant" else InputText(text)
        case _:
            return None
