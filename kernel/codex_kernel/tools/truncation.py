"""Long output made short: head and tail kept, the cut marked, memory bounded whatever a command prints.

Source: spec/tools.md sections 4.3 and 9.
"""

from __future__ import annotations

BYTES_PER_TOKEN = 4
"""The rule of thumb by which byte budgets and token counts are turned into each other."""

_LONGEST_SEQUENCE = 4

SHELL_MAX_BYTES = 10_240
SHELL_MAX_LINES = 256


class HeadTail:
    """Bytes of a stream: the first and the last ones, and how many there were.

    Holds at most `head_bytes + tail_bytes` (and one chunk), however much is fed.
    """

    __slots__ = ("_head", "_head_bytes", "_lines", "_tail", "_tail_bytes", "total_bytes")

    def __init__(self, head_bytes: int = 64 * 1024, tail_bytes: int = 64 * 1024) -> None:
        self._head_bytes = head_bytes
        self._tail_bytes = tail_bytes
        self._head = bytearray()
        self._tail = bytearray()
        self._lines = 0
        self.total_bytes = 0
        """Bytes fed so far."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self.total_bytes += len(data)
        self._lines += data.count(b"\n")
        room = self._head_bytes - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if data:
            if len(data) >= self._tail_bytes:
                self._tail[:] = data[-self._tail_bytes :]
            else:
                self._tail += data
                if len(self._tail) > 2 * self._tail_bytes:  # trimming rarely keeps feeding linear
                    del self._tail[: -self._tail_bytes]

    def take_unfinished(self) -> bytes:
        """The beginning of a UTF-8 sequence that what was fed ends with, taken out again; mostly empty."""
        last = self._tail or self._head
        end = bytes(last[-_LONGEST_SEQUENCE:])
        unfinished = end[len(_whole_utf8_end(end)) :]
        if unfinished:
            del last[-len(unfinished) :]
            self.total_bytes -= len(unfinished)
        return unfinished

    def clear(self) -> None:
        """Forget everything."""
        self._head.clear()
        self._tail.clear()
        self._lines = 0
        self.total_bytes = 0

    @property
    def lines(self) -> int:
        """Line ends fed so far."""
        return self._lines

    def parts(self) -> tuple[bytes, int, bytes]:
        """Head, number of bytes left out, tail; cut so that no UTF-8 sequence is broken at the gap."""
        tail = bytes(self._tail[-self._tail_bytes :])
        omitted = self.total_bytes - len(self._head) - len(tail)
        head = bytes(self._head)
        if omitted <= 0:
            return head + tail, 0, b""
        whole_head, whole_tail = _whole_utf8_end(head), _whole_utf8_start(tail)
        return whole_head, self.total_bytes - len(whole_head) - len(whole_tail), whole_tail

    def text(self) -> str:
        """What was fed, the cut marked; invalid UTF-8 becomes U+FFFD."""
        head, omitted, tail = self.parts()
        if not omitted:
            return head.decode("utf-8", "replace")
        mark = f"\n[... {omitted} bytes omitted ...]\n"
        return head.decode("utf-8", "replace") + mark + tail.decode("utf-8", "replace")


def _whole_utf8_end(data: bytes) -> bytes:
    """`data` without an unfinished UTF-8 sequence at its end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return data[:-back] if needed > back else data
    return data


def _whole_utf8_start(data: bytes) -> bytes:
    """`data` without the rest of a UTF-8 sequence at its start."""
    start = 0
    while start < min(4, len(data)) and data[start] & 0xC0 == 0x80:
        start += 1
    return data[start:]


def token_count(byte_count: int) -> int:
    """Tokens that so many bytes of text come to, by the rule of thumb."""
    return -(-byte_count // BYTES_PER_TOKEN)


def shell_text(output: HeadTail) -> str:
    """Output for the older shell tool: 256 lines and 10,240 bytes at most, half from the start, half from the end."""
    head, omitted, tail = output.parts()
    total_lines = output.lines + (0 if (tail or head).endswith(b"\n") or not output.total_bytes else 1)
    if not omitted and len(head) <= SHELL_MAX_BYTES and total_lines <= SHELL_MAX_LINES:
        return head.decode("utf-8", "replace")
    if not omitted:
        tail = head
    half_lines = SHELL_MAX_LINES // 2
    first = b"\n".join(head.split(b"\n", half_lines)[:half_lines])
    body = tail[:-1] if tail.endswith(b"\n") else tail
    rest = max(0, total_lines - half_lines)
    last_lines = body.rsplit(b"\n", min(half_lines, rest))[-min(half_lines, rest) :] if rest else []
    last = b"\n".join(last_lines)
    cut = max(0, total_lines - half_lines - len(last_lines))
    mark = f"\n[... omitted {cut} of {total_lines} lines ...]\n\n"
    if not cut:
        mark = f"\n[... omitted the middle of {output.total_bytes} bytes ...]\n\n"
    first = _whole_utf8_end(first[: SHELL_MAX_BYTES // 2])
    room = SHELL_MAX_BYTES - len(first) - len(mark.encode())
    last = _whole_utf8_start(last[-room:]) if len(last) > room else last
    return first.decode("utf-8", "replace") + mark + last.decode("utf-8", "replace")


def middle_cut(output: HeadTail, max_tokens: int) -> str:
    """Output for `exec_command`: at most `max_tokens`, the middle replaced by `…N tokens truncated…`.

    Cuts at line ends where there are some near the cut.
    """
    head, omitted, tail = output.parts()
    budget = max_tokens * BYTES_PER_TOKEN
    if not omitted and len(head) <= budget:
        return head.decode("utf-8", "replace")
    if not omitted:
        tail = head
    guess = max(0, output.total_bytes - budget)
    left = right = b""
    for _ in range(4):  # the marker's own length depends on the number in it
        marker = f"…{token_count(guess)} tokens truncated…"
        room = budget - len(marker.encode())
        if room <= 0:
            return f"…{token_count(output.total_bytes)} tokens truncated…"
        left = _to_line_end(_whole_utf8_end(head[: room // 2]))
        right = _from_line_start(_whole_utf8_start(tail[-(room - room // 2) :]))
        removed = output.total_bytes - len(left) - len(right)
        if removed == guess:
            break
        guess = removed
    marker = f"…{token_count(guess)} tokens truncated…\n"
    return left.decode("utf-8", "replace") + marker + right.decode("utf-8", "replace")


def _to_line_end(data: bytes) -> bytes:
    end = data.rfind(b"\n")
    return data[: end + 1] if end >= 0 else data


def _from_line_start(data: bytes) -> bytes:
    start = data.find(b"\n")
    return data[start + 1 :] if 0 <= start < len(data) - 1 else data
