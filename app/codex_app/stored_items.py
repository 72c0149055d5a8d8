"""A stored thread's items as entries: what was said and done before this agent process began."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from codex_app.entries import CommandEntry, Entry, PatchEntry, TextEntry
from codex_app.words import file_fields, relative
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
from codex_protocol.parsed_commands import ParsedCommand
from codex_render.amounts import duration
from codex_render.command_words import Described, describe
from codex_render.patch_diff import files_of_patch
from codex_render.safe_text import one_line, visible
from codex_store.context_items import is_prompt
from codex_store.item_texts import called_by, outcome_of, written_files

_TITLE_CHARS = 300
_PLAN = "update_plan"


class Page(Protocol):
    """Where entries are put."""

    @property
    def cwd(self) -> str:
        """The thread's directory; empty while it is not known."""
        ...

    def add(self, entry: Entry) -> str:
        """Put one at the end."""
        ...

    def prompt(self, text: str, images: list[str]) -> None:
        """Put a message of the user's at the end."""
        ...

    def text_entry(self, kind: str) -> TextEntry:
        """An answer or reasoning, put nowhere yet."""
        ...


Call = CommandEntry | PatchEntry


Parsed = Mapping[str, Sequence[ParsedCommand]]


def draw_items(
    items: Iterable[dict[str, Any]], page: Page, calls: dict[str, Call] | None = None, parsed: Parsed | None = None
) -> None:
    """Add an entry for each item a person would want to see, outputs to their calls.

    Args:
        items: The next ones, as JSON objects.
        page: Where they go.
        calls: The calls so far, for who draws a thread piece by piece; grows.
        parsed: What commands do, by the id of their call, as far as that is known.
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
                    _end(entry, item.text())
            case FunctionCall() | CustomToolCall() | LocalShellCall():
                entry = _call(item, page.cwd, parsed or {})
                if entry is None:
                    continue
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


def _call(item: FunctionCall | CustomToolCall | LocalShellCall, cwd: str, parsed: Parsed) -> Call | None:
    """The call as it is shown, its output yet to come; None for one that changed only the plan."""
    called = called_by(item)
    if called.tool == _PLAN:
        return None
    if called.kind == "patch" and (files := files_of_patch(called.text, lambda path: relative(path, cwd))):
        return PatchEntry(**file_fields(files))
    text = called.text if called.kind != "call" else called.text.removeprefix(f"{called.tool} ")
    steps = [Described(called.tool, text)]
    if called.kind == "command":
        steps = describe(("bash", "-lc", text), parsed.get(called.call_id, ()))
    return CommandEntry(
        steps=[[one_line(step.verb)[:80], one_line(step.what)[:_TITLE_CHARS]] for step in steps],
        exploring=all(step.exploring for step in steps),
        script=visible(text),
        cwd=one_line(called.cwd),
        sandboxed=True,
        yours=False,
    )


def _end(entry: Call, output: str) -> None:
    """What came of a call, as far as its output says."""
    outcome = outcome_of(output)
    failed = outcome.exit_code not in (None, 0)
    state = "failed" if failed else "done"
    if isinstance(entry, PatchEntry):
        applied = bool(written_files(outcome.output))
        entry.set(state="done" if applied else "failed", error="" if applied else visible(outcome.output))
        return
    took = "" if outcome.duration_s is None else duration(outcome.duration_s)
    entry.end(outcome.output, state=state, exit_code=outcome.exit_code or 0, timed_out=False, duration=took)
