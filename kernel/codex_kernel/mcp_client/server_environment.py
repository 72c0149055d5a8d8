"""Which variables a stdio server sees: the few every program needs, and what its settings add.

Source: spec/mcp.md A2.
"""

from __future__ import annotations

from collections.abc import Mapping

COMMON = (
    "HOME",
    "LOGNAME",
    "PATH",
    "SHELL",
    "USER",
    "__CF_USER_TEXT_ENCODING",
    "LANG",
    "LC_ALL",
    "TERM",
    "TMPDIR",
    "TZ",
)


def server_environment(env: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """The server's variables; what its settings say wins. Keys, proxies and the like do not leak."""
    return {**{name: env[name] for name in COMMON if name in env}, **added}


def http_headers(
    env: Mapping[str, str],
    *,
    fixed: Mapping[str, str],
    from_env: Mapping[str, str],
    bearer_token_env_var: str | None,
) -> dict[str, str]:
    """The headers of an HTTP server; one whose variable is unset or blank is left out."""
    headers = dict(fixed)
    for name, variable in from_env.items():
        if value := env.get(variable, "").strip():
            headers[name] = value
    if bearer_token_env_var and (token := env.get(bearer_token_env_var, "").strip()):
        headers["Authorization"] = f"Bearer {token}"
    return headers
