"""A thread's turns as records: what was asked and answered, which commands ran, what it cost, and when.

For tables and plots. Turns that a fork copied from its source are left out: they are the source's.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from codex_protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    Item,
    LocalShellCall,
    Message,
)
from codex_protocol.token_usage import TokenUsage
from codex_store.context_items import is_prompt
from codex_store.item_lines import decode_item
from codex_store.item_texts import called_by, outcome_of, written_files
from codex_store.rollout_lines import (
    UNREADABLE,
    Line,
    RolledBackLine,
    TaskCompleteLine,
    TaskStartedLine,
    ThreadMeta,
    TokenCountLine,
    Typed,
)
from codex_store.rollout_replay import read_turn_context
from codex_store.rollout_segments import first_meta, thread_lines

Status = Literal["completed", "interrupted", "failed", "broken off", "taken back"]

_line = msgspec.json.Decoder(Line)
_typed = msgspec.json.Decoder(Typed)
_started = msgspec.json.Decoder(TaskStartedLine)
_complete = msgspec.json.Decoder(TaskCompleteLine)
_tokens = msgspec.json.Decoder(TokenCountLine)
_back = msgspec.json.Decoder(RolledBackLine)


class CommandRecord(msgspec.Struct, kw_only=True):
    """A command of a turn."""

    script: str
    tool: str
    cwd: str
    started_ms: int | None
    exit_code: int | None = None
    """None when the output does not say: it was refused, cut off, or ran on."""
    duration_s: float | None = None
    output: str = ""


class UsageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one response."""

    at_ms: int | None
    usage: TokenUsage
    duration_s: float | None = None
    """From when the model could begin (the turn's input, or the last output before) to the response's end."""


class TurnRecord(msgspec.Struct, kw_only=True):
    """A turn, oldest first."""

    number: int
    """Counted from 1 over the whole thread, copied turns included."""
    id: str = ""
    prompt: str | None = None
    answer: str | None = None
    status: Status = "broken off"
    error: str | None = None
    started_ms: int | None = None
    ended_ms: int | None = None
    model: str = ""
    cwd: str = ""
    patches: int = 0
    files: list[str] = []
    """Written by patches, as the patch names them, once for each patch."""
    commands: list[CommandRecord] = []
    usages: list[UsageRecord] = []


def read_turns(path: Path) -> list[TurnRecord]:
    """The turns of a rollout, without those it copied.

    Raises:
        RolloutError: The file cannot be read.
    """
    fold = TurnFold(first_meta(path))
    for raw, is_own in thread_lines(path, []):
        fold.feed(raw, own=is_own)
    return fold.own_turns()


