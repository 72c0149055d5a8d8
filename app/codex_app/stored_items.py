"""A stored thread's items as entries: what was said and done before this agent process began."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from codex_app.entries import CommandEntry, Entry, TextEntry
from codex_protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputImage,
    Item,
    LocalShellCall,
    Message,
    Reasoning,
    item_from_object,
)
from codex_render.command_words import script_of
from codex_render.safe_text import one_line, visible
from codex_store.context_items import is_prompt

Add = Callable[[Entry], str]
_TITLE_CHARS = 300
_shell_arguments = msgspec.json.Decoder(dict[str, Any])


def draw_items(items: Iterable[dict[str, Any]], add: Add, calls: dict[str, CommandEntry] | None = None) -> None:
    """Add an entry for each item a person would want to see, outputs to their calls.

    Args:
        items: The next ones, as JSON objects.
        add: Puts an entry at the end.
        calls: The calls so far, for who draws a thread piece by piece; grows.
    """
    calls = {} if calls is None else calls
    for raw in items:
        try:
            item = item_from_object(raw)
        except msgspec.ValidationError:
            continue
        match item:
            case FunctionCallOutput() | CustomToolCallOutput():
                entry = calls.get(item.call_id)
                if entry is not None:
                    entry.end(item.text(), state="done")
            case FunctionCall() | CustomToolCall() | LocalShellCall():
                entry = _call(item)
                if item.call_id is not None:
                    calls[item.call_id] = entry
                add(entry)
            case _:
                _said(item, add)


def _said(item: Item, add: Add) -> None:
    match item:
        case Message(role="user") if is_prompt(item):
            images = sum(isinstance(part, InputImage) for part in item.content)
            add(Entry("user", text=visible(item.text()), images=images, steered=False, at=None))
        case Message(role="assistant"):
            _text("answer", item.text(), add)
        case Reasoning():
            _text("reasoning", "\n\n".join(part.text for part in item.summary), add)
        case _:
            return


def _text(kind: str, text: str, add: Add) -> None:
    if text.strip():
        entry = TextEntry(kind, None)
        entry.append(text)
        entry.finish()
        add(entry)


def _call(item: FunctionCall | CustomToolCall | LocalShellCall) -> CommandEntry:
    if isinstance(item, LocalShellCall):
        verb, text = "Run", script_of(item.action.command)
    elif isinstance(item, CustomToolCall):
        verb, text = item.name, item.input
    else:
        verb, text = _function(item)
    entry = CommandEntry(
        steps=[[one_line(verb)[:80], one_line(text)[:_TITLE_CHARS]]],
        exploring=False,
        script=visible(text),
        cwd="",
        sandboxed=True,
        yours=False,
    )
    entry.set(state="done")
    return entry


def _function(item: FunctionCall) -> tuple[str, str]:
    try:
        arguments = _shell_arguments.decode(item.arguments)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return item.name, item.arguments
    command = arguments.get("command", arguments.get("cmd"))
    if isinstance(command, str):
        return "Run", command
    if isinstance(command, list) and command and all(isinstance(word, str) for word in command):
        return "Run", script_of(command)
    return item.name, item.arguments
