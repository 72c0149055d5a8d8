"""Where a turn stands in the conversation: rollouts count turns, the page counts messages of the user's."""

from __future__ import annotations

import asyncio

from codex_app.rooms import Room
from codex_protocol.errors import ThreadError
from codex_render.safe_text import visible
from codex_store.home import Home
from codex_store.threads import find_thread
from codex_store.turn_records import TurnRecord, read_turns

_BEGINNING_CHARS = 200


async def turn_message(home: Home, room: Room, number: int) -> int:
    """The number of the message that a turn begins with.

    Raises:
        CodexError: The thread cannot be read, or the conversation does not show that turn.
    """
    turns = await asyncio.to_thread(lambda: read_turns(find_thread(home, room.thread_id).path))
    begins, again = prompt_of(turns, number)
    message = room.hub.said(visible(begins), again) if begins else None
    if message is None:
        raise ThreadError(f"turn {number} is not in this conversation; it was taken back, or nobody began it")
    return message


def prompt_of(turns: list[TurnRecord], number: int) -> tuple[str, int]:
    """How the prompt of a turn, or else of the one before, begins; and how many later turns begin so too."""
    shown = [
        (turn.number, turn.prompt[:_BEGINNING_CHARS]) for turn in turns if turn.prompt and turn.status != "taken back"
    ]
    before = [at for at, (each, _) in enumerate(shown) if each <= number]
    if not before:
        return "", 0
    begins = shown[before[-1]][1]
    return begins, sum(prompt.startswith(begins) for _, prompt in shown[before[-1] + 1 :])
