"""One message of the model while it comes: replaced in place on a page, block by block on a console."""

from __future__ import annotations

import asyncio

from codex_kernel.jupyter.outputs import Outputs
from codex_render import bundles

FRAME_S = 1 / 30
_CHARACTERS_PER_S = 1_000_000
"""Long texts are redrawn less often, so that redrawing costs no more than this."""


class GrowingText:
    """Used for one message after the other."""

    def __init__(self, outputs: Outputs) -> None:
        """Draw on `outputs`."""
        self._out = outputs
        self._pieces: list[str] = []
        self._shown = 0  # characters a console has already
        self._display_id = ""
        self._clock: asyncio.TimerHandle | None = None

    def add(self, delta: str) -> None:
        """The next piece."""
        self._pieces.append(delta)
        if self._clock is None and self._out.style != "whole":
            self._clock = asyncio.get_running_loop().call_later(self._pause(), self._draw)

    def finish(self, message: str) -> None:
        """The message is whole; nothing that was shown of it is shown twice."""
        self._stop()
        if self._out.style == "append" and self._shown and message.startswith("".join(self._pieces)[: self._shown]):
            rest = message[self._shown :].strip("\n")
            if rest:
                self._out.display(bundles.markdown(rest))
        elif self._display_id and self._out.style == "update":
            self._out.update(self._display_id, bundles.markdown(message))
        elif message.strip():
            self._out.display(bundles.markdown(message))
        self._forget()

    def settle(self) -> None:
        """Nothing more will come of an unfinished message: show it as it stands."""
        if self._pieces:
            self.finish("".join(self._pieces))

    def drop(self) -> None:
        """It will be said anew."""
        if self._display_id and self._out.style == "update":
            self._out.update(self._display_id, {"text/plain": ""})
        self._stop()
        self._forget()

    def _draw(self) -> None:
        self._clock = None
        text = "".join(self._pieces)
        self._pieces = [text]
        if self._out.style == "append":
            self._draw_blocks(text)
        elif self._display_id:
            self._out.update(self._display_id, bundles.growing_markdown(text))
        elif text.strip():
            self._display_id = self._out.display(bundles.growing_markdown(text), growing=True)

    def _draw_blocks(self, text: str) -> None:
        """A console gets every block once, when it is whole."""
        end = _end_of_whole_blocks(text)
        if end > self._shown:
            block = text[self._shown : end].strip("\n")
            self._shown = end
            if block:
                self._out.display(bundles.markdown(block))

    def _pause(self) -> float:
        length = len(self._pieces[0])
        return max(FRAME_S, length / _CHARACTERS_PER_S)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _forget(self) -> None:
        self._pieces.clear()
        self._shown, self._display_id = 0, ""


def _end_of_whole_blocks(text: str) -> int:
    """Where the last blank line outside a fenced block ends."""
    end = at = 0
    fence = ""
    for line in text.splitlines(keepends=True):
        at += len(line)
        stripped = line.strip()
        if fence:
            fence = "" if stripped.startswith(fence) and not stripped.strip(fence[0]) else fence
        elif stripped.startswith(("```", "~~~")):
            fence = stripped[:3]
        elif not stripped and line.endswith("\n"):
            end = at
    return end
