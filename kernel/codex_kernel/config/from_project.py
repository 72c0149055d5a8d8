"""What a trusted project may set. Keys, addresses, sandbox and approvals are the user's alone.

Trust means "its code may run in the sandbox I chose", not "it may choose the sandbox".
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any, cast

from codex_kernel.config.layers import Layer, table_at
from codex_kernel.config.overrides import Tree, shown_key

ALLOWED = frozenset(
    {
        "model",
        "model_context_window",
        "model_max_output_tokens",
        "model_auto_compact_token_limit",
        "model_reasoning_effort",
        "model_reasoning_summary",
        "model_verbosity",
        "model_supports_reasoning_summaries",
        "review_model",
        "developer_instructions",
        "compact_prompt",
        "project_doc_max_bytes",
        "project_doc_fallback_filenames",
        "mcp_servers",
        "tools",
        "sandbox",
        "hooks",
        "skills",
        "background_terminal_max_timeout",
    }
)
"""Top-level keys a project may set; some of them in part, see below."""

ALLOWED_TOOLS = frozenset({"view_image", "update_plan", "apply_patch", "shell"})
"""Web search is not among them: it carries text out."""

REFUSED_OF_A_SERVER = frozenset(
    {"bearer_token_env_var", "env_http_headers", "default_tools_approval_mode", "tools", "required"}
)
"""A server a project brings may not be sent the user's secrets by name, nor approve its own tools."""


def permitted(layer: Layer, below: Tree, user_servers: Container[str]) -> tuple[Tree, str | None]:
    """The part of a project's settings that is obeyed, and one sentence about what was left out.

    Args:
        layer: A checked layer of a trusted project.
        below: The settings this layer is laid over: deny patterns add up.
        user_servers: Names of MCP servers the user defined: those are theirs.
    """
    kept: Tree = {}
    left_out: list[str] = []
    for key, value in layer.tree.items():
        match key:
            case "mcp_servers":
                kept[key] = _servers(value, user_servers, left_out)
            case "tools":
                kept[key] = _only(value, ALLOWED_TOOLS, "tools", left_out)
            case "sandbox":
                kept[key] = _only(value, frozenset({"deny_read"}), "sandbox", left_out)
                if patterns := kept[key].get("deny_read"):
                    kept[key]["deny_read"] = [*table_at(below, "sandbox").get("deny_read", []), *patterns]
            case "project_doc_fallback_filenames":
                kept[key] = [name for name in value if "/" not in name and name not in {".", ".."}]
            case _ if key in ALLOWED:
                kept[key] = value
            case _:
                left_out.append(shown_key((key,)))
    if not left_out:
        return kept, None
    return kept, (
        f"{layer.file}: a project cannot set {', '.join(left_out)}; left out."
        " Set what you want of it in your own config.toml."
    )


def _servers(servers: Any, of_user: Container[str], left_out: list[str]) -> Tree:
    kept: Tree = {}
    for name, server in cast(Tree, servers).items():
        if name in of_user:
            left_out.append(f"{shown_key(('mcp_servers', name))} (you have one of that name)")
            continue
        left_out += [shown_key(("mcp_servers", name, key)) for key in server if key in REFUSED_OF_A_SERVER]
        kept[name] = {key: value for key, value in server.items() if key not in REFUSED_OF_A_SERVER}
    return kept


def _only(table: Any, allowed: frozenset[str], name: str, left_out: list[str]) -> Tree:
    left_out += [shown_key((name, key)) for key in table if key not in allowed]
    return {key: value for key, value in table.items() if key in allowed}
