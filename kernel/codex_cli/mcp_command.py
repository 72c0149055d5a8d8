"""`codex mcp`: without a subcommand the MCP server on stdio; its subcommands list and edit the configured servers."""

from __future__ import annotations

import os

from codex_cli.log_setup import configure_logging
from codex_cli.parser import Parsed


def run_mcp_command(parsed: Parsed) -> int:
    """The exit code once the client has gone, or the subcommand is done."""
    configure_logging(os.environ)
    from codex_kernel.config.flags import Flags
    from codex_kernel.mcp_server.run import run_mcp_server

    return run_mcp_server(parsed.many("config"), Flags(demo=parsed.flag("demo")))
