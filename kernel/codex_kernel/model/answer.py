"""What an answer's items must satisfy before the agent acts on them: no call twice, no call id used before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from codex_protocol.errors import ModelError, StreamClosed
from codex_protocol.items import CustomToolCall, FunctionCall, Item, LocalShellCall, Message, OutputText, Reasoning
from codex_protocol.token_usage import TokenUsage

AT_A_LIMIT = frozenset({"length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"})
"""Why an answer ended that is not whole, in lower case: the words of OpenAI, Anthropic, Mistral and Google."""
FILTERED = frozenset(
    {"content_filter", "safety", "recitation", "blocklist", "prohibited_content", "spii", "sensitive", "refusal"}
)
"""The same, of answers that were stopped for what they say; also GLM's words."""
BROKEN_OFF = frozenset(
    {
        "error",
        "network_error",
        "insufficient_system_resource",
        "abort",
        "aborted",
        "cancelled",
        "malformed_function_call",
        "unexpected_tool_call",
    }
)
"""The same, of answers that may come whole another time; also DeepSeek's and vLLM's words."""


class AcceptedItems:
    """The items of one answer as they complete, checked against each other and against the history."""

    def __init__(self, history: Sequence[Item]) -> None:
        self._history = history
        self._before: set[str] | None = None
        self._by_key: dict[str, Item] = {}
        self._said_something = False
        self.count = 0

    def accept(self, item: Item) -> Item | None:
        """The item to act on, with a new call id where the provider used one of an earlier answer again.

        None when the same item came before.

        Raises:
            StreamClosed: Two different items claim to be the same.
        """
        key = _key(item)
        if key is not None:
            known = self._by_key.get(key)
            if known == item:
                return None
            if isinstance(known, Message) and isinstance(item, Message) and (rest := _continuation(known, item)):
                self._by_key[key] = item
                return rest
            if known is not None:
                raise StreamClosed(f"The provider sent two different items with the id {key.partition(':')[2]}.")
            self._by_key[key] = item
        self.count += 1
        if not isinstance(item, Reasoning) and not (isinstance(item, Message) and not item.text()):
            self._said_something = True
        if isinstance(item, FunctionCall | CustomToolCall):
            return self._with_new_call_id(item)
        return item

    def check_not_empty(self, usage: TokenUsage | None) -> None:
        """Tell an answer that holds nothing from one that a proxy made of what it could not read.

        After the output of a call a model may have nothing to add.

        Raises:
            StreamClosed: Nothing was said to a message, and no token was counted.
        """
        asked = self._history and isinstance(self._history[-1], Message)
        if asked and usage is None and not self._said_something:
            raise StreamClosed("The provider's answer is empty: no text, no tool call, no token counted.")

    def _with_new_call_id(self, item: FunctionCall | CustomToolCall) -> Item:
        if self._before is None:
            self._before = {
                old.call_id
                for old in self._history
                if isinstance(old, FunctionCall | CustomToolCall | LocalShellCall) and old.call_id
            }
        if item.call_id and item.call_id not in self._before:
            return item
        import secrets

        return msgspec.structs.replace(item, call_id=f"call_{secrets.token_hex(12)}")


def _continuation(known: Message, item: Message) -> Message | None:
    """What `item` adds to a message that came before: Transformers' server says it again after the calls."""
    before, text = known.text(), item.text()
    if not text.startswith(before) or text == before:
        return None
    return msgspec.structs.replace(item, id=None, content=(OutputText(text[len(before) :]),))


def _key(item: Item) -> str | None:
    if isinstance(item, FunctionCall | CustomToolCall | LocalShellCall) and item.call_id:
        return f"call:{item.call_id}"
    item_id = getattr(item, "id", None)
    return f"item:{item_id}" if item_id else None


def garbled(data: bytes) -> StreamClosed:
    """The error for an event that cannot be read."""
    shown = data[:80].decode("utf-8", "replace")
    return StreamClosed(f"The provider's stream is garbled, at: {shown!r}.")


def check_no_error(data: bytes) -> None:
    """Look closer at an event of no known kind: some servers send their errors bare, and go on as if all was said.

    Raises:
        ModelError: It is one.
    """
    value = decode_leniently(data)
    fields = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    if fields.get("object", "error") == "error" and "id" not in fields:
        from codex_kernel.model.failures import error_object, stream_failure

        error = error_object(fields)
        if error["message"]:
            raise stream_failure(error)


def decode_leniently(data: bytes) -> object:
    """The JSON value in `data`, half characters replaced: some providers cut text inside a surrogate pair.

    Raises:
        StreamClosed: It is no JSON.
    """
    import json

    try:
        return _mended(json.loads(data.decode("utf-8", "replace")))
    except (ValueError, RecursionError):
        raise garbled(data) from None


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_mended(entry) for entry in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _mended(entry) for key, entry in cast("dict[str, Any]", value).items()}
    return value


def count(fields: Any, key: str) -> int:
    """A count in a JSON object, 0 when it is missing or no count."""
    value = cast("dict[str, Any]", fields).get(key) if isinstance(fields, dict) else None
    return int(value) if isinstance(value, int | float) and 0 <= value < 2**53 else 0


def cut_short(reason: str) -> ModelError:
    """The error for an answer that the provider ended early."""
    match reason.lower():
        case kind if kind in AT_A_LIMIT:
            return ModelError(f"The model's answer was cut off at its output limit ({reason}).")
        case kind if kind in FILTERED:
            return ModelError(f"The provider's content filter stopped the model's answer ({reason}).")
        case _:
            return ModelError(f"The provider ended the model's answer early ({reason or 'no reason given'}).")
