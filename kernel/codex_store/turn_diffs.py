"""What the patches of a thread changed, by turn and by call, as our own rollouts keep it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from codex_protocol.file_changes import FileChange
from codex_store.rollout_lines import UNREADABLE, Line, PatchWritten, TurnChanged, Typed
from codex_store.rollout_segments import thread_lines

_line = msgspec.json.Decoder(Line)
_typed = msgspec.json.Decoder(Typed)
_changed = msgspec.json.Decoder(TurnChanged)
_written = msgspec.json.Decoder(PatchWritten)


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


def written_patches(path: Path) -> dict[str, dict[str, FileChange]]:
    """By call id what each patch that was written changed, by absolute path; those of older files are not there.

    Raises:
        RolloutError: The file cannot be read.
    """
    found: dict[str, dict[str, FileChange]] = {}
    for raw, _ in thread_lines(path, []):
        if b'"patch_written"' in raw:
            try:
                payload = _line.decode(raw).payload
                if payload and _typed.decode(payload).type == "patch_written":
                    patch = _written.decode(payload)
                    found[patch.call_id] = patch.changes
            except UNREADABLE:
                continue
    return found
