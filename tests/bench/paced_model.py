"""A model that answers `N at R` with N deltas, R a second, each of which says when it left: for `tests.bench.page`.

A process of its own, so that nobody else's work holds back the clock. It prints its base URL, and ends with stdin.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
import time
from typing import Any

ASKED = re.compile(r"(\d+) deltas at (\d+)")
WORDS = ("the", "reader", "keeps", "`what`", "it", "has", "**seen**", "so", "far", "and", "asks", "for", "more")
PARAGRAPH = 60
"""Deltas in a paragraph."""


def delta_text(number: int) -> str:
    """The next piece: the millisecond it leaves at, and a word."""
    end = "\n\n" if number % PARAGRAPH == PARAGRAPH - 1 else " "
    return f"t{time.time() * 1000:.1f} {WORDS[number % len(WORDS)]}{end}"


def _frame(event: dict[str, Any]) -> bytes:
    data = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


async def _answer(writer: asyncio.StreamWriter, deltas: int, rate: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    place = {"item_id": "msg_1", "output_index": 0}
    item: dict[str, Any] = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress"}
    writer.write(_frame({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}))
    writer.write(_frame({"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}}))
    said = ""
    began = time.monotonic()
    for number in range(deltas):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        piece = delta_text(number)
        said += piece
        writer.write(_frame({"type": "response.output_text.delta", **place, "content_index": 0, "delta": piece}))
        await writer.drain()
    said += "This is the end."
    content = [{"type": "output_text", "text": said, "annotations": []}]
    item = {**item, "status": "completed", "content": content}
    usage = {"input_tokens": 100, "output_tokens": deltas, "total_tokens": 100 + deltas}
    whole = {"id": "resp_1", "status": "completed", "output": [item], "usage": usage}
    writer.write(_frame({"type": "response.output_item.done", "output_index": 0, "item": item}))
    writer.write(_frame({"type": "response.completed", "response": whole}) + b"0\r\n\r\n")
    await writer.drain()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            found = re.search(r"content-length: *(\d+)", head)
            body = await reader.readexactly(int(found[1]) if found else 0)
            asked = ASKED.findall(body.decode())
            if head.startswith("post") and asked:
                await _answer(writer, int(asked[-1][0]), int(asked[-1][1]))
            else:
                writer.write(
                    b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"data":[]}'
                )
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Serve until stdin closes."""
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, limit=1 << 24)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1\n")
    sys.stdout.flush()
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(over.set)), daemon=True).start()
    await over.wait()


if __name__ == "__main__":
    asyncio.run(main())
