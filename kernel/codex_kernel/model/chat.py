"""Requests of the Chat Completions API: a prompt becomes a body. Answers are read by `chat_events`.

The history is regrouped to what providers accept: an assistant message carries its text and all its calls, and the
outputs follow at once, in call order. Source: spec/model-api.md section 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from codex_kernel.model.chat_events import ChatReader
from codex_kernel.model.encoding import EncodedItems
from codex_kernel.model.interface import FreeformTool, FunctionTool, Prompt, ToolSpec
from codex_kernel.model.responses import SCHEMA_NAME
from codex_protocol.items import (
    ContentPart,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputImage,
    Item,
    LocalShellCall,
    Message,
    output_text,
)
from codex_protocol.policy import Effort
from codex_protocol.sound_json import encode_json

PATH = "/chat/completions"
INPUT = "input"
"""The one argument of a freeform tool that is offered as a function."""


class Chat:
    """The Chat Completions wire: makes request bodies, keeping encoded items between them, and readers for answers."""

    path = PATH

    def __init__(self) -> None:
        self._items = EncodedItems(_piece)

    def encode(self, prompt: Prompt) -> bytes:
        """The body of a request for `prompt`."""
        return to_request(prompt, self._items)

    def reader(self, prompt: Prompt) -> ChatReader:
        """A reader for the answer to `prompt`."""
        return ChatReader(prompt.input, freeform_names(prompt.tools))


def freeform_names(tools: Iterable[ToolSpec]) -> frozenset[str]:
    """The tools whose calls must come back as calls of a freeform tool."""
    return frozenset(tool.name for tool in tools if isinstance(tool, FreeformTool))


class _Piece(msgspec.Struct, frozen=True):
    """What an item contributes: a whole message, or a part of an assistant message."""

    role: str
    """system (text of ours), user, assistant (text), call, output; empty for what is not sent."""
    body: bytes
    """A JSON message; for `system` and `assistant` a JSON string; for `call` an entry of `tool_calls`."""
    call_id: str = ""
    images: bytes = b""
    """The message that carries an output's images: a tool message takes none."""


def to_request(prompt: Prompt, items: EncodedItems[_Piece] | None = None) -> bytes:
    """The request body for a prompt, UTF-8 JSON.

    Args:
        prompt: What to ask. Tools of other kinds than functions are left out, except freeform ones: each becomes a
            function with one string.
        items: Encoded items of earlier requests; None encodes everything afresh.
    """
    pieces = (items or EncodedItems(_piece)).of(prompt.input)
    ours = [piece.body for piece in _leading(pieces)]
    system = b'{"role":"system","content":' + _joined([encode_json(prompt.instructions), *ours]) + b"}"
    messages = [system, *_messages(pieces[len(ours) :])]
    head = encode_json({"model": prompt.model})
    tail = encode_json(_settings(prompt))
    return b"".join((head[:-1], b',"messages":[', b",".join(messages), b"],", tail[1:]))


def _settings(prompt: Prompt) -> dict[str, Any]:
    settings: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
    tools = [tool for spec in prompt.tools if (tool := tool_object(spec)) is not None]
    if tools:  # some providers refuse an empty list
        settings["tools"] = tools
    if prompt.effort is not None and prompt.effort is not Effort.NONE:
        settings["reasoning_effort"] = prompt.effort
    if prompt.output_schema is not None:
        schema = {"name": SCHEMA_NAME, "strict": True, "schema": prompt.output_schema}
        settings["response_format"] = {"type": "json_schema", "json_schema": schema}
    return settings


def tool_object(tool: ToolSpec) -> dict[str, Any] | None:
    """A tool as a function; None for tools that only the Responses API has."""
    match tool:
        case FunctionTool():
            function = {"name": tool.name, "description": tool.description, "strict": tool.strict}
            return {"type": "function", "function": {**function, "parameters": tool.parameters}}
        case FreeformTool():
            text = {"type": "string", "description": "The whole text, in the tool's own format."}
            parameters = {
                "type": "object",
                "properties": {INPUT: text},
                "required": [INPUT],
                "additionalProperties": False,
            }
            description = f"{tool.description}\n\nThe text follows this {tool.syntax} grammar:\n{tool.definition}"
            function = {"name": tool.name, "description": description, "strict": False, "parameters": parameters}
            return {"type": "function", "function": function}
        case _:
            return None


def _leading(pieces: Sequence[_Piece]) -> Sequence[_Piece]:
    """Our own messages at the very start: they join the system message, which every provider takes only there."""
    for index, piece in enumerate(pieces):
        if piece.role != "system":
            return pieces[:index]
    return pieces


