"""A thread read back from its rollout, of either generation of upstream's or of ours.

Tolerant: a damaged line costs that line, an unknown one costs nothing; notices tell. Reading takes no lock. Who means
to write too takes the lock first (`RolloutWriter.reopen`), then reads.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from codex_protocol.errors import RolloutError
from codex_protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    Item,
    LocalShellCall,
    ToolCallItem,
)
from codex_protocol.token_usage import TokenUsage
from codex_store.approval_records import ApprovalRecords
from codex_store.rollout_lines import ThreadMeta, TurnContext
from codex_store.rollout_paths import home_of, thread_id_of
from codex_store.rollout_replay import Plan, Replay, Turn
from codex_store.rollout_segments import thread_lines
from codex_store.thread_names import thread_name


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """A thread as its file tells it."""

    path: Path
    meta: ThreadMeta
    items: tuple[Item, ...]
    """Every item in the order it was written, also those a compaction took out of the model's sight."""
    turns: tuple[Turn, ...]
    broken_off: bool
    """Whether the last turn neither completed nor was stopped: its process died, or it still runs."""
    usage: TokenUsage
    """Of the whole thread, what it was forked from included."""
    last_usage: TokenUsage | None
    """Of the last response."""
    context_window: int | None
    turn_context: TurnContext | None
    """The settings of the last turn."""
    plan: Plan | None
    """The model's last plan."""
    approvals: ApprovalRecords
    notices: tuple[str, ...]
    """Sentences on what could not be read."""
    model_items: tuple[Item, ...]
    cwd: str
    """The directory of the last turn, else of the thread's beginning; empty when the file does not say."""

    def history(self) -> list[Item]:
        """The items the model would see now: compactions applied, turns that were taken back left out.

        An output stands where its call ended; putting it into call order is the core's business.
        """
        return list(self.model_items)

    @property
    def name(self) -> str | None:
        """What a person called the thread."""
        home = home_of(self.path)
        return None if home is None else thread_name(home, self.meta.id)

    @property
    def unanswered_calls(self) -> tuple[ToolCallItem, ...]:
        """Calls in the history that have no output, in order."""
        answered = {item.call_id for item in self.model_items if isinstance(item, _OUTPUTS)}
        return tuple(
            item
            for item in self.model_items
            if isinstance(item, _CALLS) and (item.call_id or item.id or "") not in answered
        )


_CALLS = (FunctionCall, CustomToolCall, LocalShellCall)
_OUTPUTS = (FunctionCallOutput, CustomToolCallOutput)


def read_rollout(path: Path) -> Rollout:
    """The thread in a file.

    Raises:
        RolloutError: There is no such file, it cannot be read, or it holds no thread.
    """
    notices: list[str] = []
    replay = Replay()
    torn = False
    for line, own in thread_lines(path, notices):
        whole = replay.feed(line, own)
        torn = not whole and not line.endswith(b"\n")
    if torn:
        replay.unreadable_lines -= 1
        notices.append("The last line was cut off when its writer died; it was dropped.")
    meta = replay.meta or _meta_from_name(path, replay, notices)
    notices += _notices(replay)
    return Rollout(
        path=path,
        meta=meta,
        items=tuple(replay.items),
        turns=tuple(replay.turns),
        broken_off=replay.broken_off,
        usage=replay.usage,
        last_usage=replay.last_usage,
        context_window=replay.context_window,
        turn_context=replay.turn_context,
        plan=replay.plan,
        approvals=replay.approvals,
        notices=tuple(notices),
        model_items=tuple(replay.history),
        cwd=(replay.turn_context.cwd if replay.turn_context is not None else "") or meta.cwd or replay.environment_cwd,
    )


def _meta_from_name(path: Path, replay: Replay, notices: list[str]) -> ThreadMeta:
    """What a file's name tells when its first line is damaged."""
    thread_id = thread_id_of(path)
    if thread_id is None or not replay.items:
        raise RolloutError(f"{path} holds no thread: its first line does not say which.")
    notices.append("The line that says how the thread began is damaged; its id was taken from the file's name.")
    return ThreadMeta(id=thread_id, timestamp="")


def _notices(replay: Replay) -> list[str]:
    found = [text if count == 1 else f"{text} ({count} times)" for text, count in replay.item_notices.items()]
    if replay.unreadable_lines:
        found.append(f"{_lines(replay.unreadable_lines)} could not be read and were passed over.")
    if replay.unknown_lines:
        found.append(f"{_lines(replay.unknown_lines)} are of a kind this version does not know.")
    return found


def _lines(count: int) -> str:
    return "1 line or more" if count == 1 else f"{count} lines"
