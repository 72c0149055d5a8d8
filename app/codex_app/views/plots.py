"""The plots of one thread: tokens, context, time and files, from what its rollout says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn

from codex_app.views.figures import Bars, Part
from codex_protocol.errors import CodexError
from codex_render.excerpt import shorten
from codex_render.safe_text import one_line
from codex_store.home import Home
from codex_store.insight import TurnNumbers, turn_numbers
from codex_store.thread_follower import ThreadFollower
from codex_store.thread_ids import is_thread_id
from codex_store.threads import find_thread

_SHOWN = 60
"""Bars in a figure; the newest."""
KINDS = (
    Part("input", "input", 0),
    Part("cached", "cached", 1),
    Part("output", "output", 2),
    Part("reasoning", "reasoning", 3),
)


class ThreadPlots:
    """Figures over one thread; `read` looks at the disk, what it returns puts it into the figures."""

    def __init__(self, home: Home, thread_id: str) -> None:
        """Nothing is read yet."""
        self._home = home
        self._thread_id = thread_id if is_thread_id(thread_id) else ""
        self._follower: ThreadFollower | None = None
        columns = [
            ("turn", "Turn"),
            *((part.field, part.label) for part in KINDS),
            ("total", "total"),
            ("cost", "cost"),
        ]
        self.tokens = Bars("tokens", KINDS, columns)
        self._bars = [self.tokens]

    def roots(self) -> dict[str, Any]:
        """The Panel objects of the document, by the name of their place."""
        return {bars.name: pn.pane.Bokeh(bars.figure, sizing_mode="stretch_width") for bars in self._bars}

    def theme(self, *, dark: bool) -> None:
        """Take the colours of the page."""
        for bars in self._bars:
            bars.theme(dark=dark)

    def read(self) -> Callable[[], None] | None:
        """Look at the disk, in any thread; what draws it, to be called with the document; None: nothing is new."""
        if not self._thread_id:
            return None
        try:
            if self._follower is None:
                self._follower = ThreadFollower(find_thread(self._home, self._thread_id).path)
            if not self._follower.read():
                return None
        except CodexError:  # nothing is on disk before the first prompt
            self._follower = None
            return None
        numbers = [turn_numbers(turn) for turn in self._follower.turns()]
        tokens = token_columns(numbers)

        def put() -> None:
            self.tokens.put(tokens)

        return put


def token_columns(numbers: list[TurnNumbers]) -> dict[str, list[Any]]:
    """Tokens by turn, the newest turns alone."""
    shown = numbers[-_SHOWN:]
    return {
        "x": [each.turn for each in shown],
        "turn": [each.turn for each in shown],
        "label": [shorten(one_line(each.prompt), 60) for each in shown],
        "input": [each.input_tokens for each in shown],
        "cached": [each.cached_tokens for each in shown],
        "output": [each.output_tokens for each in shown],
        "reasoning": [each.reasoning_tokens for each in shown],
        "total": [each.usage.total_tokens for each in shown],
        "cost": [str(each.cost) for each in shown],
        "goto": [each.turn for each in shown],
    }
