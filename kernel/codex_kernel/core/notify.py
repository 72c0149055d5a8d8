"""The user's notify program: started when a turn ends by itself, never waited for.

Source: spec/agent-loop.md section 14 and spec/execpolicy-and-hooks.md section 2.5.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

log = logging.getLogger(__name__)


def notify_turn_complete(
    program: Sequence[str],
    *,
    thread_id: str,
    turn_id: str,
    cwd: str,
    input_messages: Sequence[str],
    last_assistant_message: str | None,
) -> None:
    """Start `program` with one more argument: a JSON object that tells of the turn.

    It runs outside the sandbox, in a session of its own, with all three standard streams on the null device. When it
    cannot be started a warning is logged; the agent goes on.
    """
    if not program:
        return
    import subprocess

    payload = {
        "type": "agent-turn-complete",
        "thread-id": thread_id,
        "turn-id": turn_id,
        "cwd": cwd,
        "input-messages": list(input_messages),
        "last-assistant-message": last_assistant_message,
    }
    argument = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    try:
        child = subprocess.Popen(
            [*program, argument],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        log.warning("the notify program %s could not be started: %s", program[0], error.strerror or error)
        return
    import threading

    threading.Thread(target=child.wait, daemon=True, name="notify").start()  # so that it leaves no zombie
