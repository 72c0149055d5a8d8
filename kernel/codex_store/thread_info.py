"""What a list shows of a thread, read from the beginning and the end of its rollout."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from codex_protocol.errors import RolloutError
from codex_store.rollout_lines import UNREADABLE, Line, ThreadMeta, TokenCountLine, TurnContext, Typed
from codex_store.rollout_paths import COMPRESSED, thread_id_of
from codex_store.rollout_replay import Replay, read_turn_context
from codex_store.rollout_segments import first_meta, thread_lines
from codex_store.rollout_tail import lines_backwards

_HEAD_BYTES = 4 << 20
_TAIL_BYTES = 1 << 20
_PREVIEW_CHARS = 300
_line = msgspec.json.Decoder(Line)
_typed = msgspec.json.Decoder(Typed)
_token_count = msgspec.json.Decoder(TokenCountLine)


class ThreadInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One thread of a list."""

    id: str
    path: Path
    updated_ns: int
    """When its file last changed, in nanoseconds since 1970."""
    archived: bool = False
    name: str | None = None
    cwd: str | None = None
    """Of its last turn."""
    branch: str | None = None
    """The repository's when it began."""
    created: str = ""
    """UTC, ISO 8601; empty when the file does not say."""
    model: str | None = None
    provider: str | None = None
    tokens: int = 0
    """In all, what it was forked from included."""
    preview: str = ""
    """The beginning of the first prompt."""
    source: str = ""
    """Which front end made it; `subagent` for upstream's sub-agents."""
    forked_from: str | None = None

    @property
    def cursor(self) -> str:
        """Asks a list for what comes after this thread."""
        return f"{self.updated_ns}-{self.id}"


def read_info(path: Path, updated_ns: int) -> ThreadInfo | None:
    """The thread in a file, without its name; None when it cannot be read or nobody has said anything in it."""
    thread_id = thread_id_of(path)
    if thread_id is None:
        return None
    try:
        meta = first_meta(path) or ThreadMeta(id=thread_id, timestamp="")
        head = _head(path)
        context, tokens = _tail(path)
    except (RolloutError, OSError):
        return None
    preview = next((turn.prompt for turn in head.turns if turn.prompt is not None), None)
    if preview is None:
        return None
    context = context or head.turn_context
    return ThreadInfo(
        id=meta.id.lower(),
        path=path,
        updated_ns=updated_ns,
        cwd=(context.cwd if context is not None else "") or meta.cwd or head.environment_cwd or None,
        branch=None if meta.git is None else meta.git.branch,
        created=meta.timestamp,
        model=(context.model if context is not None else "") or None,
        provider=meta.model_provider,
        tokens=head.usage.total_tokens if tokens is None else tokens,
        preview=preview[:_PREVIEW_CHARS],
        source=meta.source if isinstance(meta.source, str) else next(iter(meta.source), ""),
        forked_from=meta.forked_from_id,
    )


def _head(path: Path) -> Replay:
    """The thread up to its first prompt."""
    replay = Replay()
    read = 0
    for line, own in thread_lines(path, []):
        replay.feed(line, own)
        read += len(line)
        if (own and (replay.turns and replay.turns[0].prompt is not None)) or read > _HEAD_BYTES:
            break
    return replay


def _tail(path: Path) -> tuple[TurnContext | None, int | None]:
    """The last settings and the last total of tokens, where they stand near the end."""
    if path.name.endswith(COMPRESSED):
        return None, None
    context: TurnContext | None = None
    tokens: int | None = None
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for _, raw in lines_backwards(fd, os.fstat(fd).st_size, _TAIL_BYTES):
            try:
                line = _line.decode(raw)
                if line.type == "turn_context" and context is None:
                    context = read_turn_context(line.payload)
                elif line.type == "event_msg" and tokens is None and _typed.decode(line.payload).type == "token_count":
                    info = _token_count.decode(line.payload).info
                    tokens = None if info is None else info.total_token_usage.total_tokens
            except UNREADABLE:
                continue
            if context is not None and tokens is not None:
                break
    finally:
        os.close(fd)
    return context, tokens
