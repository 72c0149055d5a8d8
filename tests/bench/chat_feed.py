"""Panel's own chat, beside our page in `tests.bench.page`: `python -m tests.bench.chat_feed PORT MESSAGES DELTAS RATE`.

The kindest case for it: what is streamed is handed over thirty times a second, as our page does, not piece by piece.
"""

from __future__ import annotations

import asyncio
import sys
import time

import panel as pn

from tests.bench.paced_model import delta_text

FRAME_S = 1 / 30


def main() -> None:
    """Serve."""
    port, messages, deltas, rate = (int(given) for given in sys.argv[1:])

    def app() -> pn.chat.ChatFeed:
        feed = pn.chat.ChatFeed(*(pn.chat.ChatMessage(f"Message {n}: **what** was said.") for n in range(messages)))
        last = feed.stream("It begins.")

        async def stream() -> None:
            began, sent = time.monotonic(), 0
            while sent < deltas:
                await asyncio.sleep(FRAME_S)
                due = min(deltas, int((time.monotonic() - began) * rate))
                feed.stream("".join(delta_text(n) for n in range(sent, due)), message=last)
                sent = due
            feed.stream("This is the end.", message=last)

        pn.state.onload(stream)
        return feed

    pn.serve(app, port=port, address="127.0.0.1", show=False)


if __name__ == "__main__":
    main()
