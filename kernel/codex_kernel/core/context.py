"""The context messages of a thread: put into the history before its first turn, and again when they changed."""

from __future__ import annotations

from codex_kernel.core.history import is_context
from codex_kernel.core.instructions import (
    commands_notice,
    environment_message,
    permissions_message,
    user_instructions_message,
)
from codex_kernel.core.settings import TurnSettings
from codex_kernel.core.state import ThreadState
from codex_protocol.items import Item, Message


def missing_context(state: ThreadState, settings: TurnSettings) -> list[Message]:
    """The context messages that the history does not end up saying yet, in the order they are sent."""
    said = _last_of_each_kind(state.history.items)
    return [message for message in context_messages(state, settings) if said.get(_kind(message)) != message.text()]


def context_messages(state: ThreadState, settings: TurnSettings) -> list[Message]:
    """All context messages, in the order they are sent."""
    facts = state.sandbox.facts(settings.sandbox_policy)
    wanted = [
        permissions_message(
            settings.approval_policy, settings.sandbox_policy, settings.cwd, commands=commands_notice(facts.rung)
        )
    ]
    skills = state.skills.message(settings.context_window())
    if skills is not None:
        wanted.append(skills)
    if state.user_instructions:
        wanted.append(user_instructions_message(state.user_instructions, settings.cwd))
    wanted.append(environment_message(settings.cwd, settings.approval_policy, settings.sandbox_policy))
    return wanted


def _last_of_each_kind(items: list[Item]) -> dict[str, str]:
    said: dict[str, str] = {}
    for item in items:
        if isinstance(item, Message) and item.role in ("user", "developer") and is_context(item):
            said[_kind(item)] = item.text()
    return said


def _kind(message: Message) -> str:
    """What stands before the first `>` or space: the tag that tells context messages apart."""
    head = message.text().lstrip()[:40]
    return head.split(">", 1)[0].split(" for ", 1)[0]
