"""Input that earlier agents of a thread took, by its sender's id: sent again, it is answered and not taken twice.

A client sends again what it heard nothing of when its agent ended. By then the input may be in the history.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from codex_protocol.events import TaskComplete, TurnAborted
from codex_protocol.items import Message

if TYPE_CHECKING:
    from codex_store.rollout_reader import Rollout
    from codex_store.rollout_replay import Turn


class EarlierInputs:
    """The inputs of one thread's past."""

    def __init__(self, source: Rollout | None = None) -> None:
        """Of a thread as it was stored; None: of one without a past."""
        turns = () if source is None else source.turns
        self._path: Path | None = None if source is None else source.path
        self._known = frozenset(client_id for turn in turns for client_id in turn.client_ids)
        self._open: frozenset[str] = frozenset(turns[-1].client_ids if turns and _cut_off(turns[-1]) else ())

    def __contains__(self, client_id: object) -> bool:
        return client_id in self._known

    def is_open(self, client_id: str) -> bool:
        """Whether the model has yet to answer it: the thread ends with its turn, which was cut off."""
        return client_id in self._open

    def turn_begins(self) -> None:
        """The model is asked: what was open is answered with that."""
        self._open = frozenset()

    def end_of(self, client_id: str) -> TaskComplete | TurnAborted:
        """How the turn ended that answered it; reads the thread's file.

        Raises:
            RolloutError: It cannot be read.
        """
        from codex_store.rollout_reader import read_rollout

        if self._path is None:
            return TurnAborted()
        source = read_rollout(self._path)
        first = next((n for n, turn in enumerate(source.turns) if client_id in turn.client_ids), len(source.turns))
        for n in range(first, len(source.turns)):
            turn = source.turns[n]
            if _cut_off(turn):
                continue  # the next one saw what it left
            if turn.end == "aborted":
                break
            after = source.turns[n + 1].first_item if n + 1 < len(source.turns) else None
            said = [
                item.text()
                for item in source.items[turn.first_item : after]
                if isinstance(item, Message) and item.role == "assistant"
            ]
            return TaskComplete(last_agent_message=said[-1] if said else None, error=turn.error)
        return TurnAborted()


def _cut_off(turn: Turn) -> bool:
    """Whether its agent ended while it ran."""
    return turn.end is None or turn.closing
