"""Answers of the Responses API: an event's data becomes an event, and a reader knows when the answer is whole.

Source: spec/model-api.md section 3.
"""

# Annotations are no strings here: msgspec would have to read them back, in every start.

from collections.abc import Iterator, Sequence
from typing import Any, cast

import msgspec

from codex_kernel.model.answer import AcceptedItems, check_no_error, count, cut_short, decode_leniently, garbled
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
from codex_kernel.model.responses_items import read_item
from codex_protocol.errors import ModelError, StreamClosed
from codex_protocol.items import CustomToolCall, FunctionCall, Item, LocalShellCall, Message
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
_CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
_CREATED = Created()
_PART_ADDED = ReasoningPartAdded()


class _Finished(msgspec.Struct, frozen=True):
    """The response's last event, with the items it repeats."""

    completed: Completed
    output: tuple[dict[str, Any], ...]


class _Announced(msgspec.Struct, frozen=True):
    """A call has begun to come."""

    key: str


class _TornItem(ItemDone, frozen=True):
    """An item of which the model said only a part."""


def parse_event(data: bytes) -> ResponseEvent | None:
    """The event in one event's data; None for kinds that say nothing new.

    Raises:
        ModelError: The provider reports a failure or an answer cut short, or the data cannot be read.
    """
    parsed = _parse(data)
    if isinstance(parsed, _Finished):
        return parsed.completed
    return None if isinstance(parsed, _Announced) else parsed


def _parse(data: bytes) -> ResponseEvent | _Finished | _Announced | None:
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
            fields = _object(wire.item, data)
            kind = _TornItem if fields.get("status") == "incomplete" else ItemDone
            return kind(read_item(fields, data))
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
        case "error" | "response.error":
            raise _failure(_object(msgspec.Raw(data), data), None)
        case "":
            check_no_error(data)
            return None
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


def _added(raw: msgspec.Raw) -> WebSearchStarted | _Announced | None:
    if b"_call" not in bytes(raw):
        return None
    fields = _object(raw, bytes(raw))
    item_id = str(fields.get("id") or "")
    if fields.get("type") == "web_search_call":
        return WebSearchStarted(item_id)
    return _Announced(item_id or str(fields.get("call_id") or "")) if fields.get("type") in _CALLS else None


def _finished(raw: msgspec.Raw, data: bytes) -> _Finished:
    response = _object(raw, data)
    match response.get("status"):
        case "failed":
            raise _failure(response, "error")
        case "incomplete" | "cancelled" as status:
            raise cut_short(_reason(response) or status)
        case _:
            pass
    entries = response.get("output")
    output = cast("list[Any]", entries) if isinstance(entries, list) else []
    if not all(isinstance(entry, dict) for entry in output):
        raise garbled(data)
    completed = Completed(str(response.get("id") or ""), usage_of(response.get("usage")))
    return _Finished(completed, tuple(output))


def usage_of(value: Any) -> TokenUsage | None:
    """The token counts of a `usage` object; None when it has none above 0. Missing or odd numbers count as 0."""
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, Any]", value)
    input_details, output_details = fields.get("input_tokens_details"), fields.get("output_tokens_details")
    used = count(fields, "input_tokens") or count(fields, "prompt_tokens")  # some proxies keep the other API's words
    made = count(fields, "output_tokens") or count(fields, "completion_tokens")
    total = count(fields, "total_tokens") or used + made
    if not total:  # what servers send that do not count
        return None
    return TokenUsage(
        input_tokens=used,
        cached_input_tokens=count(input_details, "cached_tokens"),
        cache_write_input_tokens=count(input_details, "cache_write_tokens"),
        output_tokens=made,
        reasoning_output_tokens=count(output_details, "reasoning_tokens"),
        total_tokens=total,
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
        self._announced: set[str] = set()
        self._calls = 0
        self._messages = 0
        self._torn = False

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
        if isinstance(parsed, _Announced):
            self._announced.add(parsed.key)
            return ()
        if isinstance(parsed, ItemDone):
            self._torn = self._torn or isinstance(parsed, _TornItem)
            return self._item_done(parsed.item)
        return (parsed,)

    def finish(self) -> Iterator[ResponseEvent]:
        """What remains to be said once the answer is whole or the stream has ended; `Completed` is last.

        Raises:
            StreamClosed: The stream ended before the answer was complete.
            ModelError: The provider cut an item short.
        """
        if self._finished is None:
            raise StreamClosed("The stream ended before the response was complete.")
        for fields in self._only_at_the_end(self._finished.output):
            yield from self._item_done(read_item(fields, _encoder.encode(fields)))
        if self._unsettled_text:
            raise StreamClosed("The provider sent text, and ended the response without it.")
        if len(self._announced) > self._calls:
            raise StreamClosed("The provider announced a tool call, and ended the response without it.")
        if self._torn:
            raise cut_short("an incomplete item")
        self._accepted.check_not_empty(self._finished.completed.usage)
        yield self._finished.completed

    def _only_at_the_end(self, output: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """What of the last event's items did not come before: some providers send all of them only there, or the calls.

        Raises:
            StreamClosed: Some calls came and some did not; which is not to be told, their ids need not agree.
        """
        if self._accepted.count == 0:
            return list(output)
        calls = [fields for fields in output if fields.get("type") in _CALLS]
        if 0 < self._calls < len(calls):
            raise StreamClosed(f"The provider sent {self._calls} of {len(calls)} tool calls before the response's end.")
        missing = [] if self._calls else calls
        return missing if self._messages else [*(f for f in output if f.get("type") == "message"), *missing]

    def _item_done(self, item: Item) -> Sequence[ResponseEvent]:
        if isinstance(item, Message) and item.text():
            self._unsettled_text = False
        accepted = self._accepted.accept(item)
        if accepted is None:
            return ()
        self._messages += isinstance(item, Message) and bool(item.text())
        self._calls += isinstance(item, FunctionCall | CustomToolCall | LocalShellCall)
        return (ItemDone(accepted),)
