"""Configured MCP servers as text and JSON. Source: `codex mcp list` and `get` of upstream 0.169, shape for shape."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping
from typing import Any

from codex_kernel.config.types import McpServer
from codex_kernel.mcp_client.login_file import LOGINS_FILE, LoginFile
from codex_render.safe_text import one_line
from codex_store.home import Home

NONE_YET = "No MCP servers configured yet. Try `codex mcp add my-tool -- my-command`.\n"
_DEFAULTS = McpServer()
_AUTH_WORDS = {"unsupported": "Unsupported", "bearer_token": "Bearer token", "o_auth": "OAuth"}


def as_list(servers: Mapping[str, McpServer], home: Home, *, json: bool) -> str:
    """All servers, by name."""
    ordered = sorted(servers.items())
    auth = {name: _auth(name, server, home) for name, server in ordered}
    if json:
        return _json(
            [{**_common(name, server), **_timeouts(server), "auth_status": auth[name]} for name, server in ordered]
        )
    if not ordered:
        return NONE_YET
    programs = [
        (
            name,
            server.command or "",
            " ".join(server.args) or "-",
            _masked(server.env),
            server.cwd or "-",
            _status(server),
            _AUTH_WORDS[auth[name]],
        )
        for name, server in ordered
        if server.url is None
    ]
    addresses = [
        (name, server.url, server.bearer_token_env_var or "-", _status(server), _AUTH_WORDS[auth[name]])
        for name, server in ordered
        if server.url is not None
    ]
    tables: list[str] = []
    if programs:
        tables.append(_table(("Name", "Command", "Args", "Env", "Cwd", "Status", "Auth"), programs))
    if addresses:
        tables.append(_table(("Name", "Url", "Bearer Token Env Var", "Status", "Auth"), addresses))
    return "\n".join(tables)


def as_details(name: str, server: McpServer, *, json: bool) -> str:
    """One server."""
    if json:
        tools = {
            "enabled_tools": None if server.enabled_tools is None else list(server.enabled_tools),
            "disabled_tools": list(server.disabled_tools) or None,
        }
        return _json({**_common(name, server), **tools, **_timeouts(server)})
    lines = [name, f"  enabled: {'true' if server.enabled else 'false'}"]
    if server.url is None:
        lines += ["  transport: stdio", f"  command: {server.command}", f"  args: {' '.join(server.args) or '-'}"]
        lines += [f"  cwd: {server.cwd or '-'}", f"  env: {_masked(server.env)}"]
    else:
        lines += ["  transport: streamable_http", f"  url: {server.url}"]
        lines.append(f"  bearer_token_env_var: {server.bearer_token_env_var or '-'}")
        lines.append(f"  http_headers: {_masked(server.http_headers)}")
        lines.append(f"  env_http_headers: {', '.join(f'{k}={v}' for k, v in server.env_http_headers.items()) or '-'}")
    if server.enabled_tools is not None:
        lines.append(f"  enabled_tools: {', '.join(server.enabled_tools) or '-'}")
    if server.disabled_tools:
        lines.append(f"  disabled_tools: {', '.join(server.disabled_tools)}")
    timeouts = _timeouts(server)
    lines += [f"  {key}: {value:g}" for key, value in timeouts.items() if value is not None]
    lines.append(f"  remove: codex mcp remove {name}")
    return "".join(one_line(line) + "\n" for line in lines)


def _common(name: str, server: McpServer) -> dict[str, Any]:
    transport: dict[str, Any]
    if server.url is None:
        transport = {
            "type": "stdio",
            "command": server.command,
            "args": list(server.args),
            "env": server.env or None,
            "env_vars": [],
            "cwd": server.cwd,
        }
    else:
        transport = {
            "type": "streamable_http",
            "url": server.url,
            "bearer_token_env_var": server.bearer_token_env_var,
            "http_headers": server.http_headers or None,
            "env_http_headers": server.env_http_headers or None,
            "http_headers_helper": None,
        }
    return {"name": name, "enabled": server.enabled, "disabled_reason": None, "transport": transport}


def _timeouts(server: McpServer) -> dict[str, float | None]:
    keys = ("startup_timeout_sec", "tool_timeout_sec")
    return {key: value if (value := getattr(server, key)) != getattr(_DEFAULTS, key) else None for key in keys}


def _auth(name: str, server: McpServer, home: Home) -> str:
    if server.url is None:
        return "unsupported"
    if server.bearer_token_env_var:
        return "bearer_token"
    return "o_auth" if LoginFile(home.workbench / LOGINS_FILE, name, server.url).there else "unsupported"


def _status(server: McpServer) -> str:
    return "enabled" if server.enabled else "disabled"


def _masked(values: Mapping[str, str]) -> str:
    return ", ".join(f"{key}=*****" for key in sorted(values)) or "-"


def _table(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    cells = [header, *([one_line(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + "\n" for row in cells
    )


def _json(value: Any) -> str:
    return jsonlib.dumps(value, indent=2, ensure_ascii=False) + "\n"
