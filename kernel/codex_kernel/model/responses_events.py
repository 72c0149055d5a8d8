"""Answers of the Responses API: an event's data becomes an event, and a reader knows when the answer is whole.

Source: spec/model-api.md section 3.
"""

# Annotations are no strings here: msgspec would have to read them back, in every start.

from collections.abc import Iterator, Sequence
from typing import Any, cast

import msgspec

from codex_kernel.model.answer import AcceptedItems, count, cut_short, decode_leniently, garbled
from codex_kernel.model.interface import (
    Completed,
    Created,
    ItemDone,
    RawReasoningDelta,
    ReasoningDelta,
    ReasoningPartAdded,
    ResponseEvent,
    TextDelta,
    WebSearchStarted,
)
from codex_protocol.errors import ModelError, StreamClosed
from codex_protocol.items import Item, Message, item_from_object
from codex_protocol.token_usage import TokenUsage

_encoder = msgspec.json.Encoder()


class _Wire(msgspec.Struct):
    type: str = ""
    delta: Any = None
    item: msgspec.Raw = msgspec.Raw(b"")
    response: msgspec.Raw = msgspec.Raw(b"")


_decode = msgspec.json.Decoder(_Wire).decode
_DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_DELTAS = {
    "response.output_text.delta": TextDelta,
    "response.refusal.delta": TextDelta,
    "response.reasoning_summary_text.delta": ReasoningDelta,
    "response.reasoning_text.delta": RawReasoningDelta,
}
_CREATED = Created()
_PART_ADDED = ReasoningPartAdded()


class _Finished(msgspec.Struct, frozen=True):
    """The response's last event, with the items it repeats."""

    completed: Completed
    output: tuple[Item, ...]


def parse_event(data: bytes) -> ResponseEvent | None:
    """The event in one event's data; None for kinds that say nothing new.

    Raises:
        ModelError: The provider reports a failure or an answer cut short, or the data cannot be read.
    """
    parsed = _parse(data)
    return parsed.completed if isinstance(parsed, _Finished) else parsed


def _parse(data: bytes) -> ResponseEvent | _Finished | None:
    try:
        wire = _decode(data)
    except _DECODE_ERRORS:
        if data == b"[DONE]":
            return None
        wire = _decode_slowly(data)
    kind = wire.type
    delta_type = _DELTAS.get(kind)
    if delta_type is not None:
        return delta_type(wire.delta) if type(wire.delta) is str else None
    match kind:
        case "response.output_item.done":
            return ItemDone(_item(wire.item, data))
        case "response.completed" | "response.done":
            return _finished(wire.response, data)
        case "response.created":
            return _CREATED if wire.response else None
        case "response.reasoning_summary_part.added":
            return _PART_ADDED
        case "response.output_item.added":
            return _added(wire.item)
        case "response.failed":
            raise _failure(_object(wire.response, data), "error")
        case "response.incomplete":
            raise cut_short(_reason(_object(wire.response, data)))
        case "error":
            raise _failure(_object(msgspec.Raw(data), data), None)
        case _:
            return None


def _decode_slowly(data: bytes) -> _Wire:
    value = decode_leniently(data)
    if not isinstance(value, dict) or not isinstance(cast("dict[str, Any]", value).get("type"), str):
        raise garbled(data)
    fields = cast("dict[str, Any]", value)
    raw = {key: msgspec.Raw(_encoder.encode(fields[key])) for key in ("item", "response") if key in fields}
    return _Wire(type=fields["type"], delta=fields.get("delta"), **raw)


