"""Numbers on the command line."""

from __future__ import annotations

from codex_cli.parser import CommandLineError, Parsed


def above_zero(parsed: Parsed, key: str) -> int | None:
    """The option's value; None when it was not given.

    Raises:
        CommandLineError: It is no whole number above 0, or a very long one.
    """
    text = parsed.one(key)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise CommandLineError(f"'--{key}' takes a number above 0, not '{text[:20]}'", parsed.chain)
    return int(text)
