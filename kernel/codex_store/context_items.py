"""Which user messages a person wrote, and which a program put there to tell the model where it is."""

from __future__ import annotations

from codex_protocol.items import Item, Message

CONTEXT_OPENINGS = (
    "<environment_context>",
    "<user_instructions>",
    "# AGENTS.md instructions",
    "<permissions",
    "<skills_instructions>",
    "<skill>",
    "<turn_aborted>",
    "<hook_prompt",
    "<user_shell_command>",
    "<subagent_notification>",
)
"""How messages begin that no person wrote, in both generations of upstream's rollouts and in ours."""


def is_prompt(item: Item) -> bool:
    """Whether a person wrote this item: a user message that is no context."""
    return isinstance(item, Message) and item.role == "user" and not item.text().lstrip().startswith(CONTEXT_OPENINGS)
