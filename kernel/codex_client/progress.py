"""What is seen while the agent works: one line that changes in a notebook, lines in a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

from codex_client.turn_record import TurnRecord
from codex_protocol.events import (
    AgentMessage,
    EventMsg,
    ExecCommandBegin,
    PatchApplyBegin,
    TaskComplete,
    TaskStarted,
    TurnAborted,
)
from codex_render.amounts import clock
from codex_render.command_words import script_of
from codex_render.excerpt import shorten
from codex_render.safe_text import one_line, visible

_MIN_S = 0.1
_WIDTH = 100
_SAID = 600


class TurnProgress:
    """Follows one turn; handed to `on_event`. In a notebook its display is taken over by the result at the end."""

    def __init__(self) -> None:
        """Nothing is shown before the first event."""
        self._show = Line()
        self._began = time.monotonic()
        self._doing = "thinking"
        self._last = 0.0

    def __call__(self, msg: EventMsg, record: TurnRecord) -> None:
        """Show what goes on now."""
        match msg:
            case ExecCommandBegin(command=command):
                self._doing = f"$ {one_line(script_of(command))}"
            case PatchApplyBegin(changes=changes):
                self._doing = f"changing {', '.join(one_line(path) for path in changes)}"
            case AgentMessage() | TaskStarted():
                self._doing = "thinking"
            case TaskComplete() | TurnAborted():
                self._show.end()
                return
            case _:
                pass
        now = time.monotonic()
        if now - self._last < _MIN_S:
            return
        self._last = now
        head = f"… {clock(now - self._began)} {shorten(self._doing, _WIDTH)}"
        said = visible(record.saying.strip())[-_SAID:]
        self._show.show(f"{head}\n{said}" if said else head)


class BatchBar:
    """How many tasks have ended."""

    def __init__(self, total: int) -> None:
        """Show that nothing has ended yet."""
        self._total = total
        self._line = Line()
        self.show(0)

    def show(self, done: int) -> None:
        """Show that `done` have ended."""
        width = 30
        full = width * done // self._total
        self._line.show(f"[{'#' * full}{'.' * (width - full)}] {done}/{self._total}")
        if done == self._total:
            self._line.end(keep=True)


class Line:
    """Text in one place that can be replaced: a display of a notebook, a line of a terminal, nothing elsewhere."""

    def __init__(self) -> None:
        """Nothing is shown yet."""
        self._handle: Any = None
        self._shown = False
        self._notebook = in_notebook()
        self._terminal = not self._notebook and _is_terminal()

    def show(self, text: str) -> None:
        """Replace what is shown."""
        if self._notebook:
            from IPython.display import display  # pyright: ignore[reportUnknownVariableType]

            bundle = {"text/plain": text}
            if self._handle is None:
                self._handle = display(bundle, raw=True, display_id=True)  # pyright: ignore[reportUnknownVariableType]
            else:
                self._handle.update(bundle, raw=True)
        elif self._terminal:
            line = shorten(text.split("\n", 1)[0], _WIDTH)
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
            self._shown = True

    def end(self, *, keep: bool = False) -> None:
        """Take it away, or leave it as it is and go on below."""
        if self._notebook and self._handle is not None and not keep:
            self._handle.update({"text/plain": ""}, raw=True)
        elif self._terminal and self._shown:
            sys.stderr.write("\n" if keep else "\r\x1b[K")
            sys.stderr.flush()


def in_notebook() -> bool:
    """Whether a Jupyter kernel shows what is displayed."""
    main = sys.modules.get("IPython")
    shell = main.get_ipython() if main is not None else None
    return getattr(shell, "kernel", None) is not None


def _is_terminal() -> bool:
    try:
        return sys.stderr.isatty()
    except (ValueError, AttributeError):
        return False
