"""A reply as server-sent events, on the Responses and on the Chat Completions wire.

Source: spec/model-api.md sections 3 and 5.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.support.replies import Reply

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def responses_events(reply: Reply) -> list[bytes]:
    """The events of a Responses stream, each with its closing blank line."""
    events = reply.events if reply.events is not None else _responses(reply)
    return [_frame(event) for event in events]


def chat_events(reply: Reply) -> list[bytes]:
    """The events of a Chat Completions stream, each with its closing blank line."""
    events = reply.events if reply.events is not None else _chat(reply)
    return [_frame(event) for event in events]


def _frame(event: Mapping[str, Any] | str) -> bytes:
    if isinstance(event, str):
        return b"data: " + event.encode() + b"\n\n"
    kind = event.get("type")
    head = f"event: {kind}\n" if isinstance(kind, str) else ""
    return f"{head}data: {_encode(event)}\n\n".encode()


def _pieces(text: str, chars: int) -> Iterator[str]:
    return (text[start : start + chars] for start in range(0, len(text), chars)) if chars else iter(())


def _responses(reply: Reply) -> Iterator[dict[str, Any]]:
    response: dict[str, Any] = {"id": "resp_1", "object": "response", "status": "in_progress", "output": []}
    yield {"type": "response.created", "response": response}
    for index, item in enumerate(reply.items):
        place = {"item_id": item.get("id", ""), "output_index": index}
        empty = {**item, **_EMPTIED.get(item["type"], {})}
        yield {"type": "response.output_item.added", "output_index": index, "item": empty}
        yield from _item_deltas(item, place, reply.delta_chars)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    if reply.complete:
        final = {**response, "status": "completed", "output": list(reply.items), "usage": reply.usage}
        yield {"type": "response.completed", "response": final}


_EMPTIED: dict[str, dict[str, Any]] = {
    "message": {"content": [], "status": "in_progress"},
    "reasoning": {"summary": []},
    "function_call": {"arguments": "", "status": "in_progress"},
    "custom_tool_call": {"input": "", "status": "in_progress"},
}


def _item_deltas(item: Mapping[str, Any], place: dict[str, Any], chars: int) -> Iterator[dict[str, Any]]:
    match item["type"]:
        case "message":
            for part, content in enumerate(item["content"]):
                at = {**place, "content_index": part}
                for number, piece in enumerate(_pieces(content.get("text", ""), chars)):
                    yield {
                        "type": "response.output_text.delta",
                        **at,
                        "delta": piece,
                        "sequence_number": number,
                        "logprobs": [],
                    }
        case "reasoning":
            for part, summary in enumerate(item.get("summary", ())):
                at = {**place, "summary_index": part}
                if chars:
                    opened = {"type": "summary_text", "text": ""}
                    yield {"type": "response.reasoning_summary_part.added", **at, "part": opened}
                for piece in _pieces(summary["text"], chars):
                    yield {"type": "response.reasoning_summary_text.delta", **at, "delta": piece}
        case "function_call":
            for piece in _pieces(item["arguments"], chars):
                yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
        case "custom_tool_call":
            for piece in _pieces(item["input"], chars):
                yield {"type": "response.custom_tool_call_input.delta", **place, "delta": piece}
        case _:
            pass


def _chat(reply: Reply) -> Iterator[dict[str, Any] | str]:
    number_of_calls = 0
    yield _chunk({"role": "assistant", "content": ""})
    for item in reply.items:
        match item["type"]:
            case "message":
                text = "".join(part.get("text", "") for part in item["content"])
                for piece in _pieces(text, reply.delta_chars or max(1, len(text))):
                    yield _chunk({"content": piece})
            case "reasoning":
                text = "".join(part["text"] for part in item["summary"])
                for piece in _pieces(text, reply.delta_chars or max(1, len(text))):
                    yield _chunk({"reasoning_content": piece})
            case "function_call":
                opened = {"name": item["name"], "arguments": ""}
                call = {"index": number_of_calls, "id": item["call_id"], "type": "function", "function": opened}
                yield _chunk({"tool_calls": [call]})
                for piece in _pieces(item["arguments"], reply.delta_chars or max(1, len(item["arguments"]))):
                    more = {"index": number_of_calls, "function": {"arguments": piece}}
                    yield _chunk({"tool_calls": [more]})
                number_of_calls += 1
            case kind:
                raise ValueError(f"an item of type {kind!r} has no form on the Chat Completions wire")
    if reply.complete:
        yield _chunk({}, finish_reason="tool_calls" if number_of_calls else "stop")
        if reply.usage is not None:
            yield {**_chunk({}), "choices": [], "usage": _chat_usage(reply.usage)}
        yield "[DONE]"


def _chunk(delta: dict[str, Any], *, finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "scripted", "choices": [choice]}


def _chat_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.get("input_tokens", 0),
        "prompt_tokens_details": {"cached_tokens": (usage.get("input_tokens_details") or {}).get("cached_tokens", 0)},
        "completion_tokens": usage.get("output_tokens", 0),
        "completion_tokens_details": {
            "reasoning_tokens": (usage.get("output_tokens_details") or {}).get("reasoning_tokens", 0)
        },
        "total_tokens": usage.get("total_tokens", 0),
    }
