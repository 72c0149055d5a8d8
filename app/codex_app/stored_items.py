"""A stored thread's items as entries: what was said and done before this agent process began."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

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

_TITLE_CHARS = 300
_shell_arguments = msgspec.json.Decoder(dict[str, Any])


class Page(Protocol):
    """Where entries are put."""

    def add(self, entry: Entry) -> str:
        """Put one at the end."""
        ...

    def prompt(self, text: str, images: list[str]) -> None:
        """Put a message of the user's at the end."""
        ...

    def text_entry(self, kind: str) -> TextEntry:
        """An answer or reasoning, put nowhere yet."""
        ...


def draw_items(items: Iterable[dict[str, Any]], page: Page, calls: dict[str, CommandEntry] | None = None) -> None:
    """Add an entry for each item a person would want to see, outputs to their calls.

    Args:
        items: The next ones, as JSON objects.
        page: Where they go.
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
                page.add(entry)
            case _:
                _said(item, page)


def _said(item: Item, page: Page) -> None:
    match item:
        case Message(role="user") if is_prompt(item):
            page.prompt(item.text(), [part.image_url for part in item.content if isinstance(part, InputImage)])
        case Message(role="assistant"):
            _text(page, "answer", item.text())
        case Reasoning():
            _text(page, "reasoning", "\n\n".join(part.text for part in item.summary))
        case _:
            return


def _text(page: Page, kind: str, text: str) -> None:
    if text.strip():
        entry = page.text_entry(kind)
        entry.append(text)
        entry.finish()
        page.add(entry)


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
