"""`codex mcp`: without a subcommand the MCP server on stdio; its subcommands list and edit the configured servers."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from codex_cli.log_setup import configure_logging
from codex_cli.parser import CommandLineError, Parsed
from codex_kernel.config.directory import current_directory
from codex_protocol.errors import CodexError
from codex_store.home import Home, find_home

if TYPE_CHECKING:
    from codex_kernel.config.types import McpServer

_NAME_CHARS = "letters, digits, '_' and '-'"


def run_mcp_command(parsed: Parsed) -> int:
    """The exit code once the client has gone, or the subcommand is done.

    Raises:
        CommandLineError: The server to add is not described in one way.
        CodexError: The settings cannot be read or written, or there is no such server.
    """
    configure_logging(os.environ)
    match parsed.path:
        case ("mcp", "list"):
            return _list(parsed)
        case ("mcp", "get"):
            return _get(parsed)
        case ("mcp", "add"):
            return _add(parsed)
        case ("mcp", "remove"):
            return _remove(parsed)
        case ("mcp", "login"):
            return _login(parsed)
        case ("mcp", "logout"):
            return _logout(parsed)
        case _:
            return _serve(parsed)


def _serve(parsed: Parsed) -> int:
    from codex_kernel.config.flags import Flags
    from codex_kernel.mcp_server.run import run_mcp_server

    return run_mcp_server(parsed.many("config"), Flags(demo=parsed.flag("demo")))


def _servers(parsed: Parsed, home: Home) -> dict[str, McpServer]:
    from codex_kernel.config.load import load_config

    return load_config(home=home, cwd=current_directory(), overrides=parsed.many("config")).mcp_servers


def _server(parsed: Parsed, home: Home) -> tuple[str, McpServer]:
    name = parsed.words[0]
    server = _servers(parsed, home).get(name)
    if server is None:
        raise CodexError(f"No MCP server named '{name}' found.")
    return name, server


def _list(parsed: Parsed) -> int:
    from codex_cli import mcp_listing

    home = find_home()
    return _print(mcp_listing.as_list(_servers(parsed, home), home, json=parsed.flag("json")))


def _get(parsed: Parsed) -> int:
    from codex_cli import mcp_listing

    name, server = _server(parsed, find_home())
    return _print(mcp_listing.as_details(name, server, json=parsed.flag("json")))


def _add(parsed: Parsed) -> int:
    from codex_kernel.config.edit import set_value

    name, *command = parsed.words
    if not name or not all(char.isascii() and (char.isalnum() or char in "_-") for char in name):
        raise CodexError(f"invalid server name '{name}': a name has only {_NAME_CHARS}.")
    home = find_home()
    home.ensure()
    set_value(home.config_file, ("mcp_servers", name), _described(parsed, command))
    return _print(f"Added global MCP server '{name}'.\n")


def _described(parsed: Parsed, command: list[str]) -> dict[str, object]:
    """The server's table."""
    url, token, env = parsed.one("url"), parsed.one("bearer_token_env_var"), parsed.many("env")
    if (url is None) == (not command):
        raise CommandLineError("give either --url URL or, after '--', the server's command", parsed.chain)
    if url is not None:
        if env:
            raise CommandLineError("'--env' is for servers that are started by a command", parsed.chain)
        if not url.startswith(("http://", "https://")):
            raise CommandLineError(f"the address {url!r} must start with http:// or https://", parsed.chain)
        address: dict[str, object] = {"url": url}
        return address | ({"bearer_token_env_var": token} if token else {})
    if token:
        raise CommandLineError("'--bearer-token-env-var' is for servers with a URL", parsed.chain)
    pairs: dict[str, str] = {}
    for pair in env:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise CommandLineError(f"'--env {pair}' has no '='; write KEY=VALUE", parsed.chain)
        pairs[key] = value
    table: dict[str, object] = {"command": command[0]}
    if command[1:]:
        table["args"] = command[1:]
    return table | ({"env": pairs} if pairs else {})


def _remove(parsed: Parsed) -> int:
    from codex_kernel.config.edit import remove_value

    name, home = parsed.words[0], find_home()
    if home.config_file.exists() and remove_value(home.config_file, ("mcp_servers", name)):
        return _print(f"Removed global MCP server '{name}'.\n")
    return _print(f"No MCP server named '{name}' found.\n")


def _login(parsed: Parsed) -> int:
    import asyncio

    home = find_home()
    name, server = _server(parsed, home)
    if server.url is None:
        raise CodexError(f"'{name}' is started by a command; only servers with a URL have a login.")
    from codex_kernel.mcp_client.login_file import LOGINS_FILE
    from codex_kernel.mcp_client.oauth import log_in

    async def show(address: str) -> None:
        _say(f"If no browser opens, go to this address to log in to '{name}':\n\n{address}\n")
        await asyncio.to_thread(_open, address)

    scopes = [scope.strip() for scope in (parsed.one("scopes") or "").split(",") if scope.strip()]
    if asyncio.run(log_in(name, server.url, home.workbench / LOGINS_FILE, scopes=scopes, show=show)):
        return _print(f"Successfully logged in to MCP server '{name}'.\n")
    return _print(f"MCP server '{name}' asks for no login.\n")


def _logout(parsed: Parsed) -> int:
    home = find_home()
    name, server = _server(parsed, home)
    if server.url is None:
        raise CodexError(f"'{name}' is started by a command; only servers with a URL have a login.")
    from codex_kernel.mcp_client.login_file import LOGINS_FILE, LoginFile

    gone = LoginFile(home.workbench / LOGINS_FILE, name, server.url).forget()
    return _print(f"Removed the login to '{name}'.\n" if gone else f"There is no login to '{name}'.\n")


def _open(address: str) -> None:
    if os.environ.get("BROWSER") or sys.platform == "darwin" or os.environ.get("DISPLAY"):
        import webbrowser

        webbrowser.open(address)


def _print(text: str) -> int:
    sys.stdout.write(text)
    sys.stdout.flush()
    return 0


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
