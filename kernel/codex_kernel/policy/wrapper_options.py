"""The command behind a wrapper's own options, by a table of what each option takes and changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from codex_kernel.policy.shell_syntax import Word
from codex_kernel.policy.shell_walk import Change, FoundCommand

_UNFAITHFUL_LONG = frozenset({"--ignore-environment", "--unset", "--chdir", "--output", "--append"})


class Inner(NamedTuple):
    """A command another one runs."""

    command: FoundCommand
    start: int | None
    """Where it begins in the outer argv; None when it stands inside an argument."""
    faithful: bool
    """It runs exactly as it would by itself: same environment, directory, rights and arguments."""
    more: bool = False
    """It gets further arguments that are not known, as from `xargs`."""


class Unwrapped(NamedTuple):
    """What a wrapper runs."""

    inner: tuple[Inner, ...]
    complete: bool
    """False: it may run more than `inner`."""


UNKNOWN = Unwrapped((), complete=False)


class Options(NamedTuple):
    """Options a wrapper takes before the command."""

    flags: str = ""
    """Letters without a value."""
    valued: str = ""
    """Letters with a value."""
    long_flags: frozenset[str] = frozenset()
    long_valued: frozenset[str] = frozenset()
    unfaithful: str = ""
    """Letters that change how the command runs."""
    operands: int = 0
    """Operands before the command, as the duration of `timeout`."""
    faithful: bool = True
    assignments: bool = False
    more: bool = False
    directory: str = ""
    """The option that names the command's directory."""


def prefix(options: Options) -> Callable[[FoundCommand], Unwrapped]:
    return lambda command: after_options(command, options)


def after_options(command: FoundCommand, options: Options) -> Unwrapped:
    """The command behind the wrapper's options; unknown when an option is not in the table."""
    words = command.words
    faithful = options.faithful and not command.redirects
    changes = command.changes
    operands = options.operands
    index = 1
    while index < len(words):
        word = words[index]
        text = word.text
        if not word.known:
            return UNKNOWN
        if options.assignments and re.match(r"[A-Za-z_]\w*=", text):
            faithful = False
        elif text == "--":
            index += 1
            break
        elif text.startswith("--"):
            name, equals, value = text.partition("=")
            if name in options.long_valued:
                if not equals:
                    index += 1
                    value = words[index].text if index < len(words) else ""
                if name == "--chdir":
                    changes = (*changes, Change(Word(value), certain=True))
                    faithful = False
            elif name not in options.long_flags:
                return UNKNOWN
            faithful = faithful and name not in _UNFAITHFUL_LONG
        elif text.startswith("-") and len(text) > 1:
            parsed = _cluster(text[1:], options)
            if parsed is None:
                return UNKNOWN
            letters, value = parsed
            if value is None:
                index += 1
                value = words[index].text if index < len(words) else ""
            if options.directory and options.directory == letters[-1]:
                changes = (*changes, Change(Word(value), certain=True))
            faithful = faithful and not set(letters) & set(options.unfaithful)
        elif text == "-" and options.assignments:
            faithful = False
        else:
            break
        index += 1
    index += operands
    if index >= len(words):
        return Unwrapped((), complete=not options.more)
    inner = command._replace(words=words[index:], changes=changes)
    return Unwrapped((Inner(inner, index, faithful, options.more),), complete=True)


def _cluster(letters: str, options: Options) -> tuple[str, str | None] | None:
    """Letters of `-abc` and the value of the last one: "" without one, None when it is the next word."""
    if "0" in options.flags and letters.isdigit():  # nice -10
        return letters, ""
    for index, letter in enumerate(letters):
        if letter in options.valued:
            rest = letters[index + 1 :]
            return letters[: index + 1], rest or None
        if letter not in options.flags:
            return None
    return letters, ""
