"""What an item of a thread says to a person who looks for it: its kind, its text, and for commands how they went."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any, Literal

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
from codex_store.context_items import is_prompt
from codex_store.rollout_lines import UNREADABLE

Kind = Literal["prompt", "answer", "command", "output", "patch", "call"]

_SHELLS = ("bash", "sh", "zsh")
_arguments = msgspec.json.Decoder(dict[str, Any])
_EXIT = re.compile(r"^(?:Process exited with code|Exit code:) (-?\d+)$", re.MULTILINE)
_WALL = re.compile(r"^Wall time: ([\d.]+) seconds?$", re.MULTILINE)
_HEAD_CHARS = 600


class Called(msgspec.Struct, frozen=True):
    """A tool call as people understand it."""

    call_id: str
    tool: str
    kind: Literal["command", "patch", "call"]
    text: str
    """The script, the patch, or the arguments."""
    cwd: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """What a call's output says of a command."""

    output: str
    exit_code: int | None = None
    duration_s: float | None = None


class _Metadata(msgspec.Struct, frozen=True):
    exit_code: int | None = None
    duration_seconds: float | None = None


class _JsonOutcome(msgspec.Struct, frozen=True):
    output: str
    metadata: _Metadata = _Metadata()


_outcome = msgspec.json.Decoder(_JsonOutcome)


def texts(item: Item) -> Iterator[tuple[Kind, str]]:
    """The texts of an item that a search looks through; none for what only the model reads."""
    match item:
        case Message(role="assistant"):
            yield "answer", item.text()
        case Message() if is_prompt(item):
            yield "prompt", item.text()
        case FunctionCall() | CustomToolCall() | LocalShellCall():
            called = called_by(item)
            yield called.kind, called.text
        case FunctionCallOutput() | CustomToolCallOutput():
            yield "output", outcome_of(item.text()).output
        case _:
            return


def called_by(item: FunctionCall | CustomToolCall | LocalShellCall) -> Called:
    """A call in words."""
    match item:
        case LocalShellCall(action=action):
            return Called(
                item.call_id or item.id or "",
                "local_shell",
                "command",
                script(action.command),
                action.working_directory or "",
            )
        case CustomToolCall(name="apply_patch"):
            return Called(item.call_id, item.name, "patch", item.input)
        case CustomToolCall():
            return Called(item.call_id, item.name, "call", item.input)
        case FunctionCall():
            return _function(item)


def _function(item: FunctionCall) -> Called:
    try:
        arguments = _arguments.decode(item.arguments)
    except UNREADABLE:
        return Called(item.call_id, item.name, "call", item.arguments)
    cwd = arguments.get("workdir")
    cwd = cwd if isinstance(cwd, str) else ""
    match arguments:
        case {"command": [*words]} if all(isinstance(word, str) for word in words):
            return _command(item, script(tuple(words)), cwd)
        case {"command": str(line)} | {"cmd": str(line)}:
            return _command(item, line, cwd)
        case {"input": str(patch)} if item.name == "apply_patch":
            return Called(item.call_id, item.name, "patch", patch)
        case _:
            return Called(item.call_id, item.name, "call", f"{item.name} {item.arguments}")


def _command(item: FunctionCall, text: str, cwd: str) -> Called:
    kind = "patch" if text.lstrip().startswith(("apply_patch", "*** Begin Patch")) else "command"
    return Called(item.call_id, item.name, kind, text, cwd)


def script(command: tuple[str, ...]) -> str:
    """The command as a person would type it."""
    if len(command) == 3 and command[1] in ("-c", "-lc") and command[0].rpartition("/")[2] in _SHELLS:
        return command[2].strip()
    if len(command) == 2 and command[0] == "apply_patch":
        return command[1]
    return shlex.join(command)


def written_files(text: str) -> list[str]:
    """The files that a patch wrote, as its output lists them; none when it failed."""
    _, marker, rest = text.partition("Success. Updated the following files:\n")
    return [line[2:] for line in rest.splitlines() if line[:2] in ("A ", "M ", "D ")] if marker else []


def outcome_of(text: str) -> Outcome:
    """What a call's output says, in each of the forms it is given to models in."""
    if text.startswith("{"):
        try:
            found = _outcome.decode(text)
        except UNREADABLE:
            pass
        else:
            return Outcome(found.output, found.metadata.exit_code, found.metadata.duration_seconds)
    head, marker, rest = text[:_HEAD_CHARS].partition("\nOutput:\n")
    if not marker or not (wall := _WALL.search(head)):
        return Outcome(text)
    code = _EXIT.search(head)
    return Outcome(rest + text[_HEAD_CHARS:], int(code[1]) if code else None, float(wall[1]))
