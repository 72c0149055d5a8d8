"""Which hooks are configured: `hooks.json` files and `[hooks]` tables, as a list of handlers in their order.

Source: spec/execpolicy-and-hooks.md section 2.1.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec

from codex_kernel.config.layers import read_text
from codex_kernel.config.types import ConfigLayer, HookTable
from codex_protocol.errors import ConfigError

FILE_NAME = "hooks.json"
DEFAULT_TIMEOUT_S = 600.0
LONGEST_TIMEOUT_S = 3600.0
_CLAMPED = {"SessionEnd": 3.0, "Interrupt": 3.0}
_WITHOUT_MATCHER = frozenset({"UserPromptSubmit", "Stop"})
EVENTS = (
    "SessionStart",
    "SessionEnd",
    "UserPromptSubmit",
    "PreModelRequest",
    "PostModelRequest",
    "PreToolUse",
    "PermissionRequest",
    "PostToolUse",
    "PreCompact",
    "PostCompact",
    "Stop",
    "Interrupt",
)
_ELSEWHERE = frozenset({"SubagentStart", "SubagentStop"})
"""Events upstream has and we have no occasion for."""
_NOT_EVENTS = frozenset({"state"})
MAX_HANDLERS = 200
MAX_MATCHER = 500


class Handler(msgspec.Struct, frozen=True, kw_only=True):
    """One program for one event."""

    event: str
    command: str
    matcher: str | None = None
    """Regular expression, unanchored; None matches everything."""
    timeout_s: float = DEFAULT_TIMEOUT_S
    background: bool = False
    """Nobody waits for it, and what it says does not count."""
    status: str | None = None
    """Shown while it runs."""
    file: Path
    """Where it is configured."""
    project: bool
    """It comes from a project, not from the user."""
    key: str
    """Names it in `[hooks.state]`."""
    order: int
    """Its place among all handlers."""

    def matches(self, subjects: Sequence[str]) -> bool:
        """Whether it is meant for one of these names; for an event without names it always is."""
        return self.matcher is None or not subjects or any(re.search(self.matcher, name) for name in subjects)


class Configured(NamedTuple):
    """The handlers, and one sentence for each thing that was left out."""

    handlers: tuple[Handler, ...]
    notices: tuple[str, ...]


class _Source(NamedTuple):
    file: Path
    project: bool
    table: dict[str, Any]


def configured(layers: Sequence[ConfigLayer], tables: Sequence[HookTable]) -> Configured:
    """The hooks of the obeyed settings folders.

    Args:
        layers: Folders whose `hooks.json` counts.
        tables: The `[hooks]` tables of their `config.toml`.
    """
    notices: list[str] = []
    sources: list[_Source] = []
    for layer in layers:
        file = layer.folder / FILE_NAME
        table = _read(file, notices)
        if table is not None:
            sources.append(_Source(file, layer.kind == "project", table))
        inline = [one for one in tables if one.file.parent == layer.folder and set(one.table) - _NOT_EVENTS]
        if table and inline:
            notices.append(f"Hooks stand both in {file} and in {inline[0].file}; both count.")
    sources += [_Source(one.file, one.kind == "project", one.table) for one in tables]
    handlers: list[Handler] = []
    for source in sources:
        for handler in _handlers(source, notices):
            if len(handlers) >= MAX_HANDLERS:
                notices.append(f"Only the first {MAX_HANDLERS} hooks count.")
                return Configured(tuple(handlers), tuple(notices))
            handlers.append(msgspec.structs.replace(handler, order=len(handlers)))
    return Configured(tuple(handlers), tuple(notices))


def _read(file: Path, notices: list[str]) -> dict[str, Any] | None:
    try:
        text = read_text(file)
        if text is None:
            return None
        found: object = json.loads(text)
    except ConfigError as error:
        notices.append(f"{error} Its hooks do not run.")
        return None
    except (ValueError, RecursionError) as error:
        notices.append(f"{file} is not valid JSON, so its hooks do not run: {error}.")
        return None
    match found:
        case {"hooks": dict()}:
            return cast("dict[str, dict[str, Any]]", found)["hooks"]
        case _:
            notices.append(f'{file} holds no hooks: it should be an object with the key "hooks".')
            return None


def _handlers(source: _Source, notices: list[str]) -> Iterator[Handler]:
    for event, groups in source.table.items():
        if event in _NOT_EVENTS:
            continue
        if event not in EVENTS:
            why = "does not happen here" if event in _ELSEWHERE else "is not known"
            notices.append(f"{source.file}: the hook event {event} {why}; its hooks do not run.")
            continue
        if not isinstance(groups, list):
            notices.append(f"{source.file}: hooks.{event} has to be a list; its hooks do not run.")
            continue
        for number, group in enumerate(cast("list[object]", groups)):
            where = f"{source.file}: hooks.{event}[{number}]"
            match group:
                case {"hooks": list()}:
                    entries = cast("dict[str, list[object]]", group)["hooks"]
                case _:
                    notices.append(f"{where} has no list of hooks; it is left out.")
                    continue
            matcher = _matcher(event, cast("dict[str, Any]", group).get("matcher"), where, notices)
            if matcher is False:
                continue
            for index, entry in enumerate(entries):
                key = f"{source.file}:{_snake(event)}:{number}:{index}"
                handler = _handler(source, event, matcher, entry, key, f"{where}.hooks[{index}]", notices)
                if handler is not None:
                    yield handler


def _matcher(event: str, value: object, where: str, notices: list[str]) -> str | bool | None:
    """The expression; None for everything, False when it cannot be used."""
    if value is None or value in ("", "*") or event in _WITHOUT_MATCHER:
        return None
    if not isinstance(value, str) or len(value) > MAX_MATCHER:
        notices.append(f"{where}: matcher has to be a text of at most {MAX_MATCHER} characters; it is left out.")
        return False
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        notices.append(f"{where}: matcher is no regular expression ({error}); it is left out.")
        return False
    return value


def _handler(
    source: _Source,
    event: str,
    matcher: str | bool | None,
    entry: object,
    key: str,
    where: str,
    notices: list[str],
) -> Handler | None:
    if not isinstance(entry, dict):
        notices.append(f"{where} is no table; it is left out.")
        return None
    fields = cast("dict[str, Any]", entry)
    if fields.get("type", "command") != "command":
        notices.append(f"{where}: hooks of the type {fields['type']!r} are not supported; it is left out.")
        return None
    command = fields.get("command")
    if not isinstance(command, str) or not command.strip() or "\0" in command:
        notices.append(f"{where} has no command; it is left out.")
        return None
    status = fields.get("statusMessage")
    return Handler(
        event=event,
        command=command,
        matcher=matcher if isinstance(matcher, str) else None,
        timeout_s=_timeout(event, fields.get("timeout", fields.get("timeoutSec")), where, notices),
        background=fields.get("async") is True,
        status=status if isinstance(status, str) and status else None,
        file=source.file,
        project=source.project,
        key=key,
        order=0,
    )


def _timeout(event: str, value: object, where: str, notices: list[str]) -> float:
    longest = _CLAMPED.get(event, LONGEST_TIMEOUT_S)
    if value is None:
        return min(DEFAULT_TIMEOUT_S, longest)
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        notices.append(f"{where}: timeout has to be a number of seconds; the default counts.")
        return min(DEFAULT_TIMEOUT_S, longest)
    if value > longest:
        notices.append(f"{where}: timeout is cut to {longest:g} seconds.")
    return min(max(1.0, float(value)), longest)


def _snake(event: str) -> str:
    return re.sub(r"(?<=.)([A-Z])", r"_\1", event).lower()
