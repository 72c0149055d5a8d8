"""The user's notify program: started when a turn ends by itself, never waited for.

Source: spec/agent-loop.md section 14 and spec/execpolicy-and-hooks.md section 2.5.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from codex_protocol.sound_json import encode_json

log = logging.getLogger(__name__)

_MOST_BYTES = 120_000
"""Linux takes 131,072 bytes in one argument."""
_MOST_MESSAGES, _SHORT = 8, 2_000
"""What is kept of more: so many messages, and so many characters of each."""


def notify_turn_complete(
    program: Sequence[str],
    *,
    thread_id: str,
    turn_id: str,
    cwd: str,
    input_messages: Sequence[str],
    last_assistant_message: str | None,
) -> None:
    """Start `program` with one more argument: a JSON object that tells of the turn, with texts cut to what fits.

    It runs outside the sandbox, in a session of its own, with all three standard streams on the null device. When it
    cannot be started a warning is logged; the agent goes on.
    """
    if not program:
        return
    import subprocess

    def argument(messages: Sequence[str], answer: str | None) -> bytes:
        return encode_json(
            {
                "type": "agent-turn-complete",
                "thread-id": thread_id,
                "turn-id": turn_id,
                "cwd": cwd,
                "input-messages": messages,
                "last-assistant-message": answer,
            }
        )

    told = argument(input_messages, last_assistant_message)
    if len(told) > _MOST_BYTES:
        answer = None if last_assistant_message is None else _cut(last_assistant_message)
        told = argument([*map(_cut, input_messages[:_MOST_MESSAGES])], answer)
    try:
        child = subprocess.Popen(
            [*program, told],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        log.warning("the notify program %s could not be started: %s", program[0], why)
        return
    import threading

    threading.Thread(target=child.wait, daemon=True, name="notify").start()  # so that it leaves no zombie


def _cut(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[:_SHORT]} [... {len(text) - _SHORT} characters more]"
