"""Search over all threads for the page: places with their words marked, and which entry of a conversation one is."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from codex_app.entries import Entry
from codex_render.safe_text import one_line, visible
from codex_store.home import Home
from codex_store.search import Found, search_threads

Json = dict[str, Any]
LIMIT = 60
FILTERS: Mapping[str, tuple[str, ...]] = {
    "all": (),
    "said": ("prompt", "answer"),
    "run": ("command", "call"),
    "printed": ("output",),
    "patched": ("patch",),
}
_DRAWN_AS = {
    "prompt": ("user",),
    "answer": ("answer", "reasoning"),
    "command": ("command",),
    "output": ("command", "tool"),
    "patch": ("patch", "command"),
    "call": ("tool", "command"),
}
_GAP = " … "
_tag = re.compile(r"<[^>]*>")
_blank = re.compile(r"\s+")
_words = re.compile(r"\w+")


async def search(home: Home, text: str, kind: str, thread_id: str) -> list[Json]:
    """The places, best first; archived threads count too.

    Args:
        home: Whose threads.
        text: What to look for, as `search_threads` takes it.
        kind: One of `FILTERS`.
        thread_id: In this thread alone; empty for all.

    Raises:
        CodexError: There is nothing to look for, or no index can be made.
    """
    found = await asyncio.to_thread(search_threads, home, text, limit=LIMIT, kinds=FILTERS[kind], thread_id=thread_id)
    return [_view(place) for place in found]


def _view(found: Found) -> Json:
    return {
        "thread": found.thread_id,
        "name": one_line(found.name or "") or None,
        "kind": found.kind,
        "turn": found.turn,
        "at": None if found.at_ms is None else found.at_ms / 1000,
        "pieces": _pieces(found.excerpt, found.marks),
        "line": _line(found),
    }


def _pieces(excerpt: str, marks: Sequence[tuple[int, int]]) -> list[list[Any]]:
    """The excerpt in pieces: text, and whether it was looked for."""
    pieces: list[list[Any]] = []
    at = 0
    for start, end in marks:
        pieces += [[_shown(excerpt[at:start]), False], [_shown(excerpt[start:end]), True]]
        at = end
    return [piece for piece in [*pieces, [_shown(excerpt[at:]), False]] if piece[0]]


def _shown(text: str) -> str:
    return visible(_blank.sub(" ", text))


def _line(found: Found) -> str:
    """The line with the first word that was found, as far as the excerpt has it."""
    start = found.marks[0][0] if found.marks else 0
    text = found.excerpt
    begins = max(text.rfind("\n", 0, start) + 1, text.rfind(_GAP, 0, start) + 1)
    ends = [end for end in (text.find("\n", start), text.find(_GAP, start)) if end >= 0]
    return text[begins : min(ends, default=len(text))].strip(" …")


def find_entry(entries: Mapping[str, Entry], kind: str, line: str, message: int | None) -> str | None:
    """The id of the entry in which a place stands; the message that began its turn where it cannot be told.

    Args:
        entries: Of the conversation, in order.
        kind: As in `Found`.
        line: Words that stand in it, as in `_line`.
        message: Number of the message that began the turn; None when it is not known.
    """
    wanted = _said(visible(line))
    drawn_as = _DRAWN_AS.get(kind, ())
    ids = list(entries)
    begins = next((at for at, id in enumerate(ids) if entries[id].fields.get("number") == message), None)
    if message is None or begins is None:
        begins = None
    order = ids if begins is None else [*ids[begins:], *ids[:begins]]
    for id in order:
        if entries[id].fields["kind"] in drawn_as and wanted in _said(_plain(entries[id])):
            return id
    return None if begins is None else ids[begins]


def _said(text: str) -> str:
    return f" {' '.join(_words.findall(text))} "


def _plain(entry: Entry) -> str:
    """The words that are drawn."""
    source = getattr(entry, "text", None)
    if isinstance(source, str):
        return source
    view = entry.view()
    drawn = "\n".join(str(view.get(key) or "") for key in ("html", "lines", "tail"))
    texts = [str(view.get(key) or "") for key in ("text", "script", "what")]
    return "\n".join([*texts, html.unescape(_tag.sub(" ", drawn))])