class TurnFold:
    """Turns from the lines of a thread, which are fed in order.

    Args:
        meta: The line that the thread's own file begins with.
    """

    def __init__(self, meta: ThreadMeta | None) -> None:
        self.turns: list[TurnRecord] = []
        """Those that were copied too."""
        self._own: list[bool] = []
        self._meta_cwd = "" if meta is None else meta.cwd
        self._copied_before = _ms(meta.timestamp) if meta is not None and meta.forked_from_id else None
        self._waiting_ms: int | None = None
        self._open: TurnRecord | None = None
        self._marked = False
        self._model = ""
        self._cwd = ""
        self._calls: dict[str, CommandRecord] = {}
        self._patching: set[str] = set()

    def feed(self, raw: bytes, *, own: bool) -> None:
        """Take in a line; one that cannot be read says nothing.

        Args:
            raw: With or without its line end.
            own: Whether it stands in the thread's own file.
        """
        at_ms: int | None = None
        try:
            line = _line.decode(raw)
            at_ms = _ms(line.timestamp)
            self._take(line, raw, at_ms)
        except UNREADABLE:
            at_ms = None
        while len(self._own) < len(self.turns):
            copied = self._copied_before is not None and at_ms is not None and at_ms < self._copied_before
            self._own.append(own and not copied)

    def own_turns(self) -> list[TurnRecord]:
        """The turns so far, without those the thread copied."""
        found = [turn for turn, is_own in zip(self.turns, self._own, strict=True) if is_own]
        for turn in found:
            turn.cwd = turn.cwd or self._meta_cwd
        return found

    def _take(self, line: Line, raw: bytes, at_ms: int | None) -> None:
        if line.type == "turn_context" and line.payload:
            context = read_turn_context(line.payload)
            self._model, self._cwd = context.model, context.cwd
            if self._open is not None:
                self._open.model, self._open.cwd = context.model, context.cwd
        elif line.type == "event_msg" and line.payload:
            self._event(line.payload, at_ms)
        elif line.type == "response_item" and line.payload:
            self._item(decode_item(line.payload)[0], at_ms)
        elif line.type and not line.payload and line.record_type is None:
            self._item(decode_item(raw)[0], at_ms)

    def _event(self, payload: msgspec.Raw, at_ms: int | None) -> None:
        match _typed.decode(payload).type:
            case "task_started" | "turn_started":
                self._marked = True
                self._begin(_started.decode(_as(payload, "task_started")).turn_id, at_ms)
            case "task_complete" | "turn_complete":
                error = _complete.decode(_as(payload, "task_complete")).error
                self._end("failed" if error is not None else "completed", at_ms, error)
            case "turn_aborted":
                self._end("interrupted", at_ms, None)
            case "token_count":
                info = _tokens.decode(payload).info
                if info is not None and self.turns and info.last_token_usage.total_tokens:
                    self.turns[-1].usages.append(
                        UsageRecord(at_ms=at_ms, usage=info.last_token_usage, duration_s=self._waited(at_ms))
                    )
            case "thread_rolled_back":
                self._take_back(_back.decode(payload).num_turns)
            case _:
                return

    def _begin(self, turn_id: str, at_ms: int | None) -> TurnRecord:
        turn = TurnRecord(
            number=len(self.turns) + 1,
            id=turn_id,
            started_ms=at_ms,
            model=self._model,
            cwd=self._cwd,
            files=[],
            commands=[],
            usages=[],
        )
        self._open = turn
        self._waiting_ms = at_ms
        self.turns.append(turn)
        return turn

    def _waited(self, at_ms: int | None) -> float | None:
        """Seconds since the model could begin; what follows waits from here."""
        began, self._waiting_ms = self._waiting_ms, at_ms
        return None if began is None or at_ms is None else max(0, at_ms - began) / 1000

    def _end(self, status: Status, at_ms: int | None, error: str | None) -> None:
        if self._open is not None:
            self._open.status, self._open.ended_ms, self._open.error = status, at_ms, error
            self._open = None

    def _take_back(self, count: int) -> None:
        for turn in reversed(self.turns):
            if count <= 0:
                return
            if turn.status != "taken back":
                turn.status = "taken back"
                count -= turn.prompt is not None

    def _item(self, item: Item, at_ms: int | None) -> None:
        if is_prompt(item) and isinstance(item, Message):
            turn = self._open
            if turn is None or (not self._marked and turn.prompt is not None):
                turn = self._begin("", at_ms)
            if turn.prompt is None:
                turn.prompt = item.text()
                self._waiting_ms = at_ms
            return
        if self._open is None:
            return
        turn = self._open
        match item:
            case Message(role="assistant"):
                turn.answer = item.text()
                if not self._marked:  # files of August 2025 do not say when turns end
                    turn.status, turn.ended_ms = "completed", at_ms
            case FunctionCall() | CustomToolCall() | LocalShellCall():
                self._call(turn, item, at_ms)
            case FunctionCallOutput() | CustomToolCallOutput():
                self._waiting_ms = at_ms
                self._output(turn, item.call_id, item.text())
            case _:
                return

    def _call(self, turn: TurnRecord, item: FunctionCall | CustomToolCall | LocalShellCall, at_ms: int | None) -> None:
        called = called_by(item)
        if called.kind == "patch":
            turn.patches += 1
            self._patching.add(called.call_id)
        if called.kind == "command":
            command = CommandRecord(script=called.text, tool=called.tool, cwd=called.cwd, started_ms=at_ms)
            turn.commands.append(command)
            self._calls[called.call_id] = command

    def _output(self, turn: TurnRecord, call_id: str, text: str) -> None:
        outcome = outcome_of(text)
        command = self._calls.pop(call_id, None)
        if command is not None:
            command.output = outcome.output
            command.exit_code, command.duration_s = outcome.exit_code, outcome.duration_s
        if call_id in self._patching:
            self._patching.discard(call_id)
            turn.files += written_files(outcome.output)


def _as(payload: msgspec.Raw, kind: str) -> bytes:
    """The payload under the older of its two names."""
    fields = msgspec.json.decode(payload)
    return msgspec.json.encode({**fields, "type": kind})


def _ms(stamp: str) -> int | None:
    try:
        return round(datetime.fromisoformat(stamp).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
