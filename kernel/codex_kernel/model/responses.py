"""Requests of the Responses API: a prompt becomes a body. Answers are read by `responses_events`.

Source: spec/model-api.md section 2, spec/exec-json.md section 9.
"""

from __future__ import annotations

from typing import Any

import msgspec

from codex_kernel.model.encoding import EncodedItems
from codex_kernel.model.interface import (
    FreeformTool,
    FunctionTool,
    LocalShellTool,
    Prompt,
    ToolSpec,
    WebSearchTool,
)
from codex_kernel.model.responses_events import ResponsesReader
from codex_protocol.items import Item, OtherItem, Reasoning, ReasoningText, WebSearchCall, encode_item
from codex_protocol.policy import Summary
from codex_protocol.sound_json import encode_json

PATH = "/responses"
SCHEMA_NAME = "codex_output_schema"


class Responses:
    """The Responses wire: makes request bodies, keeping encoded items between them, and readers for the answers."""

    path = PATH

    def __init__(self) -> None:
        self._items = EncodedItems(_encode_input)

    def encode(self, prompt: Prompt) -> bytes:
        """The body of a request for `prompt`."""
        return to_request(prompt, self._items)

    def reader(self, prompt: Prompt) -> ResponsesReader:
        """A reader for the answer to `prompt`."""
        return ResponsesReader(prompt.input)


def to_request(prompt: Prompt, items: EncodedItems[tuple[bytes, bool]] | None = None) -> bytes:
    """The request body for a prompt, UTF-8 JSON.

    Args:
        prompt: What to ask.
        items: Encoded items of earlier requests; None encodes everything afresh.
    """
    encoded = (items or EncodedItems(_encode_input)).of(prompt.input)
    pieces = [piece for piece, stored_only in encoded if piece and (prompt.store or not stored_only)]
    head = encode_json({"model": prompt.model, "instructions": prompt.instructions})
    tail = encode_json(_settings(prompt))
    return b"".join((head[:-1], b',"input":[', b",".join(pieces), b"],", tail[1:]))


def _settings(prompt: Prompt) -> dict[str, Any]:
    reasoning = _reasoning(prompt)
    settings: dict[str, Any] = {
        "tools": [tool_object(tool) for tool in prompt.tools],
        "tool_choice": "auto",
        "parallel_tool_calls": prompt.parallel_tool_calls,
        "reasoning": reasoning,
        "store": prompt.store,
        "stream": True,
        "include": ["reasoning.encrypted_content"] if reasoning is not None and not prompt.store else [],
        "prompt_cache_key": prompt.thread_id,
    }
    text: dict[str, Any] = {}
    if prompt.verbosity is not None:
        text["verbosity"] = prompt.verbosity
    if prompt.output_schema is not None:
        schema = {"type": "json_schema", "strict": True, "schema": prompt.output_schema, "name": SCHEMA_NAME}
        text["format"] = schema
    if text:
        settings["text"] = text
    return settings


def _reasoning(prompt: Prompt) -> dict[str, Any] | None:
    if prompt.summary is None:
        return None
    reasoning: dict[str, Any] = {}
    if prompt.effort is not None:
        reasoning["effort"] = prompt.effort
    if prompt.summary is not Summary.NONE:
        reasoning["summary"] = prompt.summary
    return reasoning


def tool_object(tool: ToolSpec) -> dict[str, Any]:
    """A tool as the Responses API wants it described."""
    match tool:
        case FunctionTool():
            return {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "strict": tool.strict,
                "parameters": tool.parameters,
            }
        case FreeformTool():
            grammar = {"type": "grammar", "syntax": tool.syntax, "definition": tool.definition}
            return {"type": "custom", "name": tool.name, "description": tool.description, "format": grammar}
        case LocalShellTool():
            return {"type": "local_shell"}
        case WebSearchTool():
            return {"type": "web_search", "external_web_access": tool.live}


def _encode_input(item: Item) -> tuple[bytes, bool]:
    """An item's JSON, empty for what is never sent back; and whether only a provider that stores can make use of it."""
    if isinstance(item, WebSearchCall | OtherItem):
        return b"", False
    if isinstance(item, Reasoning):
        if item.content is not None and not any(isinstance(part, ReasoningText) for part in item.content):
            item = msgspec.structs.replace(item, content=None)
        # Without its content a reasoning item is only an id, which a provider that stores nothing does not know.
        return encode_item(item), item.encrypted_content is None and item.content is None
    return encode_item(item), False
