"""The table of every command and option: what the parser takes, help prints and shells complete."""

from __future__ import annotations

from codex_cli.commands.leash import DEBUG, EXECPOLICY, HOOKS, RULES, SANDBOX_COMMAND
from codex_cli.commands.machine import COMPLETION, DOCTOR, FEATURES, HELP, KERNEL, LOGIN, LOGOUT
from codex_cli.commands.mcp import MCP, MCP_SERVER
from codex_cli.commands.shared import (
    ADD_DIR,
    APPROVAL,
    BYPASS,
    CONFIG,
    DEMO,
    DIRECTORY,
    FULL_AUTO,
    IMAGE,
    MODEL,
    OSS,
    PROFILE,
    SANDBOX,
    SEARCH,
    STRICT,
    TRUST,
)
from codex_cli.commands.threads import (
    APPLY,
    ARCHIVE,
    DELETE,
    EXPORT,
    FORK,
    RESUME,
    SEARCH_THREADS,
    THREADS,
    UNARCHIVE,
)
from codex_cli.commands.turns import EXEC, PROTO, REVIEW
from codex_cli.options import Command, Option


def _later(name: str, what: str, *aliases: str) -> Command:
    return Command(name, "", aliases=aliases, later=f"'codex {name}' ({what}) is not part of this release yet")


ROOT = Command(
    "codex",
    "A coding agent that works in your repository",
    options=(
        CONFIG,
        MODEL,
        PROFILE,
        SANDBOX,
        APPROVAL,
        DIRECTORY,
        ADD_DIR,
        IMAGE,
        FULL_AUTO,
        BYPASS,
        TRUST,
        STRICT,
        OSS,
        SEARCH,
        DEMO,
        Option("--port", metavar="N", help="Serve the page on this port of 127.0.0.1"),
        Option("--no-browser", help="Open no browser; only print the link"),
        Option("--new-secrets", help="Close every tab that was open: cookies and port are made anew"),
    ),
    arguments=("[PROMPT]",),
    subcommands=(
        EXEC,
        REVIEW,
        PROTO,
        LOGIN,
        LOGOUT,
        SANDBOX_COMMAND,
        DEBUG,
        RULES,
        EXECPOLICY,
        HOOKS,
        FEATURES,
        DOCTOR,
        COMPLETION,
        HELP,
        MCP,
        MCP_SERVER,
        THREADS,
        RESUME,
        FORK,
        SEARCH_THREADS,
        ARCHIVE,
        UNARCHIVE,
        DELETE,
        APPLY,
        KERNEL,
        EXPORT,
        _later("queue", "sending to a running thread"),
        _later("app-server", "the server for editors"),
    ),
)
