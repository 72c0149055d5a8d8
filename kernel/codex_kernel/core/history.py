"""The items a thread's model sees, in order, and their way to disk.

Invariants: an item is on disk before anybody is told of it; every call has exactly one output, right after the calls
of its response, in call order; a call is never answered twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from codex_protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    Item,
    LocalShellCall,
    Message,
    OtherItem,
    OutputItem,
    ToolCallItem,
    WebSearchCall,
)
from codex_store.context_items import is_prompt

_CALLS = (FunctionCall, CustomToolCall, LocalShellCall)

ABORTED = "aborted"
"""Output of a call that was never answered. Source: spec/agent-loop.md section 4."""


class Recorder(Protocol):
    """Where items go to last: the rollout, or nowhere for an ephemeral thread."""

    def items(self, *items: Item, client_id: str | None = None) -> None:
        """Write the items, with what the client that sent the first calls it; on return they survive the process.

        Raises:
            RolloutError: They could not be written.
        """
        ...


class History:
    """The items of one thread."""

    def __init__(self, recorder: Recorder, items: Iterable[Item] = ()) -> None:
        self._recorder = recorder
        self.items: list[Item] = [item for item in items if is_kept(item)]
        """What the next request sends. Changed only through this class."""
        self._call_ids = {call_id_of(item) for item in self.items if isinstance(item, _CALLS)}

    def record(self, *items: Item, client_id: str | None = None) -> None:
        """Write items and append them; `client_id` is what the client that sent the first calls it."""
        kept = [item for item in items if is_kept(item)]
        if kept:
            self._recorder.items(*kept, client_id=client_id)
            self.items += kept

    def write(self, *items: Item, client_id: str | None = None) -> None:
        """Write items that join the sequence later, by `append`."""
        self._recorder.items(*items, client_id=client_id)

    def append(self, *items: Item) -> None:
        """Append items that are on disk already."""
        self.items += items

    def replace(self, items: Sequence[Item]) -> None:
        """Put a compacted history in the place of this one; writing it is the caller's business."""
        self.items = list(items)

    def with_fresh_call_ids(self, items: Sequence[Item]) -> list[Item]:
        """The items, with a new id for each call whose id was used before.

        Some local servers number calls anew in each response; an id that stands twice could not be answered twice.
        """
        fresh: list[Item] = []
        for item in items:
            if isinstance(item, _CALLS):
                key = call_id_of(item)
                if not key or key in self._call_ids:
                    key = f"{key or 'call'}_{os.urandom(4).hex()}"
                    item = msgspec.structs.replace(item, call_id=key)
                self._call_ids.add(key)
            fresh.append(item)
        return fresh

    def last_user_text(self) -> str | None:
        """The text of the last thing the user said."""
        for item in reversed(self.items):
            if isinstance(item, Message) and item.role == "user" and not is_context(item):
                return item.text()
        return None


def is_kept(item: Item) -> bool:
    """Whether an item belongs into the history. Source: spec/agent-loop.md section 7."""
    if isinstance(item, OtherItem | WebSearchCall):
        return False
    return not (isinstance(item, Message) and item.role == "system")


def is_context(item: Message) -> bool:
    """Whether a message was written by us, not by the user."""
    return item.role == "developer" or (item.role == "user" and not is_prompt(item))


def is_call(item: Item) -> bool:
    """Whether an item asks for an output."""
    return isinstance(item, _CALLS)


def call_id_of(call: ToolCallItem) -> str:
    """The key that joins a call and its output; empty when the provider gave none."""
    if isinstance(call, LocalShellCall):
        return call.call_id or call.id or ""
    return call.call_id


def output_for(call: ToolCallItem, content: str | tuple[object, ...]) -> OutputItem:
    """The output item of the kind the call asks for."""
    kind = CustomToolCallOutput if isinstance(call, CustomToolCall) else FunctionCallOutput
    return kind(call_id=call_id_of(call), output=content)  # pyright: ignore[reportArgumentType]


def in_call_order(items: Iterable[Item]) -> tuple[list[Item], list[OutputItem]]:
    """Items as a rollout holds them, put into the order the model saw.

    On disk an output stands where its call ended, and what the user said meanwhile stands between; the model sees the
    outputs right after the calls of their response, in call order, then what the user said.

    Returns:
        The items, and the outputs that had to be made up for calls that were never answered (they are among the items).
    """
    source = list(items)
    answers: dict[str, OutputItem] = {}
    for item in source:
        if isinstance(item, FunctionCallOutput | CustomToolCallOutput):
            answers.setdefault(item.call_id, item)
    ordered: list[Item] = []
    made_up: list[OutputItem] = []
    calls: list[ToolCallItem] = []
    meanwhile: list[Item] = []
    answered = False
    seen: set[str] = set()

    def close() -> None:
        nonlocal answered
        for call in calls:
            key = call_id_of(call)
            if key in seen:
                continue
            seen.add(key)
            output = answers.get(key)
            if output is None:
                output = output_for(call, ABORTED)
                made_up.append(output)
            ordered.append(output)
        ordered.extend(meanwhile)
        calls.clear()
        meanwhile.clear()
        answered = False

    for item in source:
        match item:
            case FunctionCall() | CustomToolCall() | LocalShellCall():
                if answered or meanwhile:
                    close()
                if call_id_of(item) in seen or any(call_id_of(c) == call_id_of(item) for c in calls):
                    continue  # a second call of the same id could not be answered
                ordered.append(item)
                calls.append(item)
            case FunctionCallOutput() | CustomToolCallOutput():
                answered = True
            case Message(role="user" | "developer") if calls:
                meanwhile.append(item)
            case _:
                if answered or meanwhile:
                    close()
                ordered.append(item)
    close()
    return ordered, made_up
