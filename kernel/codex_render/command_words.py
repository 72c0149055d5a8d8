"""What a command does, in words, from its parsed meaning: `Read a.py, b.py`, `Search 'foo' in src`."""

from __future__ import annotations

from collections.abc import Sequence

from codex_protocol.parsed_commands import (
    FormatCommand,
    LintCommand,
    ListFilesCommand,
    NoopCommand,
    ParsedCommand,
    ReadCommand,
    SearchCommand,
    TestCommand,
)
from codex_render.excerpt import shorten
from codex_render.safe_text import one_line
from codex_render.shell_words import join_words

_SHELLS = frozenset({"bash", "sh", "zsh", "dash", "ksh"})
_SCRIPT_FLAGS = frozenset({"-c", "-lc", "-ic", "-lic", "-cl"})

_NAMED = {"\t": "Tab", "\n": "Enter", "\r": "Enter", "\x1b": "Esc", "\x7f": "Backspace"}
_KEYS = {chr(code): f"Ctrl-{chr(code + 64)}" for code in range(32)} | _NAMED
_TYPED_KEYS = 10
_TYPED_CHARS = 200


class Described:
    """A command in words.

    Attributes:
        verb: `Read`, `List`, `Search`, `Format`, `Lint`, `Test` or `Run`.
        what: Its object, one line or a whole script; untrusted text.
        exploring: It only looks around; its output is the model's business rather than a person's.
    """

    __slots__ = ("exploring", "verb", "what")

    def __init__(self, verb: str, what: str, *, exploring: bool = False) -> None:
        self.verb = verb
        self.what = what
        self.exploring = exploring


def describe(command: Sequence[str], parsed: Sequence[ParsedCommand]) -> tuple[Described, ...]:
    """The command's steps in words; one `Run` step with the script itself when any of them has no known meaning."""
    steps = [step for step in parsed if not isinstance(step, NoopCommand)]
    described = [_step(step) for step in steps]
    if not described or None in described:
        return (Described("Run", script_of(command)),)
    return _merged([step for step in described if step is not None])


def script_of(command: Sequence[str]) -> str:
    """The command as a person would type it: the script of `bash -lc SCRIPT`, else the words, quoted."""
    if len(command) == 3 and command[1] in _SCRIPT_FLAGS and command[0].rpartition("/")[2] in _SHELLS:
        return command[2].strip()
    return join_words(command)


def typed(chars: str) -> str:
    """What was typed into a command, in one line of safe text: keys by their names, text in quotes."""
    body = chars.rstrip("\r\n")
    if body and not all(character in _KEYS for character in body):
        return f"“{shorten(one_line(body), _TYPED_CHARS)}”"
    names = [_KEYS[character] for character in body[:_TYPED_KEYS]] or ["Enter"]
    return " ".join(names) + (" …" if len(body) > _TYPED_KEYS else "")


def _step(step: ParsedCommand) -> Described | None:
    match step:
        case ReadCommand(name=name):
            return Described("Read", name, exploring=True)
        case ListFilesCommand(path=path):
            return Described("List", path or "the files here", exploring=True)
        case SearchCommand(query=query, path=path):
            words = f"'{query}'" if query else step.cmd
            return Described("Search", f"{words} in {path}" if path and query else words, exploring=True)
        case FormatCommand(cmd=cmd):
            return Described("Format", cmd)
        case LintCommand(cmd=cmd):
            return Described("Lint", cmd)
        case TestCommand(cmd=cmd):
            return Described("Run", cmd)
        case _:
            return None


def _merged(steps: list[Described]) -> tuple[Described, ...]:
    """Neighbouring reads become one: `Read a.py, b.py`; a step said twice is said once."""
    merged: list[Described] = []
    for step in steps:
        last = merged[-1] if merged else None
        if last is not None and last.verb == step.verb == "Read":
            if step.what not in last.what.split(", "):
                merged[-1] = Described("Read", f"{last.what}, {step.what}", exploring=True)
        elif last is None or (last.verb, last.what) != (step.verb, step.what):
            merged.append(step)
    return tuple(merged)
