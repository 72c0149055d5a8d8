"""May this tool of an MCP server be called? A pure function of its settings, its hints and the approval policy.

Source: spec/modern-features.md, "MCP tool policy", and spec/exec-json.md, "mcp_tool_call". A server's hints are its own
words: they can spare a question, and the user chose the server; the settings of the server or tool are stronger.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from codex_kernel.policy.interface import Ask, Decision, Deny, Run, Standing
from codex_protocol.policy import ApprovalPolicy, DangerFullAccess

MODES = ("auto", "prompt", "approve")
"""By the hints; always ask; never ask."""


class McpQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """May this call be made?"""

    server: str
    tool: str
    arguments: Any
    mode: str = "auto"
    """The settings' approval mode; a word that is none of `MODES` counts as `prompt`."""
    read_only: bool | None = None
    destructive: bool | None = None
    open_world: bool | None = None


def decide_mcp(question: McpQuestion, standing: Standing) -> Decision:
    """Whether it runs, asks or is refused."""
    if question.mode == "approve" or mcp_digest(question) in standing.approved_digests:
        return Run(confined=False)
    if question.mode == "auto" and not needs_approval(question):
        return Run(confined=False)
    if standing.approval_policy is ApprovalPolicy.NEVER:
        if isinstance(standing.sandbox_policy, DangerFullAccess):
            return Run(confined=False)
        return Deny("MCP tool call requires approval, but approval policy is never", "policy")
    return Ask(reason=_reason(question), confined=False, why="MCP tool call requires approval")


def needs_approval(question: McpQuestion) -> bool:
    """Whether the hints leave open that something is changed: what a server does not say counts as the worst."""
    if question.destructive is True:
        return True
    if question.read_only is True:
        return False
    return question.destructive is not False or question.open_world is not False


def mcp_digest(question: McpQuestion) -> str:
    """SHA-256 of the exact call: server, tool and arguments."""
    call = {"mcp": question.server, "tool": question.tool, "arguments": question.arguments}
    return hashlib.sha256(msgspec.json.encode(call, order="sorted")).hexdigest()


def _reason(question: McpQuestion) -> str | None:
    if question.mode != "auto":
        return "The settings ask before every call of this tool."
    if question.destructive is True:
        return "Its server says that the tool may destroy something."
    return "Its server does not say that the tool only reads."
