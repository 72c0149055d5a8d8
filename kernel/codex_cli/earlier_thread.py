"""Which earlier thread a command line names: `resume` and `fork`, with the page and without."""

from __future__ import annotations

from typing import Literal

import msgspec

from codex_cli.parser import CommandLineError, Parsed


class EarlierThread(msgspec.Struct, frozen=True):
    """The thread to go on with or from."""

    how: Literal["resume", "fork"]
    name: str | None
    """Its id, the beginning of it, or its name; None: the newest one."""
    everywhere: bool
    """With no name: of any directory, not only of this one."""


def earlier_thread(parsed: Parsed) -> tuple[EarlierThread | None, str | None]:
    """The thread the command goes on with, None for a new one; and the prompt.

    Raises:
        CommandLineError: `--last` with a name, or neither.
    """
    words = parsed.words
    how = parsed.path[-1] if parsed.path else ""
    if how not in ("resume", "fork"):
        return None, words[0] if words else None
    everywhere = parsed.flag("all")
    if parsed.flag("last"):
        if len(words) > 1:
            raise CommandLineError("'--last' takes no id: give the prompt alone", parsed.chain)
        return EarlierThread(how, None, everywhere), words[0] if words else None
    if not words:
        raise CommandLineError("which thread? give its id or name, or '--last'", parsed.chain)
    return EarlierThread(how, words[0], everywhere), words[1] if len(words) > 1 else None