def _object(raw: msgspec.Raw, data: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(raw) if raw else None
    except _DECODE_ERRORS:
        value = decode_leniently(bytes(raw))
    if not isinstance(value, dict):
        raise garbled(data)
    return cast("dict[str, Any]", value)


def _item(raw: msgspec.Raw, data: bytes) -> Item:
    fields = _object(raw, data)
    parts = fields.get("content")
    if fields.get("type") in ("message", "reasoning") and isinstance(parts, list):
        known = [_known_part(part) for part in cast("list[Any]", parts)]
        fields["content"] = [part for part in known if part is not None]
    try:
        return item_from_object(fields)
    except (msgspec.ValidationError, RecursionError):
        raise garbled(data) from None


def _known_part(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    fields = cast("dict[str, Any]", part)
    match fields.get("type"):
        case "refusal":
            return {"type": "output_text", "text": fields.get("refusal")}
        case "input_text" | "output_text" | "input_image" | "reasoning_text" | "text":
            return fields
        case _:
            return None


def _added(raw: msgspec.Raw) -> WebSearchStarted | None:
    if b"web_search_call" not in bytes(raw):
        return None
    fields = _object(raw, bytes(raw))
    if fields.get("type") != "web_search_call":
        return None
    return WebSearchStarted(str(fields.get("id") or ""))


def _finished(raw: msgspec.Raw, data: bytes) -> _Finished:
    response = _object(raw, data)
    match response.get("status"):
        case "failed":
            raise _failure(response, "error")
        case "incomplete":
            raise cut_short(_reason(response))
        case _:
            pass
    output: list[Item] = []
    entries = response.get("output")
    for entry in cast("list[Any]", entries) if isinstance(entries, list) else []:
        output.append(_item(msgspec.Raw(_encoder.encode(entry)), data))
    completed = Completed(str(response.get("id") or ""), usage_of(response.get("usage")))
    return _Finished(completed, tuple(output))


def usage_of(value: Any) -> TokenUsage | None:
    """The token counts of a `usage` object; None when there is none. Missing or odd numbers count as 0."""
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, Any]", value)
    input_details, output_details = fields.get("input_tokens_details"), fields.get("output_tokens_details")
    used, made = count(fields, "input_tokens"), count(fields, "output_tokens")
    return TokenUsage(
        input_tokens=used,
        cached_input_tokens=count(input_details, "cached_tokens"),
        cache_write_input_tokens=count(input_details, "cache_write_tokens"),
        output_tokens=made,
        reasoning_output_tokens=count(output_details, "reasoning_tokens"),
        total_tokens=count(fields, "total_tokens") or used + made,
    )


def _reason(response: dict[str, Any]) -> str:
    details = response.get("incomplete_details")
    return str(cast("dict[str, Any]", details).get("reason") or "") if isinstance(details, dict) else ""


def _failure(holder: dict[str, Any], key: str | None) -> ModelError:
    from codex_kernel.model.failures import error_object, stream_failure

    found = holder if key is None else {"error": holder.get(key)}
    return stream_failure(error_object(found))


class ResponsesReader:
    """Reads one answer; knows when it is whole."""

    settled = False
    """Whether nothing but remarks can follow."""

    def __init__(self, history: Sequence[Item] = ()) -> None:
        self._accepted = AcceptedItems(history)
        self._finished: _Finished | None = None
        self._unsettled_text = False
        """Text came that no finished item holds yet."""

    @property
    def done(self) -> bool:
        """Whether the answer is whole."""
        return self._finished is not None

    def feed(self, data: bytes) -> Sequence[ResponseEvent]:
        """The events of one event's data, in order.

        Raises:
            ModelError: See `parse_event`.
        """
        parsed = _parse(data)
        if parsed is None:
            return ()
        if isinstance(parsed, TextDelta):
            self._unsettled_text = True
            return (parsed,)
        if isinstance(parsed, _Finished):
            self._finished = parsed
            return ()
        if isinstance(parsed, ItemDone):
            return self._item_done(parsed.item)
        return (parsed,)

    def finish(self) -> Iterator[ResponseEvent]:
        """What remains to be said once the answer is whole or the stream has ended; `Completed` is last.

        Raises:
            StreamClosed: The stream ended before the answer was complete.
        """
        if self._finished is None:
            raise StreamClosed("The stream ended before the response was complete.")
        if self._accepted.count == 0:  # some providers send the items only here
            for item in self._finished.output:
                yield from self._item_done(item)
        if self._unsettled_text:
            raise StreamClosed("The provider sent text, and ended the response without it.")
        yield self._finished.completed

    def _item_done(self, item: Item) -> Sequence[ResponseEvent]:
        if isinstance(item, Message):
            self._unsettled_text = False
        accepted = self._accepted.accept(item)
        return () if accepted is None else (ItemDone(accepted),)
