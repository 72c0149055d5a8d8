"""What a command is for, as far as its words say."""

from __future__ import annotations

import msgspec


class ReadCommand(msgspec.Struct, frozen=True, tag="read"):
    """A command that reads a file; `name` is short, for display."""

    cmd: str
    name: str


class ListFilesCommand(msgspec.Struct, frozen=True, tag="list_files"):
    """A command that lists files."""

    cmd: str
    path: str | None


class SearchCommand(msgspec.Struct, frozen=True, tag="search"):
    """A command that searches."""

    cmd: str
    query: str | None
    path: str | None


class FormatCommand(msgspec.Struct, frozen=True, tag="format"):
    """A command that formats code."""

    cmd: str
    tool: str | None
    targets: tuple[str, ...] | None


class TestCommand(msgspec.Struct, frozen=True, tag="test"):
    """A command that runs tests."""

    cmd: str


class LintCommand(msgspec.Struct, frozen=True, tag="lint"):
    """A command that lints."""

    cmd: str
    tool: str | None
    targets: tuple[str, ...] | None


class NoopCommand(msgspec.Struct, frozen=True, tag="noop"):
    """A command that does nothing, like `true`."""

    cmd: str


class UnknownCommand(msgspec.Struct, frozen=True, tag="unknown"):
    """Any other command."""

    cmd: str


ParsedCommand = (
    ReadCommand
    | ListFilesCommand
    | SearchCommand
    | FormatCommand
    | TestCommand
    | LintCommand
    | NoopCommand
    | UnknownCommand
)
