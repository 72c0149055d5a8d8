"""What a cell asks for, from its text: settings, then a prompt, a `/` command or a `!` command of the user's own."""

from __future__ import annotations

import re
from difflib import get_close_matches

import msgspec

_SETTING = re.compile(r"%([a-z_]*)(?:[ \t]+(.*))?")
_COMMAND = re.compile(r"/([a-z][a-z-]*)(?:[ \t]+(.*))?", re.DOTALL)


class Setting(msgspec.Struct, frozen=True):
    """`%name value`."""

    name: str
    value: str


class Prompt(msgspec.Struct, frozen=True):
    """A message to the model."""

    text: str


class ShellCommand(msgspec.Struct, frozen=True):
    """`!command`: the user's own, run in the sandbox and put into the history."""

    command: str


class SlashCommand(msgspec.Struct, frozen=True):
    """`/name argument`."""

    name: str
    argument: str


class Misspelt(msgspec.Struct, frozen=True):
    """Looks like a `/` command, and there is none of that name but one nearly so."""

    name: str
    nearest: str


Work = Prompt | ShellCommand | SlashCommand | Misspelt


class Cell(msgspec.Struct, frozen=True):
    """A cell taken apart: the settings come first."""

    settings: tuple[Setting, ...]
    work: Work | None


def parse_cell(text: str, commands: frozenset[str]) -> Cell:
    """The cell's parts.

    Args:
        text: As typed.
        commands: The names of `/` commands and custom prompts. Text that begins with a slash and is none of them is a
            prompt: `/etc/hosts looks odd`.
    """
    lines = text.strip().split("\n")
    settings: list[Setting] = []
    while lines and (match := _SETTING.fullmatch(lines[0].strip())) is not None:
        settings.append(Setting(match[1], (match[2] or "").strip()))
        lines.pop(0)
    rest = "\n".join(lines).strip()
    return Cell(tuple(settings), _work(rest, commands) if rest else None)


def _work(text: str, commands: frozenset[str]) -> Work:
    if text.startswith("!") and text[1:].strip():
        return ShellCommand(text[1:].strip())
    if (match := _COMMAND.fullmatch(text)) is not None:
        name = match[1]
        if name in commands:
            return SlashCommand(name, (match[2] or "").strip())
        if close := get_close_matches(name, commands, n=1, cutoff=0.7):
            return Misspelt(name, close[0])
    return Prompt(text)
