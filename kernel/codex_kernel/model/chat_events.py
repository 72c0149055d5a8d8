"""Answers of the Chat Completions API: chunks become deltas, and at the end items; a reader knows when it is whole.

Source: spec/model-api.md section 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import msgspec

from codex_kernel.model.answer import (
    AT_A_LIMIT,
    BROKEN_OFF,
    FILTERED,
    AcceptedItems,
    check_no_error,
    count,
    cut_short,
    decode_leniently,
    garbled,
)
from codex_kernel.model.interface import Completed, ItemDone, RawReasoningDelta, ResponseEvent, TextDelta
from codex_protocol.errors import StreamClosed
from codex_protocol.items import CustomToolCall, FunctionCall, Item, Reasoning, ReasoningText, assistant_message
from codex_protocol.token_usage import TokenUsage

_DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Delta(msgspec.Struct):
    content: Any = None
    reasoning: Any = None
    reasoning_content: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    """A call as it was before there could be several."""


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    message: _Delta | None = None
    """Some providers send the last piece as a whole message."""
    finish_reason: Any = None


class _Chunk(msgspec.Struct):
    id: Any = None
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


class _Call:
    """A tool call while its pieces arrive."""

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []


class ChatReader:
    """Reads one answer: joins its deltas into items and knows when it is whole."""

    def __init__(self, history: Sequence[Item] = (), freeform: frozenset[str] = frozenset()) -> None:
        self._accepted = AcceptedItems(history)
        self._freeform = freeform
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[object, _Call] = {}
        self._last_call: _Call | None = None
        self._response_id = ""
        self._usage: TokenUsage | None = None
        self._finish_reason: str | None = None
        self.done = False
        """Whether the provider said that nothing follows."""

    @property
    def settled(self) -> bool:
        """Whether nothing but remarks (the token counts, the end mark) can follow."""
        return self._finish_reason is not None

    def feed(self, data: bytes) -> Sequence[ResponseEvent]:
        """The deltas in one chunk.

        Raises:
            ModelError: The provider reports a failure, or the data cannot be read.
        """
        try:
            chunk = _decode(data)
        except _DECODE_ERRORS:
            if data.strip() == b"[DONE]":
                self.done = True
                return ()
            chunk = _decode_slowly(data)
        if chunk.error:
            raise _failure(chunk.error)
        if chunk.choices is None and chunk.usage is None:
            check_no_error(data)
        if chunk.usage is not None:
            self._usage = usage_of(chunk.usage) or self._usage
        if not self._response_id and isinstance(chunk.id, str):
            self._response_id = chunk.id
        return self._choice(chunk.choices[0]) if chunk.choices else ()

    def finish(self) -> Iterator[ResponseEvent]:
        """The answer's items and `Completed`, once the answer is whole or the stream has ended.

        Raises:
            StreamClosed: The stream ended before the answer was complete; nothing was yielded.
            ModelError: The provider cut the answer short; its text was yielded, its calls, which may be torn, were not.
        """
        if self._finish_reason is None and not self.done:
            raise StreamClosed("The stream ended before the response was complete.")
        items = self._items()
        if self._finish_reason is None and not items:  # the end mark alone is no answer
            raise StreamClosed("The stream ended before any of the response had come.")
        if self._finish_reason in ("tool_calls", "function_call") and not self._calls:
            raise StreamClosed("The provider announced a tool call and sent none.")
        accepted = [self._accepted.accept(item) for item in items]
        yield from (ItemDone(item) for item in accepted if item is not None)
        if self._cut_short:
            raise cut_short(self._finish_reason or "")
        self._accepted.check_not_empty(self._usage)
        yield Completed(self._response_id, self._usage)

    @property
    def _cut_short(self) -> bool:
        reason = (self._finish_reason or "").lower()
        return reason in AT_A_LIMIT or reason in FILTERED

    def _choice(self, choice: _Choice) -> Sequence[ResponseEvent]:
        delta = choice.delta or choice.message
        if type(choice.finish_reason) is str and choice.finish_reason:
            if choice.finish_reason.lower() in BROKEN_OFF:
                raise _failure({"message": f"The provider broke the answer off ({choice.finish_reason})."})
            self._finish_reason = choice.finish_reason
        if delta is None:
            return ()
        if delta.tool_calls:
            self._join_calls(delta.tool_calls)
        if delta.function_call:
            self._join_calls({"function": delta.function_call})
        text = _text_of(delta.content) or _text_of(delta.refusal)
        thought = _text_of(delta.reasoning) or _text_of(delta.reasoning_content)
        if thought:
            self._reasoning.append(thought)
            if not text:
                return (RawReasoningDelta(thought),)
        if not text:
            return ()
        self._text.append(text)
        return (RawReasoningDelta(thought), TextDelta(text)) if thought else (TextDelta(text),)

    def _join_calls(self, deltas: Any) -> None:
        for delta in cast("list[Any]", deltas) if isinstance(deltas, list) else [deltas]:
            if not isinstance(delta, dict):
                continue
            fields = cast("dict[str, Any]", delta)
            function = fields.get("function")
            if not isinstance(function, dict):
                if fields.get("id"):
                    self._call_of(fields)
                continue
            call = self._call_of(fields)
            parts = cast("dict[str, Any]", function)
            if not call.name and isinstance(parts.get("name"), str):
                call.name = parts["name"]
            arguments = parts.get("arguments")
            if isinstance(arguments, str):
                call.arguments.append(arguments)
            elif arguments is not None:  # some servers send the object itself
                call.arguments.append(msgspec.json.encode(arguments).decode())

    def _call_of(self, fields: dict[str, Any]) -> _Call:
        """The call a piece belongs to: by its index, unless its id says that it begins another one."""
        call_id = fields.get("id") if isinstance(fields.get("id"), str) else ""
        index = fields.get("index")
        call = self._calls.get(index) if isinstance(index, int) else self._last_call
        if call is None or (call_id and call.id and call_id != call.id):
            call = next((known for known in self._calls.values() if call_id and known.id == call_id), None) or _Call()
            key = index if isinstance(index, int) and index not in self._calls else ("late", len(self._calls))
            if call not in self._calls.values():
                self._calls[key] = call
        call.id = call.id or call_id or ""
        self._last_call = call
        return call

    def _items(self) -> list[Item]:
        items: list[Item] = []
        if self._reasoning:
            items.append(Reasoning(summary=(), content=(ReasoningText("".join(self._reasoning)),)))
        if self._text:
            items.append(assistant_message("".join(self._text)))
        if not self._cut_short:
            items += [self._call_item(call) for call in self._calls.values()]
        return items

    def _call_item(self, call: _Call) -> Item:
        arguments = "".join(call.arguments)
        if not call.name:
            raise StreamClosed("The provider sent a tool call without a name.")
        if self._finish_reason is None and not _is_json(arguments or "{}"):
            raise StreamClosed("The stream ended inside a tool call.")
        if call.name in self._freeform:
            return CustomToolCall(call_id=call.id, name=call.name, input=_freeform_input(arguments))
        return FunctionCall(call_id=call.id, name=call.name, arguments=arguments or "{}")


def usage_of(value: Any) -> TokenUsage | None:
    """The token counts of a `usage` object; None when it has none above 0. Missing or odd numbers count as 0."""
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, Any]", value)
    used, made = count(fields, "prompt_tokens"), count(fields, "completion_tokens")
    total = count(fields, "total_tokens") or used + made
    if not total:  # what servers send that do not count
        return None
    return TokenUsage(
        input_tokens=used,
        cached_input_tokens=count(fields.get("prompt_tokens_details"), "cached_tokens"),
        output_tokens=made,
        reasoning_output_tokens=count(fields.get("completion_tokens_details"), "reasoning_tokens"),
        total_tokens=total,
    )


def _text_of(value: Any) -> str:
    """The text of a delta: a string, an object that holds one, or a list of such."""
    if type(value) is str:
        return value
    if isinstance(value, list):
        return "".join(_text_of(part) for part in cast("list[Any]", value))
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        text = fields.get("text") or fields.get("content")
        return text if isinstance(text, str) else ""
    return ""


def _freeform_input(arguments: str) -> str:
    """The text of a freeform call; what is not the offered object is taken as the text itself."""
    try:
        value: Any = msgspec.json.decode(arguments.encode("utf-8", "replace"))
    except _DECODE_ERRORS:
        return arguments
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        text = fields.get("input", next(iter(fields.values()), None) if len(fields) == 1 else None)
        if isinstance(text, str):
            return text
    return arguments


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text.encode("utf-8", "replace"), type=msgspec.Raw)
    except _DECODE_ERRORS:
        return False
    return True


def _decode_slowly(data: bytes) -> _Chunk:
    value = decode_leniently(data)
    if isinstance(value, dict) and (error := cast("dict[str, Any]", value).get("error")):
        return _Chunk(error=error)
    try:
        return msgspec.convert(value, _Chunk)
    except (msgspec.ValidationError, RecursionError):
        raise garbled(data) from None


def _failure(error: Any) -> Exception:
    from codex_kernel.model.failures import error_object, stream_failure

    return stream_failure(error_object({"error": error} if isinstance(error, dict) else error))