def _messages(pieces: Sequence[_Piece]) -> list[bytes]:
    outputs = {piece.call_id: piece for piece in reversed(pieces) if piece.role == "output"}
    messages: list[bytes] = []
    open_message = _Assistant(outputs)
    for piece in pieces:
        match piece.role:
            case "assistant":
                open_message = open_message.for_more(messages)
                open_message.texts.append(piece.body)
            case "call":
                open_message = open_message.for_more(messages)
                open_message.calls.append(piece)
            case "output":
                open_message.answered = True
            case "user" | "system":
                open_message.close(messages)
                open_message = _Assistant(outputs)
                messages.append(piece.body if piece.role == "user" else _user_text(piece.body))
            case _:
                pass
    open_message.close(messages)
    return messages


class _Assistant:
    """An assistant message while items still join it."""

    def __init__(self, outputs: dict[str, _Piece]) -> None:
        self._outputs = outputs
        self.texts: list[bytes] = []
        self.calls: list[_Piece] = []
        self.answered = False
        """An output came: what follows belongs to the next answer of the model."""

    def for_more(self, messages: list[bytes]) -> _Assistant:
        """The message that the next text or call joins."""
        if not self.answered:
            return self
        self.close(messages)
        return _Assistant(self._outputs)

    def close(self, messages: list[bytes]) -> None:
        """Add the message and its calls' outputs to `messages`."""
        if not self.texts and not self.calls:
            return
        content = _joined(self.texts) if self.texts else b"null"
        calls = b',"tool_calls":[' + b",".join(call.body for call in self.calls) + b"]" if self.calls else b""
        messages.append(b'{"role":"assistant","content":' + content + calls + b"}")
        answers = [output for call in self.calls if (output := self._outputs.pop(call.call_id, None)) is not None]
        messages += [answer.body for answer in answers]
        messages += [answer.images for answer in answers if answer.images]


def _joined(texts: Sequence[bytes]) -> bytes:
    """JSON strings as one, a blank line between them."""
    return b'"' + b"\\n\\n".join(text[1:-1] for text in texts) + b'"'


def _user_text(text: bytes) -> bytes:
    return b'{"role":"user","content":' + text + b"}"


def _piece(item: Item) -> _Piece:
    match item:
        case Message(role="assistant"):
            text = item.text()
            return _Piece("assistant", encode_json(text)) if text else _Piece("", b"")
        case Message(role="system" | "developer"):
            return _Piece("system", encode_json(item.text()))
        case Message():
            return _Piece("user", encode_json({"role": "user", "content": _content(item.content)}))
        case FunctionCall():
            return _call(item.call_id, item.name, item.arguments)
        case CustomToolCall():
            return _call(item.call_id, item.name, encode_json({INPUT: item.input}).decode())
        case LocalShellCall():
            action = item.action
            arguments = {
                "command": action.command,
                "workdir": action.working_directory,
                "timeout_ms": action.timeout_ms,
            }
            given = {key: value for key, value in arguments.items() if value is not None}
            return _call(item.call_id or item.id or "", "shell", encode_json(given).decode())
        case FunctionCallOutput() | CustomToolCallOutput():
            return _output(item.call_id, item.output)
        case _:
            return _Piece("", b"")


def _call(call_id: str, name: str, arguments: str) -> _Piece:
    function = {"name": name, "arguments": arguments or "{}"}
    return _Piece("call", encode_json({"id": call_id, "type": "function", "function": function}), call_id)


def _output(call_id: str, output: str | tuple[ContentPart, ...]) -> _Piece:
    body = encode_json({"role": "tool", "tool_call_id": call_id, "content": output_text(output)})
    images = [part for part in output if isinstance(part, InputImage)] if not isinstance(output, str) else []
    if not images:
        return _Piece("output", body, call_id)
    note = {"type": "text", "text": f"Images of the output of tool call {call_id}:"}
    carrier = {"role": "user", "content": [note, *map(_image, images)]}
    return _Piece("output", body, call_id, encode_json(carrier))


def _content(parts: tuple[ContentPart, ...]) -> str | list[dict[str, Any]]:
    if not any(isinstance(part, InputImage) for part in parts):
        return output_text(parts)
    return [_image(part) if isinstance(part, InputImage) else {"type": "text", "text": part.text} for part in parts]


def _image(image: InputImage) -> dict[str, Any]:
    details = {"detail": image.detail} if image.detail is not None else {}
    return {"type": "image_url", "image_url": {"url": image.image_url, **details}}
