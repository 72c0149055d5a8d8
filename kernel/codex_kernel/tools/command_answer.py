"""What `exec_command` and `write_stdin` have in common: the bounds of waiting and of output, the form of the answer.

Source: spec/exec-json.md section 9.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from codex_kernel.tools.interface import ToolOutput
from codex_kernel.tools.truncation import middle_cut, token_count

if TYPE_CHECKING:
    from codex_kernel.tools.running import RunningCommand

DEFAULT_MAX_TOKENS = 10_000
MOST_TOKENS = 1_000_000
MIN_YIELD_MS, MAX_YIELD_MS = 250, 30_000

YIELD = {
    "type": "number",
    "description": "Milliseconds to wait for output or the end before answering; 250 to 30000.",
}
MAX_TOKENS = {"type": "number", "description": "Longest output to return, in tokens; the middle of more is cut out."}


def answer(
    command: RunningCommand,
    session_id: int | None,
    max_tokens: int,
    *,
    note: str | None = None,
    since: float | None = None,
) -> ToolOutput:
    """What the model reads: how the command stands, and what it has printed since the last answer.

    Args:
        command: Its unread output counts as read from now on.
        session_id: Where it goes on; None when it does not.
        max_tokens: Longest output.
        note: Told in place of what the command's end says.
        since: When the call began, of `time.monotonic`; None: with the command.
    """
    unread = command.unread_text()
    text = middle_cut(unread, max_tokens)
    end = command.exit
    waited_s = command.seconds if since is None else time.monotonic() - since
    lines = [f"Chunk ID: {os.urandom(3).hex()}", f"Wall time: {waited_s:.4f} seconds"]
    if session_id is not None:
        lines.append(f"Process running with session ID {session_id}")
    elif end is not None:
        lines.append(f"Process exited with code {end.code}")
    if told := note or command.note:
        lines.append(f"Note: {told}")
    lines += [f"Original token count: {token_count(unread.total_bytes)}", "Output:", text]
    after = () if session_id is not None else command.take_end_event(text)
    return ToolOutput("\n".join(lines), success=end is None or end.code == 0, after=after)


def whole(number: float) -> int:
    """A number as models write them, whole; what is far out of bounds is brought near."""
    return int(min(max(number, -1), MOST_TOKENS))


def tokens(asked: float | None) -> int:
    """Longest output for what a model asked."""
    return DEFAULT_MAX_TOKENS if asked is None else max(whole(asked), 0)


def yield_s(asked_ms: float | None, default_ms: int, longest_ms: int = MAX_YIELD_MS) -> float:
    """How long to wait for what a model asked."""
    return min(max(asked_ms if asked_ms is not None else default_ms, MIN_YIELD_MS), longest_ms) / 1000
