"""The scripted model: plays answers written down beforehand. For tests, notebooks and end-to-end runs; no network.

    model = ScriptedModel([says("I look first."), calls("exec_command", {"cmd": "ls"})], [says("done")])

Each argument is one response, in the order they are asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Any

import msgspec

from codex_kernel.model.interface import (
    Completed,
    Created,
    ItemDone,
    Prompt,
    RawReasoningDelta,
    ReasoningDelta,
    ResponseEvent,
    TextDelta,
)
from codex_protocol.errors import ModelError
from codex_protocol.items import CustomToolCall, FunctionCall, Item, Reasoning, SummaryText, assistant_message
from codex_protocol.token_usage import TokenUsage

PIECE = 24
"""Characters of one text delta."""


class _Says(msgspec.Struct, frozen=True):
    text: str


class _Reasons(msgspec.Struct, frozen=True):
    text: str
    raw: bool


class _Calls(msgspec.Struct, frozen=True):
    name: str
    arguments: str
    call_id: str | None


class _Custom(msgspec.Struct, frozen=True):
    name: str
    input: str
    call_id: str | None


class _Item(msgspec.Struct, frozen=True):
    item: Item


class _Fails:
    def __init__(self, error: Exception) -> None:
        self.error = error


class _Waits:
    def __init__(self, until: asyncio.Event | None) -> None:
        self.until = until


class _Uses(msgspec.Struct, frozen=True):
    usage: TokenUsage | None


Entry = _Says | _Reasons | _Calls | _Custom | _Item | _Fails | _Waits | _Uses
"""One thing a response does; made by the functions below."""
Response = Entry | Iterable[Entry] | Callable[[Prompt], Iterable[Entry]]
"""One response: its entries, or a function that makes them of the prompt."""


def says(text: str) -> Entry:
    """An assistant message, streamed in pieces."""
    return _Says(text)


def reasons(text: str, *, raw: bool = False) -> Entry:
    """A reasoning item: a summary, or raw reasoning as deltas."""
    return _Reasons(text, raw)


def calls(name: str, arguments: dict[str, Any] | str, *, call_id: str | None = None) -> Entry:
    """A call of a function tool; arguments that are a string are sent as they are, well-formed or not."""
    text = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()
    return _Calls(name, text, call_id)


def custom(name: str, text: str, *, call_id: str | None = None) -> Entry:
    """A call of a freeform tool."""
    return _Custom(name, text, call_id)


def sends(item: Item) -> Entry:
    """Any other item, as it is."""
    return _Item(item)


def fails(error: Exception) -> Entry:
    """The response breaks off here; what came before it has been sent."""
    return _Fails(error)


def waits(until: asyncio.Event | None = None) -> Entry:
    """Nothing comes until the event is set; without one, until the request is cancelled."""
    return _Waits(until)


def uses(input_tokens: int, output_tokens: int = 0, *, cached_tokens: int = 0, reasoning_tokens: int = 0) -> Entry:
    """Token counts of this response, instead of the model's usual ones."""
    return _Uses(_usage(input_tokens, output_tokens, cached_tokens, reasoning_tokens))


class ScriptedModel:
    """A `ModelClient` that plays its script and remembers what it was asked.

    Attributes:
        prompts: Every prompt it was given, failed attempts included.
        closed: Whether it was closed.
    """

    def __init__(
        self, *responses: Response, usage: TokenUsage | None = None, stream_max_retries: int = 5, again: bool = False
    ) -> None:
        """A model with this script.

        Args:
            responses: In order; each is played once.
            usage: Token counts of every response that names none itself; None reports none.
            stream_max_retries: See `ModelClient`.
            again: Play the last response again and again instead of failing when the script is over.
        """
        self.stream_max_retries = stream_max_retries
        self.prompts: list[Prompt] = []
        self.closed = False
        self._responses = responses
        self._usage = usage
        self._again = again
        self._calls = 0

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ResponseEvent, None]:
        """The next response of the script.

        Raises:
            ModelError: The script is over, or says so.
        """
        number = len(self.prompts)
        self.prompts.append(msgspec.structs.replace(prompt, input=tuple(prompt.input)))
        usage = self._usage
        yield Created()
        for entry in self._entries(number, prompt):
            match entry:
                case _Fails(error=error):
                    raise error
                case _Waits(until=until):
                    await (until or asyncio.Event()).wait()
                case _Uses():
                    usage = entry.usage
                case _:
                    for event in self._events(entry):
                        yield event
        yield Completed(f"scripted_{number + 1}", usage)

    async def aclose(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _entries(self, number: int, prompt: Prompt) -> Iterable[Entry]:
        if self._again and self._responses:
            number = min(number, len(self._responses) - 1)
        if number >= len(self._responses):
            raise ModelError(f"The script of the scripted model has only {len(self._responses)} responses.")
        response = self._responses[number]
        if callable(response):
            return response(prompt)
        return (response,) if isinstance(response, Entry) else response

    def _events(self, entry: _Says | _Reasons | _Calls | _Custom | _Item) -> Sequence[ResponseEvent]:
        match entry:
            case _Says():
                return (*text_deltas(entry.text), ItemDone(assistant_message(entry.text)))
            case _Reasons(raw=True):
                return (RawReasoningDelta(entry.text),)
            case _Reasons():
                item = Reasoning(id=f"rs_{self._number()}", summary=(SummaryText(entry.text),))
                return (ReasoningDelta(entry.text), ItemDone(item))
            case _Calls():
                call_id = entry.call_id or f"call_{self._number()}"
                return (ItemDone(FunctionCall(call_id=call_id, name=entry.name, arguments=entry.arguments)),)
            case _Custom():
                call_id = entry.call_id or f"call_{self._number()}"
                return (ItemDone(CustomToolCall(call_id=call_id, name=entry.name, input=entry.input)),)
            case _Item():
                return (ItemDone(entry.item),)

    def _number(self) -> int:
        self._calls += 1
        return self._calls


def text_deltas(text: str) -> list[TextDelta]:
    """`text` in the pieces a model would stream it in."""
    return [TextDelta(text[start : start + PIECE]) for start in range(0, len(text), PIECE)]


def _usage(used: int, made: int, cached: int, reasoning: int) -> TokenUsage:
    return TokenUsage(
        input_tokens=used,
        cached_input_tokens=cached,
        output_tokens=made,
        reasoning_output_tokens=reasoning,
        total_tokens=used + made,
    )
