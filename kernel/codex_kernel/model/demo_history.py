"""What the demo model did in the present turn, read back from the prompt: its calls and what they came to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

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

_CALL_ID = re.compile(r"demo_\d+_(\w+)")
_EXITED = re.compile(r"^(?:Process exited with code|Exit code:) (-?\d+)", re.MULTILINE)
_RUNNING = re.compile(r"^Process running with session ID (\d+)", re.MULTILINE)
_OUTPUT = re.compile(r"^Output:\n", re.MULTILINE)


class Result(msgspec.Struct, frozen=True):
    """What a call came to."""

    text: str
    """What it printed; for a call that did not run, why."""
    exit_code: int | None = None
    """None: it did not run, or runs on."""
    session: int | None = None
    """The session it runs on in."""

    @property
    def ran(self) -> bool:
        """Whether it ended by itself."""
        return self.exit_code is not None


class Turn(msgspec.Struct, frozen=True):
    """One turn so far."""

    request: str
    """What the user asked."""
    added: tuple[str, ...]
    """What the user wrote while the turn ran."""
    results: dict[str, Result]
    """By the label of the call."""
    called: frozenset[str]
    """Labels of all calls, answered or not."""
    cwd: str | None
    read_only: bool


def read_turn(items: Sequence[Item]) -> Turn:
    """The present turn in a history."""
    start = _start(items)
    messages = [item.text() for item in items[start:] if isinstance(item, Message) and _is_from_user(item)]
    labels: dict[str, str] = {}
    results: dict[str, Result] = {}
    for item in items[start:]:
        if isinstance(item, FunctionCall | CustomToolCall | LocalShellCall):
            found = _CALL_ID.fullmatch(item.call_id or "")
            if found:
                labels[item.call_id or ""] = found[1]
        elif isinstance(item, FunctionCallOutput | CustomToolCallOutput) and item.call_id in labels:
            results[labels[item.call_id]] = parse_output(item.text())
    context = "\n".join(item.text() for item in items if isinstance(item, Message) and not _is_from_user(item))
    modes = re.findall(r"<sandbox_mode>([\w-]+)</sandbox_mode>", context)
    directories = re.findall(r"<cwd>([^\n]*)</cwd>", context)
    return Turn(
        request=messages[0] if messages else "",
        added=tuple(messages[1:]),
        results=results,
        called=frozenset(labels.values()),
        cwd=directories[-1] if directories else None,
        read_only=bool(modes) and modes[-1] == "read-only",
    )


def parse_output(text: str) -> Result:
    """A command's result in any of the forms the tools answer in; what is in none of them is a refusal."""
    if text.startswith("{"):
        try:
            fields: Any = msgspec.json.decode(text)
        except msgspec.DecodeError:
            fields = None
        if isinstance(fields, dict):
            answer = cast("dict[str, Any]", fields)
            metadata = answer.get("metadata")
            code = cast("dict[str, Any]", metadata).get("exit_code") if isinstance(metadata, dict) else None
            if isinstance(code, int):
                return Result(str(answer.get("output", "")), code)
    mark = _OUTPUT.search(text)
    head, body = (text[: mark.start()], text[mark.end() :]) if mark else (text, "")
    exited, running = _EXITED.search(head), _RUNNING.search(head)
    if exited:
        return Result(body, int(exited[1]))
    if running:
        return Result(body, None, int(running[1]))
    return Result(" ".join(text.split())[:400])


def _start(items: Sequence[Item]) -> int:
    """Where the turn begins: a user message that follows an answer, not one that joined a running turn."""
    start, in_turn = 0, False
    for index, item in enumerate(items):
        if isinstance(item, Message):
            if _is_from_user(item):
                if not in_turn:
                    start, in_turn = index, True
            elif item.role == "assistant":
                in_turn = _is_call(items, index + 1)
            elif item.text().lstrip().startswith("<turn_aborted"):
                in_turn = False
    return start


def _is_call(items: Sequence[Item], index: int) -> bool:
    return index < len(items) and isinstance(items[index], FunctionCall | CustomToolCall | LocalShellCall)


def _is_from_user(item: Message) -> bool:
    """Whether a person wrote it: what the agent itself puts in begins with a tag or the heading of AGENTS.md."""
    if item.role != "user":
        return False
    text = item.text().lstrip()
    return not (re.match(r"<[a-z_]+[ >]", text) or text.startswith("# AGENTS.md instructions"))
