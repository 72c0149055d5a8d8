"""One command while it runs: a page sees the end of its output grow, a console gets it line by line."""

from __future__ import annotations

import asyncio
from typing import Literal

from codex_kernel.jupyter.growing_text import FRAME_S
from codex_kernel.jupyter.outputs import Outputs
from codex_protocol.events import ExecCommandBegin, ExecCommandEnd
from codex_render import bundles
from codex_render.safe_text import output_text

_TAIL_BYTES = 16_384
_LIVE_LINES = 400
"""Lines of one command's output that a console is sent as they come."""

Stream = Literal["stdout", "stderr"]


class CommandView:
    """Draws one command from its beginning to its end."""

    def __init__(self, outputs: Outputs, began: ExecCommandBegin, *, alone: bool) -> None:
        """Draw the beginning.

        Args:
            outputs: Where.
            began: What runs.
            alone: No other command runs: on a console, lines of two would be mixed up, so the later is shown whole.
        """
        self._out = outputs
        self._began = began
        self._live = outputs.style == "append" and alone
        self._tail = b""
        self._unsent: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        self._lines_sent = 0
        self._clock: asyncio.TimerHandle | None = None
        self._display_id = ""
        if outputs.style == "update":
            self._display_id = outputs.display(bundles.running_command(began, ""), growing=True)
        elif self._live:
            outputs.display({"text/plain": bundles.command_title(began)})

    def add(self, chunk: bytes, stream: Stream) -> None:
        """The next piece of its output."""
        if self._live:
            self._unsent[stream] += chunk
        self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
        if self._clock is None and (self._live or self._display_id):
            self._clock = asyncio.get_running_loop().call_later(3 * FRAME_S, self._draw)

    def end(self, ended: ExecCommandEnd) -> None:
        """It ended."""
        self.stop()
        if self._live:
            self._send_lines(last=True)
            self._out.stream(f"{bundles.verdict(ended)}\n")
        elif self._display_id:
            self._out.update(self._display_id, bundles.ended_command(self._began, ended))
        else:
            self._out.display(bundles.ended_command(self._began, ended))

    def stop(self) -> None:
        """Draw no more."""
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _draw(self) -> None:
        self._clock = None
        if self._live:
            self._send_lines(last=False)
        else:
            text = self._tail.decode("utf-8", "replace")
            self._out.update(self._display_id, bundles.running_command(self._began, text))

    def _send_lines(self, *, last: bool) -> None:
        for stream, unsent in self._unsent.items():
            end = len(unsent) if last else unsent.rfind(b"\n") + 1
            self._unsent[stream] = unsent[end:]
            self._send(unsent[:end], stream)

    def _send(self, data: bytes, stream: Stream) -> None:
        if not data or self._lines_sent > _LIVE_LINES:
            return
        lines = output_text(data.decode("utf-8", "replace")).removesuffix("\n").split("\n")
        room = _LIVE_LINES - self._lines_sent
        self._lines_sent += len(lines)
        self._out.stream("".join(f"{line}\n" for line in lines[:room]), stream)
        if self._lines_sent > _LIVE_LINES:
            self._out.stream(f"… more output; the first {_LIVE_LINES} lines are shown\n")
