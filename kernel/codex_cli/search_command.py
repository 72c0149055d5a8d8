"""`codex search`: the places in all threads where words stand together."""

from __future__ import annotations

import json
import sys
import time

import msgspec

from codex_cli.numbers import above_zero
from codex_cli.parser import Parsed
from codex_render.excerpt import shorten
from codex_render.safe_text import one_line
from codex_render.terminal import is_terminal, width_of
from codex_store.home import find_home
from codex_store.search import Found, search_threads

_LIMIT = 20


def run_search_command(parsed: Parsed) -> int:
    """0 when something was found, 1 when nothing was.

    Raises:
        CommandLineError: The limit is no number.
        UsageError: There is no word to search for.
        RolloutError: The index cannot be used.
    """
    found = search_threads(find_home(), " ".join(parsed.words), limit=above_zero(parsed, "limit") or _LIMIT)
    if parsed.flag("json"):
        sys.stdout.write("".join(msgspec.json.encode(place).decode() + "\n" for place in found))
    else:
        width = width_of(1) if is_terminal(sys.stdout) else 10_000
        sys.stdout.write("".join(f"{line}\n" for place in found for line in _lines(place, width)))
    sys.stdout.flush()
    if not found:
        sys.stderr.write(f"Nothing was found for {json.dumps(' '.join(parsed.words), ensure_ascii=False)}.\n")
    return 0 if found else 1


def _lines(place: Found, width: int) -> list[str]:
    """Where it stands, and what stands there."""
    when = "" if place.at_ms is None else time.strftime(" %Y-%m-%d %H:%M", time.localtime(place.at_ms / 1000))
    name = f" {one_line(place.name)}" if place.name else ""
    return [f"{place.thread_id} turn {place.turn} {place.kind}{when}{name}", "  " + _snippet(place.excerpt, width - 2)]


def _snippet(text: str, width: int) -> str:
    return shorten(one_line(" ".join(text.split())), max(20, width))
