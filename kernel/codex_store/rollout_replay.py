"""What a thread's lines come to: its items, the history its model sees, its turns, settings, usage and approvals.

Fed line by line, in order; nothing here reads files. Forward only: a compaction replaces the history and keeps the old
one for the case that a later line takes the turn back.
"""

from __future__ import annotations

import re
from typing import Any, Literal, cast

import msgspec

from codex_protocol.events import PlanStep
from codex_protocol.items import FunctionCall, Item, Message, user_message
from codex_protocol.token_usage import TokenUsage
from codex_store.approval_records import ApprovalRecords
from codex_store.context_items import is_prompt
from codex_store.item_lines import decode_item
from codex_store.rollout_lines import (
    PASSED_OVER,
    UNREADABLE,
    Compaction,
    InputTaken,
    Line,
    RolledBackLine,
    TaskCompleteLine,
    TaskStartedLine,
    ThreadMeta,
    TokenCountLine,
    TurnAbortedLine,
    TurnContext,
    Typed,
    WorkbenchLine,
)
from codex_store.rollout_segments import decode_meta

_line = msgspec.json.Decoder(Line)
_typed = msgspec.json.Decoder(Typed)
_context = msgspec.json.Decoder(dict[str, Any])
_compaction = msgspec.json.Decoder(Compaction)
_workbench = msgspec.json.Decoder(WorkbenchLine)
_EVENTS = {
    "task_started": msgspec.json.Decoder(TaskStartedLine),
    "turn_started": msgspec.json.Decoder(TaskStartedLine),
    "task_complete": msgspec.json.Decoder(TaskCompleteLine),
    "turn_complete": msgspec.json.Decoder(TaskCompleteLine),
    "turn_aborted": msgspec.json.Decoder(TurnAbortedLine),
    "token_count": msgspec.json.Decoder(TokenCountLine),
    "thread_rolled_back": msgspec.json.Decoder(RolledBackLine),
}

_CWD = re.compile(r"<cwd>(.+?)</cwd>")
_BESIDE = frozenset({"turn_changed", "patch_written"})
"""Kinds of our own that say nothing about the thread's state."""
_WORKBENCH_KINDS = frozenset({"approval_requested", "approval_answered", "input_taken"})


class Plan(msgspec.Struct, frozen=True):
    """The arguments of `update_plan`."""

    plan: tuple[PlanStep, ...]
    explanation: str | None = None


_plan = msgspec.json.Decoder(Plan)


class Turn:
    """One turn, as the lines tell it."""

    __slots__ = (
        "_history_start",
        "client_ids",
        "closing",
        "end",
        "error",
        "first_item",
        "id",
        "line",
        "prompt",
        "prompt_lines",
    )

    def __init__(self, *, id: str, line: int, first_item: int, history_start: int) -> None:
        self.id = id
        """Of the submission that began it; empty where the file does not say when turns begin and end."""
        self.prompt: str | None = None
        """What the user said first in it; None for one without input, like a compaction."""
        self.prompt_lines: list[int] = []
        """For each thing the user said in it, the number of the line before which nothing of it stands."""
        self.end: Literal["complete", "aborted"] | None = None
        """None when it was broken off: no line says that it ended."""
        self.error: str | None = None
        """The sentence it failed with."""
        self.closing = False
        """Whether it was aborted because its agent ended."""
        self.client_ids: list[str] = []
        """What clients call the input it took, where they said."""
        self.first_item = first_item
        """Index into the thread's items."""
        self.line = line
        """Number of its first line, counted from 0 over all the thread's lines."""
        self._history_start = history_start


