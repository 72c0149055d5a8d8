"""Bytes as they arrive, cut into lines; a line of any length, blank ones left out."""

from __future__ import annotations

MAX_LINE_BYTES = 64 * 1024 * 1024


class LineSplitter:
    """Gathers bytes and gives whole lines. What stands after the last line end is kept for `rest`."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self.overlong = False
        """The unfinished line was thrown away because it passed `MAX_LINE_BYTES`."""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their line ends."""
        *ends, rest = data.split(b"\n")
        lines: list[bytes] = []
        for end in ends:
            line = b"".join((*self._pieces, end)).strip()
            self._pieces.clear()
            self._size = 0
            if line:
                lines.append(line)
        if rest:
            self._pieces.append(rest)
            self._size += len(rest)
            if self._size > MAX_LINE_BYTES:
                self._pieces.clear()
                self._size = 0
                self.overlong = True
        return lines

    def rest(self) -> bytes:
        """What the last line end did not close."""
        return b"".join(self._pieces).strip()
