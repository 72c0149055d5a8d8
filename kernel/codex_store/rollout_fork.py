"""A new thread that begins with another one's past: the lines that matter are copied, so that the source may go."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from codex_protocol.errors import RolloutError, UsageError
from codex_store.home import Home
from codex_store.rollout_lines import UNREADABLE, Line, LineKind, ThreadMeta, Typed, encode_line, encode_payload
from codex_store.rollout_paths import make_private, rollout_path
from codex_store.rollout_reader import Rollout, read_rollout
from codex_store.rollout_segments import thread_lines
from codex_store.thread_ids import made_at_s

_BATCH_BYTES = 1 << 20
_EVENTS = frozenset(
    {
        "task_started",
        "turn_started",
        "task_complete",
        "turn_complete",
        "turn_aborted",
        "token_count",
        "thread_rolled_back",
        "user_message",
    }
)
_KINDS: dict[str, LineKind] = {
    "response_item": "response_item",
    "turn_context": "turn_context",
    "compacted": "compacted",
    "event_msg": "event_msg",
    "workbench": "workbench",
}
_KEPT = {"event_msg": _EVENTS, "workbench": frozenset({"patch_written"})}
_line = msgspec.json.Decoder(Line)
_typed = msgspec.json.Decoder(Typed)


def copy_for_fork(
    source: Path, home: Home, meta: ThreadMeta, *, turns: int | None = None, prompts: int | None = None
) -> Path:
    """The rollout of a new thread that begins with another one's history; `RolloutWriter.reopen` goes on with it.

    Copied are items, what patches wrote, settings, compactions, turn boundaries and token totals; approvals stay with
    the source.

    Args:
        source: Any rollout; nobody needs to hold it.
        home: Where the new one goes.
        meta: Of the new thread, with a fresh id; where it comes from is filled in here.
        turns: How many of the source's turns with input are kept; None for all.
        prompts: How many of the things the user said are kept, with what followed them; None for all. What steered a
            running turn counts too.

    Raises:
        UsageError: The source has fewer.
        RolloutError: The source cannot be read, or the new file cannot be written.
    """
    past = read_rollout(source)
    end = None if turns is None else _line_after(past, turns)
    if prompts is not None:
        end = _line_before_prompt(past, prompts)
    at_s = made_at_s(meta.id)
    path = rollout_path(home, meta.id, time.time() if at_s is None else at_s)
    part = path.with_name(f".{path.name}.part")
    long_ago = (past.meta.timestamp or "1970-01-01T00:00:00.000Z").encode()
    first = encode_line("session_meta", encode_payload(msgspec.structs.replace(meta, forked_from_id=past.meta.id)))
    try:
        make_private(path.parent)
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with open(fd, "wb", buffering=_BATCH_BYTES) as file:
                file.write(first)
                for number, (raw, _) in enumerate(thread_lines(source, [])):
                    if end is not None and number >= end:
                        break
                    file.write(_copied(raw, long_ago))
            os.rename(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise RolloutError(f"The fork cannot be saved: {path}: {error.strerror or error}.") from error
    return path


def _line_after(past: Rollout, turns: int) -> int | None:
    """Number of the line that begins the first turn with input that is left out; None when there is none."""
    starts = [turn.line for turn in past.turns if turn.prompt is not None]
    if turns < 0 or turns > len(starts):
        raise UsageError(f"The thread {past.meta.id} has {len(starts)} turns, so it cannot be forked after {turns}.")
    return starts[turns] if turns < len(starts) else None


def _line_before_prompt(past: Rollout, prompts: int) -> int | None:
    """Number of the line before the first thing the user said that is left out; None when there is none."""
    lines = [line for turn in past.turns for line in turn.prompt_lines]
    if prompts < 0 or prompts > len(lines):
        said = f"{len(lines)} messages"
        raise UsageError(f"The thread {past.meta.id} has {said} of yours, so it cannot be forked after {prompts}.")
    return lines[prompts] if prompts < len(lines) else None


def _copied(raw: bytes, long_ago: bytes) -> bytes:
    """The line as the new file has it; nothing for lines that stay behind.

    What does not say when it was written, as in August 2025, gets the time `long_ago`: it is older than the fork.
    """
    try:
        line = _line.decode(raw)
        if line.payload:
            kind = _KINDS.get(line.type)
            kept = _KEPT.get(line.type)
            if kind is None or (kept is not None and _typed.decode(line.payload).type not in kept):
                return b""
            return encode_line(kind, line.payload, stamp=line.timestamp.encode() or long_ago)
    except UNREADABLE:
        return b""
    return encode_line("response_item", raw.strip(), stamp=long_ago) if line.type else b""