class Replay:
    """The state after the lines fed so far."""

    def __init__(self) -> None:
        self.meta: ThreadMeta | None = None
        self.items: list[Item] = []
        """Every item, also those a compaction took out of the model's sight; without those taken back."""
        self.history: list[Item] = []
        """What the model sees. Outputs stand where their calls ended."""
        self.turns: list[Turn] = []
        self.usage = TokenUsage()
        self.last_usage: TokenUsage | None = None
        self.context_window: int | None = None
        self.turn_context: TurnContext | None = None
        self.plan: Plan | None = None
        self.approvals = ApprovalRecords()
        self.item_notices: dict[str, int] = {}
        self.unreadable_lines = 0
        self.unknown_lines = 0
        self._line_number = -1
        self._open: Turn | None = None
        self._client_id: str | None = None
        """Of the next item."""
        self._compactions: list[tuple[int, list[Item]]] = []
        """Index of the turn each happened in or after, and the history it replaced."""

    @property
    def environment_cwd(self) -> str:
        """The directory the last environment context names; files of August 2025 say it nowhere else."""
        for item in reversed(self.items):
            if (
                isinstance(item, Message)
                and (text := item.text()).startswith("<environment_context>")
                and (found := _CWD.search(text)) is not None
            ):
                return found[1]
        return ""

    @property
    def broken_off(self) -> bool:
        """Whether the last turn neither completed nor was stopped."""
        if self._open is None:
            return False
        if self._open.id:
            return True
        last = self.history[-1] if self.history else None
        return not (isinstance(last, Message) and last.role == "assistant")

    def feed(self, raw: bytes, own: bool = True) -> bool:
        """Take in one line; blank ones say nothing.

        Args:
            raw: With or without its line end.
            own: Whether it stands in the thread's own file, not in one that it was forked from.

        Returns:
            Whether it was a whole line; a caller at the end of a file asks.
        """
        self._line_number += 1
        if not raw.strip():
            return True
        try:
            line = _line.decode(raw)
            self._take(line, raw, own)
        except UNREADABLE:
            self.unreadable_lines += 1
            return False
        return True

    def _take(self, line: Line, raw: bytes, own: bool) -> None:
        payload = line.payload
        if not payload:
            self._take_bare(line, raw, own)
            return
        match line.type:
            case "response_item":
                self._item(payload)
            case "event_msg":
                self._event(payload)
            case "turn_context":
                self.turn_context = read_turn_context(payload)
            case "compacted":
                self._compacted(_compaction.decode(payload))
            case "session_meta":
                self._session_meta(raw, own)
            case "workbench":
                kind = _typed.decode(payload).type
                if kind not in _WORKBENCH_KINDS:
                    self.unknown_lines += kind not in _BESIDE
                elif own:
                    self._workbench(_workbench.decode(payload), line.timestamp)
            case kind:
                self.unknown_lines += kind not in PASSED_OVER

    def _take_bare(self, line: Line, raw: bytes, own: bool) -> None:
        """A line of August 2025."""
        if line.record_type is not None:
            self.unknown_lines += line.record_type != "state"
        elif line.type:
            self._item(raw)
        else:
            self._session_meta(raw, own)

    def _workbench(self, line: WorkbenchLine, at: str) -> None:
        if isinstance(line, InputTaken):
            self._client_id = line.client_id
        else:
            self.approvals.take(line, at)

    def _session_meta(self, raw: bytes, own: bool) -> None:
        """The first one counts: older forks carry their sources' meta lines along."""
        meta = decode_meta(raw)
        if meta is None:
            self.unreadable_lines += 1
        elif own and self.meta is None:
            self.meta = meta

    def _item(self, raw: bytes | msgspec.Raw) -> None:
        item, notice = decode_item(raw)
        if notice is not None:
            self.item_notices[notice] = self.item_notices.get(notice, 0) + 1
        if is_prompt(item):
            self._prompt(item)
        client_id, self._client_id = self._client_id, None
        if client_id is not None and self._open is not None:
            self._open.client_ids.append(client_id)
        self.items.append(item)
        self.history.append(item)
        if isinstance(item, FunctionCall) and item.name == "update_plan":
            try:
                self.plan = _plan.decode(item.arguments)
            except UNREADABLE:
                return  # a call with bad arguments changed no plan

    def _prompt(self, item: Item) -> None:
        """The user said something: it begins a turn where no line says when turns begin, else it belongs to one."""
        if self._open is None or (not self._open.id and self._open.prompt is not None):
            self._begin("")
        assert self._open is not None  # noqa: S101 - `_begin` opened one
        self._open.prompt_lines.append(self._line_number if self._open.prompt_lines else self._open.line)
        if self._open.prompt is None and isinstance(item, Message):
            self._open.prompt = item.text()

    def _begin(self, turn_id: str) -> None:
        self._open = Turn(
            id=turn_id, line=self._line_number, first_item=len(self.items), history_start=len(self.history)
        )
        self.turns.append(self._open)

    def _event(self, payload: msgspec.Raw) -> None:
        decoder = _EVENTS.get(_typed.decode(payload).type)
        if decoder is None:
            return
        match decoder.decode(payload):
            case TaskStartedLine() as started:
                self._begin(started.turn_id or "?")
                self.context_window = started.model_context_window or self.context_window
            case TaskCompleteLine() as complete:
                self._end("complete", complete.error)
            case TurnAbortedLine(closing=closing):
                if self._open is not None:
                    self._open.closing = closing
                self._end("aborted", None)
            case TokenCountLine(info=info) if info is not None:
                self.usage, self.last_usage = info.total_token_usage, info.last_token_usage
                self.context_window = info.model_context_window or self.context_window
            case RolledBackLine() as back:
                self._roll_back(back.num_turns)
            case _:
                return

    def _end(self, how: Literal["complete", "aborted"], error: str | None) -> None:
        if self._open is not None:
            self._open.end, self._open.error = how, error
            self._open = None

    def _compacted(self, compaction: Compaction) -> None:
        if compaction.replacement_history is None:
            kept = [item for item in self.history if is_prompt(item)]
            replacement = [*kept, user_message(compaction.message)]
        else:
            replacement = [decode_item(raw)[0] for raw in compaction.replacement_history]
        self._compactions.append((len(self.turns) - 1, self.history))
        self.history = replacement

    def _roll_back(self, count: int) -> None:
        """Take back the last `count` turns that a user began, and those without input among them."""
        first: Turn | None = None
        while self.turns and count > 0:
            first = self.turns.pop()
            count -= first.prompt is not None
        if first is None:
            return
        while self._compactions and self._compactions[-1][0] >= len(self.turns):
            self.history = self._compactions.pop()[1]
        del self.history[first._history_start :]  # pyright: ignore[reportPrivateUsage]
        del self.items[first.first_item :]
        self._open = None


def read_turn_context(payload: bytes | msgspec.Raw) -> TurnContext:
    """What can be read of a turn's settings; newer upstream releases say some of them elsewhere, or not at all.

    Raises:
        msgspec.DecodeError: It is no JSON object.
    """
    fields = _context.decode(payload)
    sandbox = _object(fields.get("sandbox_policy"))
    if sandbox is not None and "type" not in sandbox and "mode" in sandbox:
        sandbox = {"type": sandbox["mode"], **{key: value for key, value in sandbox.items() if key != "mode"}}
    collaboration = _object(_object(fields.get("collaboration_mode"), {}).get("settings"), {})
    return TurnContext(
        cwd=_text(fields.get("cwd")) or "",
        approval_policy=_text(fields.get("approval_policy")),
        sandbox_policy=sandbox,
        model=_text(fields.get("model")) or "",
        effort=_text(fields.get("effort")) or _text(collaboration.get("reasoning_effort")),
        summary=_text(fields.get("summary")),
        turn_id=_text(fields.get("turn_id")),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _object(value: Any, default: Any = None) -> Any:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else default
