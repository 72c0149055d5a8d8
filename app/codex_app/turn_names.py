"""What a person calls the turns that changed files: what was said before each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from codex_protocol.errors import RolloutError
from codex_render.excerpt import shorten
from codex_render.safe_text import one_line
from codex_store.home import Home
from codex_store.thread_tree import Prompt, own_prompts
from codex_store.threads import find_thread

_CHARS = 80


class TurnNames:
    """Read from the thread's file, again only when there are more turns."""

    def __init__(self, home: Home) -> None:
        """Nothing is read yet."""
        self._home = home
        self._kept: tuple[str, Sequence[float], list[str]] = ("", (), [])

    def of(self, thread_id: str, began: Sequence[float]) -> list[str]:
        """For each turn the last thing that was said before it ran something; empty where nobody knows."""
        if self._kept[:2] != (thread_id, began):
            try:
                prompts = own_prompts(find_thread(self._home, thread_id).path) if began else []
            except RolloutError:
                prompts = []
            self._kept = (thread_id, began, [_said_before(prompts, at) for at in began])
        return self._kept[2]


def said_at(prompt: Prompt) -> float:
    """Seconds since 1970; NaN where the file does not say."""
    try:
        return datetime.fromisoformat(prompt.at).timestamp()
    except ValueError:
        return math.nan


def _said_before(prompts: Sequence[Prompt], at: float) -> str:
    before = [prompt for prompt in prompts if said_at(prompt) <= at]
    return shorten(one_line(" ".join(before[-1].text.split())), _CHARS) if before else ""
