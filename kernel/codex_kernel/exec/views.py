"""Where a run's events go: JSON lines on stdout, or text for people on stderr with the answer alone on stdout."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import TYPE_CHECKING, Protocol

from codex_kernel.exec.json_events import JsonEvents
from codex_kernel.exec.json_lines import encode_lines
from codex_kernel.exec.request import ExecRequest
from codex_protocol.events import ApprovalResolved, EventMsg, TaskComplete
from codex_protocol.version import VERSION
from codex_render.safe_text import safe_json, visible
from codex_render.terminal import Paint, colour_wanted, is_terminal, same_place, width_of
from codex_render.writer import QueuedWriter

if TYPE_CHECKING:
    from codex_kernel.exec.human import HumanView

_FRAME_S = 1 / 30
_TICK_S = 0.5


class View(Protocol):
    """Shows a run."""

    def show(self, event: EventMsg) -> None:
        """Take an event; returns at once."""
        ...

    def notice(self, text: str) -> None:
        """Tell a person, on stderr, what is not part of the run."""
        ...

    def close(self) -> None:
        """Wait until all is written.

        Raises:
            OSError: stdout could not take everything; `BrokenPipeError` when its reader had gone.
        """
        ...


class JsonView:
    """`--json`: every line goes out by itself, at once."""

    def __init__(self) -> None:
        self._events = JsonEvents()
        self._stdout = QueuedWriter(1)
        self._watched = is_terminal(sys.stdout)

    def show(self, event: EventMsg) -> None:
        """Print the event's lines."""
        if lines := self._events.lines(event):
            data = encode_lines(lines)
            self._stdout.write(safe_json(data.decode()).encode() if self._watched else data)
        elif type(event) is ApprovalResolved and event.decision in ("denied", "abort"):
            say(f"ERROR: not allowed, and nobody can be asked here (call {event.call_id})")

    def notice(self, text: str) -> None:
        """One line on stderr."""
        say(text)

    def close(self) -> None:
        """Wait until all is written."""
        _finish(self._stdout)


class HumanText:
    """Text for people on stderr; the last answer on stdout, unless it stands on the same terminal already."""

    def __init__(self, request: ExecRequest, prompt: str, *, hide_reasoning: bool) -> None:
        from codex_kernel.exec.human import HumanOptions, HumanView
        from codex_render.screen import Screen

        live = is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"
        together = same_place(1, 2)
        colour = colour_wanted(request.colour, is_terminal=is_terminal(sys.stderr), env=os.environ)
        paint = Paint(colour)
        self._stderr = QueuedWriter(2)
        self._stdout = QueuedWriter(1)
        self._together = together
        self._answer_on_stdout = not (live and together)
        screen = Screen(self._stderr.write, live=live, width=lambda: width_of(2), paint_status=paint.dim)
        options = HumanOptions(
            prompt=prompt,
            version=VERSION,
            stream_answer=live,
            answer_elsewhere=together and not live,
            hide_reasoning=hide_reasoning,
        )
        self._view = HumanView(screen, paint, options)
        if live:
            _log_through(self._view)
        self._clock: asyncio.TimerHandle | None = None
        self._frame: asyncio.TimerHandle | None = None
        self._answer: str | None = None

    def show(self, event: EventMsg) -> None:
        """Draw the event; pieces of the answer are drawn together, 30 times a second."""
        self._view.show(event)
        if isinstance(event, TaskComplete) and event.error is None:
            self._answer = event.last_agent_message
        loop = asyncio.get_running_loop()
        if self._view.streaming and self._frame is None:
            self._frame = loop.call_later(_FRAME_S, self._draw_frame)
        if self._clock is None:
            self._clock = loop.call_later(_TICK_S, self._tick)

    def notice(self, text: str) -> None:
        """A remark between the events."""
        self._view.notice(text)

    def close(self) -> None:
        """Print the answer and wait until all is written."""
        for timer in (self._clock, self._frame):
            if timer is not None:
                timer.cancel()
        self._view.finish()
        if self._together:
            self._stderr.close()  # what stands above the answer comes first
        if self._answer is not None and self._answer_on_stdout:
            # A program gets the answer as it is; a terminal must not obey what a model wrote.
            answer = visible(self._answer) if is_terminal(sys.stdout) else self._answer
            self._stdout.write(answer.encode("utf-8", "replace") + b"\n")
        try:
            _finish(self._stdout)
        finally:
            if not self._together:
                if self._stderr.backlog:
                    _end_of_file(1)  # who reads stdout to its end before stderr must not wait for us, and we for him
                self._stderr.close()

    def _draw_frame(self) -> None:
        self._frame = None
        self._view.tick()

    def _tick(self) -> None:
        self._clock = asyncio.get_running_loop().call_later(_TICK_S, self._tick)
        if not self._stderr.backlog:
            self._view.tick()


def say(text: str) -> None:
    """One line on stderr, made safe; nothing happens when nobody can be told."""
    try:
        sys.stderr.write(visible(text) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return


class _LogLines(logging.Handler):
    """Log lines between the others, not into the status line."""

    def __init__(self, view: HumanView) -> None:
        super().__init__()
        self._view = view

    def emit(self, record: logging.LogRecord) -> None:
        """Draw the line; one from another thread goes out as it always did."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            say(self.format(record))
        else:
            self._view.notice(self.format(record))


def _log_through(view: HumanView) -> None:
    root = logging.getLogger()
    for at, handler in enumerate(root.handlers):
        if type(handler) is logging.StreamHandler:
            lines = _LogLines(view)
            lines.setFormatter(handler.formatter)
            root.handlers[at] = lines


def _end_of_file(descriptor: int) -> None:
    """Let the reader see the end; the number stays taken, so that no file opened later gets it."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def _finish(writer: QueuedWriter) -> None:
    writer.close()
    if writer.failure is not None:
        raise writer.failure
