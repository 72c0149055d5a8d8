"""Entries of a thread's history, as the model sees them: the Responses API's input and output items.

Source: spec/model-api.md section 2. Decoding tolerates unknown fields and keeps unknown kinds as `OtherItem`.
"""

# Annotations are no strings here: msgspec would have to read them back, in every start.

from typing import Any, Literal, cast

import msgspec

from codex_protocol.sound_json import encode_json


class InputText(msgspec.Struct, frozen=True, tag="input_text"):
    """Text from the user or from us."""

    text: str


class OutputText(msgspec.Struct, frozen=True, tag="output_text"):
    """Text from the model."""

    text: str


class InputImage(msgspec.Struct, frozen=True, tag="input_image", omit_defaults=True):
    """An image as a `data:` URL."""

    image_url: str
    detail: str | None = None


ContentPart = InputText | OutputText | InputImage


class _Item(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    pass


class Message(_Item, tag="message", frozen=True, kw_only=True):
    """Something said by the user, the model or (role `developer`) by us."""

    id: str | None = None
    role: str
    content: tuple[ContentPart, ...]

    def text(self) -> str:
        """All text parts, joined without a separator."""
        return "".join(part.text for part in self.content if not isinstance(part, InputImage))


class SummaryText(msgspec.Struct, frozen=True, tag="summary_text"):
    """One part of a reasoning summary."""

    text: str


class ReasoningText(msgspec.Struct, frozen=True, tag="reasoning_text"):
    """Raw reasoning."""

    text: str


class PlainReasoningText(msgspec.Struct, frozen=True, tag="text"):
    """Raw reasoning in the other spelling some providers use."""

    text: str


class Reasoning(_Item, tag="reasoning", frozen=True, kw_only=True, omit_defaults=True):
    """What the model thought; sent back as received."""

    id: str = ""
    summary: tuple[SummaryText, ...]
    content: tuple[ReasoningText | PlainReasoningText, ...] | None = None
    encrypted_content: str | None = None


class LocalShellAction(msgspec.Struct, frozen=True, kw_only=True, tag="exec"):
    """The `exec` action of a local shell call."""

    command: tuple[str, ...]
    timeout_ms: int | None = None
    working_directory: str | None = None
    env: dict[str, str] | None = None
    user: str | None = None


class LocalShellCall(_Item, tag="local_shell_call", frozen=True, kw_only=True):
    """A call of the built-in shell tool of `codex-mini-latest`."""

    id: str | None = None
    call_id: str | None = None
    status: str
    action: LocalShellAction


class FunctionCall(_Item, tag="function_call", frozen=True, kw_only=True):
    """A call of a function tool; `arguments` is the model's JSON text, unparsed."""

    id: str | None = None
    name: str
    arguments: str
    call_id: str
    namespace: str | msgspec.UnsetType | None = msgspec.UNSET


class FunctionCallOutput(_Item, tag="function_call_output", frozen=True, kw_only=True):
    """What a function or local shell call came to."""

    call_id: str
    output: str | tuple[ContentPart, ...]

    def text(self) -> str:
        """The text the model reads; images are left out."""
        return output_text(self.output)


class CustomToolCall(_Item, tag="custom_tool_call", frozen=True, kw_only=True, omit_defaults=True):
    """A call of a freeform tool; `input` is its text."""

    id: str | None = None
    status: str | None = None
    call_id: str
    name: str
    input: str


class CustomToolCallOutput(_Item, tag="custom_tool_call_output", frozen=True, kw_only=True):
    """What a freeform call came to."""

    call_id: str
    output: str | tuple[ContentPart, ...]

    def text(self) -> str:
        """The text the model reads; images are left out."""
        return output_text(self.output)


class WebSearchCall(_Item, tag="web_search_call", frozen=True, kw_only=True, omit_defaults=True):
    """A search the provider ran; shown, never sent back."""

    id: str | None = None
    status: str | None = None
    action: dict[str, Any] | None = None


class OtherItem(msgspec.Struct, frozen=True):
    """An item of a kind this version does not know; `raw` is its JSON object. Never sent back."""

    raw: dict[str, Any]


KnownItem = (
    Message
    | Reasoning
    | LocalShellCall
    | FunctionCall
    | FunctionCallOutput
    | CustomToolCall
    | CustomToolCallOutput
    | WebSearchCall
)
Item = KnownItem | OtherItem
ToolCallItem = FunctionCall | CustomToolCall | LocalShellCall
OutputItem = FunctionCallOutput | CustomToolCallOutput

_KINDS = frozenset(
    {
        "message",
        "reasoning",
        "local_shell_call",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
        "web_search_call",
    }
)


def output_text(output: str | tuple[ContentPart, ...]) -> str:
    """The text of a call's output; images are left out."""
    if isinstance(output, str):
        return output
    return "".join(part.text for part in output if not isinstance(part, InputImage))


def item_from_object(raw: Any) -> Item:
    """The item a decoded JSON object stands for.

    Raises:
        msgspec.ValidationError: A known kind with missing or mistyped fields, or no JSON object at all.
    """
    if isinstance(raw, dict):
        fields = cast("dict[str, Any]", raw)
        if fields.get("type") not in _KINDS:
            return OtherItem(fields)
    return msgspec.convert(raw, KnownItem)


def encode_item(item: Item) -> bytes:
    """The item's JSON, UTF-8, as sent to the model and written to the rollout."""
    return encode_json(item.raw if isinstance(item, OtherItem) else item)


def user_message(text: str) -> Message:
    """A user message of one text part."""
    return Message(role="user", content=(InputText(text),))


def assistant_message(text: str) -> Message:
    """An assistant message of one text part."""
    return Message(role="assistant", content=(OutputText(text),))


Role = Literal["user", "assistant", "developer", "system"]
