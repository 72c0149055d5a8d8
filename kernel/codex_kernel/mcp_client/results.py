"""What a tool call came to: what the model reads, and what events tell people.

Source: spec/mcp.md A7. Images become images. What is long is cut in the middle, with a mark, for the model and for
people alike: a server cannot fill anybody's memory.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from codex_kernel.tools.truncation import HeadTail, middle_cut
from codex_protocol.items import ContentPart, InputImage, InputText

Result = dict[str, Any]
"""A `CallToolResult` as JSON."""

MAX_TOKENS = 10_000
"""Of text the model reads of one result."""
MAX_SHOWN_BYTES = 64 * 1024
"""Of one text that events carry."""
MAX_IMAGE_CHARS = 20 * 1024 * 1024
_IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})

_encoder = msgspec.json.Encoder()


def for_model(result: Result) -> str | tuple[ContentPart, ...]:
    """What the model reads: structured content where there is some, else the content blocks; as compact JSON."""
    structured = result.get("structuredContent")
    blocks = _blocks(result)
    images = [image for block in blocks if (image := _image(block)) is not None]
    if structured is not None:
        text = _json(structured)
    elif images:
        text = _json([block for block in blocks if _image(block) is None]) if len(images) < len(blocks) else ""
    else:
        text = _json(blocks)
    text = _cut(text)
    if not images:
        return text
    return (InputText(text), *images) if text else tuple(images)


def failed(result: Result) -> bool:
    """Whether the server says that the call failed."""
    return result.get("isError") is True


def for_event(result: Result) -> Result:
    """The result as events carry it: the same, long texts cut, large binary data left out."""
    shown: Result = {**result, "content": [_shown(block) for block in _blocks(result)]}
    structured = result.get("structuredContent")
    if structured is not None and len(_encoder.encode(structured)) > MAX_SHOWN_BYTES:
        shown["structuredContent"] = {"omitted": "the structured content is too long to be shown"}
    shown.pop("resultType", None)
    shown.pop("_meta", None)
    return shown


def _blocks(result: Result) -> list[dict[str, Any]]:
    content = result.get("content")
    if not isinstance(content, list):
        return []
    return [cast("dict[str, Any]", block) for block in cast("list[Any]", content) if isinstance(block, dict)]


def _image(block: dict[str, Any]) -> InputImage | None:
    data, mime = block.get("data"), block.get("mimeType")
    if block.get("type") != "image" or mime not in _IMAGE_TYPES or not isinstance(data, str):
        return None
    return InputImage(f"data:{mime};base64,{data}") if len(data) <= MAX_IMAGE_CHARS else None


def _shown(block: dict[str, Any]) -> dict[str, Any]:
    shown = dict(block)
    for key in ("text", "data", "blob"):
        value = shown.get(key)
        if isinstance(value, str) and len(value) > MAX_SHOWN_BYTES:
            shown[key] = _cut(value, MAX_SHOWN_BYTES // 4) if key == "text" else ""
    inner = shown.get("resource")
    if isinstance(inner, dict):
        shown["resource"] = _shown(cast("dict[str, Any]", inner))
    return shown


def _json(value: Any) -> str:
    return _encoder.encode(value).decode("utf-8")


def _cut(text: str, max_tokens: int = MAX_TOKENS) -> str:
    if len(text) <= max_tokens:
        return text
    data = HeadTail(max_tokens * 4, max_tokens * 4)
    data.feed(text.encode("utf-8", "replace"))
    return middle_cut(data, max_tokens)
