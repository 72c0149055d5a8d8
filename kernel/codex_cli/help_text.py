"""Help and usage, printed from the tables; only what works is listed."""

from __future__ import annotations

import textwrap

from codex_cli.options import Command, Option
from codex_cli.parser import options_of

_WIDTH = 100


def usage_line(chain: tuple[Command, ...]) -> str:
    """`Usage: codex exec [OPTIONS] [PROMPT]`."""
    command = chain[-1]
    parts = [" ".join(part.name for part in chain), "[OPTIONS]"]
    if command.arguments:
        parts.extend(command.arguments)
    elif any(sub.summary for sub in command.subcommands):
        parts.append("[COMMAND]" if command.options else "COMMAND")
    return "Usage: " + " ".join(parts)


def help_for(chain: tuple[Command, ...]) -> str:
    """The whole help of the last command in `chain`, with a final line end."""
    command = chain[-1]
    blocks = [command.summary, usage_line(chain)]
    subcommands = [sub for sub in command.subcommands if sub.summary]
    if subcommands:
        rows = [(sub.name + "".join(f", {alias}" for alias in sub.aliases), sub.summary) for sub in subcommands]
        blocks.append("Commands:\n" + _table(rows))
    rows = [(_spelling(option), _explained(option)) for option in options_of(chain) if option.help]
    blocks.append("Options:\n" + _table(rows))
    blocks.extend(
        textwrap.fill(paragraph, _WIDTH, break_on_hyphens=False)
        for paragraph in command.details.split("\n\n")
        if paragraph
    )
    return "\n\n".join(blocks) + "\n"


def _spelling(option: Option) -> str:
    names = ", ".join(option.names)
    if not option.names[0].startswith("-") or option.names[0].startswith("--"):
        names = "    " + names
    return f"{names} {option.metavar}" if option.metavar else names


def _explained(option: Option) -> str:
    return f"{option.help} [{', '.join(option.choices)}]" if option.choices else option.help


def _table(rows: list[tuple[str, str]]) -> str:
    left = min(30, max(len(name) for name, _ in rows) + 2)
    lines: list[str] = []
    for name, text in rows:
        wrapped = textwrap.wrap(text, _WIDTH - left - 2, break_on_hyphens=False) or [""]
        if len(name) > left - 2:
            lines.append(f"  {name}")
            lines.extend(" " * (left + 2) + line for line in wrapped)
        else:
            lines.append(f"  {name:<{left}}{wrapped[0]}")
            lines.extend(" " * (left + 2) + line for line in wrapped[1:])
    return "\n".join(lines)
