"""What the patches of a thread's turns changed, as our own rollouts keep it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from codex_store.rollout_lines import UNREADABLE, Line, TurnChanged, Typed
from codex_store.rollout_segments import thread_lines

_line = msgspec.json.Decoder(Line)
_typed = msgspec.json.Decoder(Typed)
_changed = msgspec.json.Decoder(TurnChanged)


def last_diff(path: Path) -> str | None:
    """The git-style diff of the last turn whose patches changed something; None when there is none.

    Raises:
        RolloutError: The file cannot be read.
    """
    found: bytes | None = None
    for raw, _ in thread_lines(path, []):
        if b'"turn_changed"' in raw:
            try:
                payload = _line.decode(raw).payload
                if payload and _typed.decode(payload).type == "turn_changed":
                    found = bytes(payload)
            except UNREADABLE:
                continue
    return None if found is None else _changed.decode(found).unified_diff
