"""The two tools as clients see them: descriptions, what goes in, what comes out.

Source: spec/mcp.md B3. The result also carries `structuredContent` with an output schema, as later revisions of MCP
have it: the id to go on with, and the answer.
"""

from __future__ import annotations

from typing import Any

import msgspec

from codex_protocol.policy import ApprovalPolicy, SandboxMode

Schema = dict[str, Any]


class CodexArguments(msgspec.Struct, frozen=True, rename="kebab"):
    """Arguments of `codex`; unknown ones are ignored."""

    prompt: str
    model: str | None = None
    profile: str | None = None
    cwd: str | None = None
    approval_policy: ApprovalPolicy | None = None
    sandbox: SandboxMode | None = None
    config: dict[str, Any] | None = None
    base_instructions: str | None = None
    include_plan_tool: bool | None = None


class ReplyArguments(msgspec.Struct, frozen=True, rename="camel"):
    """Arguments of `codex-reply`; newer clients say `threadId` or `conversationId`."""

    prompt: str
    session_id: str | None = None
    thread_id: str | None = None
    conversation_id: str | None = None

    def thread(self) -> str | None:
        """Whose turn it is, by whichever name it was given."""
        return self.session_id or self.thread_id or self.conversation_id


def _property(kind: str, description: str, **more: Any) -> Schema:
    return {"type": kind, "description": description, **more}


def _tool(name: str, title: str, description: str, properties: Schema, required: list[str]) -> Schema:
    return {
        "name": name,
        "title": title,
        "description": description,
        "inputSchema": {"type": "object", "properties": properties, "required": required},
        "outputSchema": {
            "type": "object",
            "properties": {
                "sessionId": _property("string", "Thread that answered; pass it to codex-reply to go on."),
                "threadId": _property("string", "The same id under its newer name."),
                "content": _property("string", "The agent's last message, or what went wrong."),
            },
            "required": ["sessionId", "threadId", "content"],
        },
    }


TOOLS: tuple[Schema, ...] = (
    _tool(
        "codex",
        "Codex",
        "Starts a coding agent on a task: it reads files, runs commands in a sandbox and edits by patches, "
        "then answers. The result names the thread, which codex-reply continues.",
        {
            "prompt": _property("string", "The task, in words."),
            "model": _property("string", "Model to ask, instead of the configured one."),
            "profile": _property("string", "Profile of the user's config.toml."),
            "cwd": _property("string", "Directory to work in; relative to the server's own."),
            "approval-policy": _property(
                "string", "When to ask before a command runs.", enum=[policy.value for policy in ApprovalPolicy]
            ),
            "sandbox": _property("string", "What commands may touch.", enum=[mode.value for mode in SandboxMode]),
            "config": _property(
                "object",
                "Further settings as in config.toml; keys may be dotted.",
                additionalProperties=True,
            ),
            "base-instructions": _property("string", "Replaces the agent's built-in instructions."),
            "include-plan-tool": _property("boolean", "Whether the agent may keep a plan."),
        },
        ["prompt"],
    ),
    _tool(
        "codex-reply",
        "Codex Reply",
        "Goes on with a thread that the codex tool started.",
        {
            "sessionId": _property("string", "The sessionId of an earlier result (session_id of session_configured)."),
            "prompt": _property("string", "What to say next."),
        },
        ["sessionId", "prompt"],
    ),
)


def text_result(text: str, *, is_error: bool = False, thread_id: str | None = None) -> Schema:
    """A tool's result; `isError` stands in it only when it is one."""
    result: Schema = {"content": [{"type": "text", "text": text}]}
    if thread_id is not None:
        result["structuredContent"] = {"sessionId": thread_id, "threadId": thread_id, "content": text}
    if is_error:
        result["isError"] = True
    return result
