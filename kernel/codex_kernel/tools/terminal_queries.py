"""What programs ask their terminal, and wait for: answered, because nobody sits at this one."""

from __future__ import annotations

import re

_QUERY = re.compile(rb"\x1b\[(?:([56])n|0?c)")
_ANSWERS = {b"6": b"\x1b[1;1R", b"5": b"\x1b[0n"}
_ATTRIBUTES = b"\x1b[?1;2c"
_LONGEST_BEGINNING = 3
_MOST_AT_ONCE = 16


class TerminalQueries:
    """Reads one command's output for questions: where the cursor is, whether all is well, what kind it is.

    Other questions (colours, keyboard protocols) are followed by one of these by programs that do not want to wait.
    """

    def __init__(self) -> None:
        self._beginning = b""

    def answers(self, output: bytes) -> bytes:
        """What to type for the questions in the next piece of output; empty when there are none."""
        text = self._beginning + output
        asked = list(_QUERY.finditer(text))
        rest = text[asked[-1].end() if asked else 0 :][-_LONGEST_BEGINNING:]
        self._beginning = rest[rest.rfind(b"\x1b") :] if b"\x1b" in rest else b""
        return b"".join(_ANSWERS.get(match[1], _ATTRIBUTES) for match in asked[:_MOST_AT_ONCE])
