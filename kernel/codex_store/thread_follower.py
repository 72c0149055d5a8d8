"""A thread on disk that is still being written: its turns and what its model sees, reading only what was added."""

from __future__ import annotations

import os
from pathlib import Path

from codex_protocol.errors import RolloutError
from codex_store.insight import ContextNumbers, context_numbers
from codex_store.rollout_paths import COMPRESSED
from codex_store.rollout_replay import Replay
from codex_store.rollout_segments import first_meta, open_rollout, thread_lines
from codex_store.turn_records import TurnFold, TurnRecord


class ThreadFollower:
    """What a rollout says so far. `read` takes in what is new; a line that is still being written waits."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self._path = path
        self._end = -1
        """Bytes of the thread's own file that were taken in; -1: nothing yet."""
        self._fold = TurnFold(None)
        self._replay = Replay()

    def read(self) -> bool:
        """Take in what was written since the last call; whether there was anything.

        Raises:
            RolloutError: The file cannot be read.
        """
        try:
            size = os.stat(self._path).st_size
        except OSError as error:
            raise RolloutError(f"The thread at {self._path} cannot be read: {error.strerror or error}.") from error
        packed = self._path.name.endswith(COMPRESSED)
        if self._end < 0 or (size != self._end if packed else size < self._end):
            self._read_all()
            if packed:
                self._end = size
            return True
        return size > self._end and self._read_on()

    def turns(self) -> list[TurnRecord]:
        """The turns, without those the thread copied; the last one may be running."""
        return self._fold.own_turns()

    def context(self) -> ContextNumbers:
        """What fills the model's context."""
        return context_numbers(self._replay.history, self._replay.last_usage, self._replay.context_window)

    def _read_all(self) -> None:
        self._fold, self._replay = TurnFold(first_meta(self._path)), Replay()
        end = 0
        for raw, own in thread_lines(self._path, []):
            if own:
                if not raw.endswith(b"\n"):
                    break
                end += len(raw)
            self._feed(raw, own=own)
        self._end = end

    def _read_on(self) -> bool:
        before = self._end
        with open_rollout(self._path) as file:
            file.seek(self._end)
            for raw in file:
                if not raw.endswith(b"\n"):
                    break
                self._end += len(raw)
                self._feed(raw, own=True)
        return self._end > before

    def _feed(self, raw: bytes, *, own: bool) -> None:
        self._fold.feed(raw, own=own)
        self._replay.feed(raw, own)
