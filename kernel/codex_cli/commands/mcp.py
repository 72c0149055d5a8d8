"""`codex mcp` and what stands below it."""

from __future__ import annotations

from codex_cli.commands.shared import CONFIG, DEMO, JSON
from codex_cli.options import Command, Option

MCP = Command(
    "mcp",
    "Serve the agent to MCP clients on stdio; or manage the MCP servers it may use",
    options=(CONFIG, DEMO),
    subcommands=(
        Command("list", "List the configured MCP servers", options=(CONFIG, JSON)),
        Command("get", "Show one configured MCP server", options=(CONFIG, JSON), arguments=("NAME",)),
        Command(
            "add",
            "Add an MCP server to your config.toml, or replace the one of that name",
            options=(
                CONFIG,
                Option("--env", metavar="KEY=VALUE", repeat=True, help="A variable the server's program gets"),
                Option("--url", metavar="URL", help="Address of a streamable HTTP server, instead of a command"),
                Option(
                    "--bearer-token-env-var", metavar="NAME", help="Variable that holds the HTTP server's bearer token"
                ),
            ),
            arguments=("NAME", "[COMMAND]..."),
            details="The server's program and its arguments stand after '--': "
            "codex mcp add files -- npx -y @modelcontextprotocol/server-filesystem .",
        ),
        Command("remove", "Remove an MCP server from your config.toml", options=(CONFIG,), arguments=("NAME",)),
        Command(
            "login",
            "Log in to an HTTP server in the browser",
            options=(CONFIG, Option("--scopes", metavar="LIST", help="What to ask for, with commas between")),
            arguments=("NAME",),
        ),
        Command("logout", "Forget the login to an HTTP server", options=(CONFIG,), arguments=("NAME",)),
    ),
    details="Without a subcommand: an MCP server with the tools 'codex' and 'codex-reply', until its stdin ends.",
)
MCP_SERVER = Command("mcp-server", "Same as 'codex mcp'", options=(CONFIG, DEMO))
