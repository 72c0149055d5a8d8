"""The commands a thread's model has asked for, as they would run: for previews of rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import msgspec

from codex_protocol.items import FunctionCall, Item, LocalShellCall

MAX_COMMANDS = 200
_SHELL = "/bin/bash"


def commands_so_far(items: Iterable[Item]) -> tuple[tuple[str, ...], ...]:
    """Each command once, newest first; calls that could not be read are left out."""
    found = [argv for item in items if (argv := _command_of(item))]
    return tuple(dict.fromkeys(reversed(found)))[:MAX_COMMANDS]


def _command_of(item: Item) -> tuple[str, ...]:
    match item:
        case LocalShellCall():
            return item.action.command
        case FunctionCall(name="exec_command"):
            return _of_line(_arguments(item))
        case FunctionCall(name="shell" | "container.exec" | "local_shell"):
            return _words(_arguments(item).get("command"))
        case _:
            return ()


def _arguments(call: FunctionCall) -> dict[str, Any]:
    try:
        found: object = msgspec.json.decode(call.arguments or "{}")
    except msgspec.DecodeError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _of_line(arguments: dict[str, Any]) -> tuple[str, ...]:
    line, shell = arguments.get("cmd"), arguments.get("shell")
    if not isinstance(line, str):
        return ()
    return (shell if isinstance(shell, str) else _SHELL, "-c" if arguments.get("login") is False else "-lc", line)


def _words(value: object) -> tuple[str, ...]:
    words = cast("list[object]", value) if isinstance(value, list) else []
    return tuple(cast("list[str]", words)) if all(isinstance(word, str) for word in words) else ()
