"""Threads in numbers: tokens, time, files and cost by turn, and what fills the context. Pure functions over records.

The page's plots, `Codex.turns()` and notebooks take their numbers from here; the tokens are those of `Codex.usage()`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import add
from typing import Literal, get_args

import msgspec

from codex_protocol.items import (
    CustomToolCallOutput,
    FunctionCallOutput,
    InputImage,
    Item,
    Message,
    Reasoning,
    ToolCallItem,
    encode_item,
)
from codex_protocol.token_usage import TokenUsage
from codex_store.context_items import is_prompt
from codex_store.prices import NOTHING, UNKNOWN, Cost, Prices, cost
from codex_store.turn_records import Status, TurnRecord

BYTES_PER_TOKEN = 4
"""By which text is estimated where the provider does not count it apart."""


class TurnNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """One turn, or several added up."""

    turn: int = 0
    id: str = ""
    prompt: str = ""
    model: str = ""
    status: Status = "completed"
    started_ms: int | None = None
    requests: int = 0
    """Responses that the provider counted tokens of."""
    usage: TokenUsage = TokenUsage()
    request_s: float = 0
    """Waiting for and reading responses."""
    longest_request_s: float = 0
    command_s: float = 0
    """Commands running, as their outputs say; those side by side count each."""
    commands: int = 0
    files: tuple[str, ...] = ()
    """Written by patches, in order, each once."""
    cost: Cost = UNKNOWN

    @property
    def input_tokens(self) -> int:
        """Input that was not cached."""
        return max(0, self.usage.input_tokens - self.usage.cached_input_tokens)

    @property
    def cached_tokens(self) -> int:
        """Input from the provider's cache."""
        return self.usage.cached_input_tokens

    @property
    def output_tokens(self) -> int:
        """Output without reasoning."""
        return max(0, self.usage.output_tokens - self.usage.reasoning_output_tokens)

    @property
    def reasoning_tokens(self) -> int:
        """Reasoning."""
        return self.usage.reasoning_output_tokens


def turn_numbers(turn: TurnRecord, prices: Prices | None = None) -> TurnNumbers:
    """A turn in numbers; without prices its cost is unknown."""
    waits = [each.duration_s for each in turn.usages if each.duration_s is not None]
    costs = (cost(turn.model, each.usage, prices or {}) for each in turn.usages)
    return TurnNumbers(
        turn=turn.number,
        id=turn.id,
        prompt=turn.prompt or "",
        model=turn.model,
        status=turn.status,
        started_ms=turn.started_ms,
        requests=len(turn.usages),
        usage=reduce(add, (each.usage for each in turn.usages), TokenUsage()),
        request_s=sum(waits),
        longest_request_s=max(waits, default=0),
        command_s=sum(command.duration_s or 0 for command in turn.commands),
        commands=len(turn.commands),
        files=tuple(dict.fromkeys(turn.files)),
        cost=reduce(add, costs, NOTHING),
    )


def total(numbers: Iterable[TurnNumbers]) -> TurnNumbers:
    """All of them together."""
    found = list(numbers)
    files = dict.fromkeys(path for each in found for path in each.files)
    return TurnNumbers(
        requests=sum(each.requests for each in found),
        usage=reduce(add, (each.usage for each in found), TokenUsage()),
        request_s=sum(each.request_s for each in found),
        longest_request_s=max((each.longest_request_s for each in found), default=0),
        command_s=sum(each.command_s for each in found),
        commands=sum(each.commands for each in found),
        files=tuple(files),
        cost=reduce(add, (each.cost for each in found), NOTHING),
    )


class FileNumbers(msgspec.Struct, frozen=True):
    """A file that patches wrote."""

    path: str
    patches: int
    last_turn: int


def file_numbers(turns: Iterable[TurnRecord]) -> list[FileNumbers]:
    """The files that patches wrote, the one that was written most often first."""
    counts: dict[str, int] = {}
    last: dict[str, int] = {}
    for turn in turns:
        for path in turn.files:
            counts[path] = counts.get(path, 0) + 1
            last[path] = turn.number
    return [FileNumbers(path, counts[path], last[path]) for path in sorted(counts, key=lambda path: -counts[path])]


Category = Literal["instructions and tools", "messages", "answers", "reasoning", "tool calls", "tool outputs", "images"]
CATEGORIES: tuple[Category, ...] = get_args(Category)


class ContextNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """What fills the model's context: `used` is the provider's count, the parts are estimated and add up to it."""

    used: int
    """Tokens the next request starts from; 0 before the first response."""
    window: int | None
    """Tokens the model can hold."""
    parts: dict[Category, int]


def context_numbers(history: Sequence[Item], last: TokenUsage | None, window: int | None) -> ContextNumbers:
    """What fills the context.

    Args:
        history: What the model sees.
        last: Tokens of the last response.
        window: Tokens the model can hold.
    """
    sizes: dict[Category, int] = dict.fromkeys(CATEGORIES, 0)
    for item in history:
        for category, size in _sizes(item):
            sizes[category] += size
    parts: dict[Category, int] = {category: -(-size // BYTES_PER_TOKEN) for category, size in sizes.items()}
    used = 0 if last is None else last.in_context()
    if (said := sum(parts.values())) > used:
        parts = {category: size * used // said for category, size in parts.items()}
    # What is left is what no item holds: the base prompt and the tools' descriptions.
    parts["instructions and tools"] += used - sum(parts.values())
    return ContextNumbers(used=used, window=window, parts=parts)


def _sizes(item: Item) -> list[tuple[Category, int]]:
    match item:
        case Message():
            images = sum(len(part.image_url) for part in item.content if isinstance(part, InputImage))
            kind: Category = "instructions and tools"
            if item.role == "assistant":
                kind = "answers"
            elif is_prompt(item):
                kind = "messages"
            return [(kind, _bytes(item.text())), ("images", images)]
        case Reasoning():
            return [("reasoning", sum(_bytes(part.text) for part in item.summary))]
        case FunctionCallOutput() | CustomToolCallOutput():
            return [("tool outputs", _bytes(item.text()))]
        case _ if isinstance(item, ToolCallItem):
            return [("tool calls", len(encode_item(item)))]
        case _:
            return []


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
