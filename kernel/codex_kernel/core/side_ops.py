"""Ops about a thread that need no turn: its name, its history, prompts, skills and rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from codex_protocol.events import (
    BackgroundEvent,
    ConversationHistory,
    EventMsg,
    GetHistoryEntryResponse,
    ListCustomPromptsResponse,
    ListedSkill,
    RulesPreviewed,
    SkillsListed,
    ThreadNameUpdated,
)
from codex_protocol.items import encode_item
from codex_protocol.ops import (
    AddRules,
    AddToHistory,
    GetHistory,
    GetHistoryEntryRequest,
    ListCustomPrompts,
    ListRules,
    ListSkills,
    PreviewRules,
    RemoveRule,
    SetThreadName,
)

if TYPE_CHECKING:
    from codex_kernel.core.opening import Opened
    from codex_protocol.policy import ReviewDecision
    from codex_protocol.rules import RuleAmendment

RuleOp = ListRules | AddRules | RemoveRule | PreviewRules
SideOp = SetThreadName | AddToHistory | GetHistoryEntryRequest | GetHistory | ListCustomPrompts | ListSkills | RuleOp


class SideOps:
    """Handles these ops, beside whatever turn runs."""

    def __init__(self, opened: Opened, emit: Callable[[str, EventMsg], None]) -> None:
        """Take the thread; `emit` gets an op's id and what it comes to."""
        self._opened = opened
        self._state = opened.state
        self._emit = emit

    async def handle(self, id: str, op: SideOp) -> None:
        """Do what an op asks and tell of it.

        Raises:
            CodexError: It cannot be done.
        """
        match op:
            case SetThreadName():
                self._state.recorder.event(ThreadNameUpdated(name=op.name))
                self._emit(id, ThreadNameUpdated(name=op.name))
            case AddToHistory():
                await asyncio.to_thread(self._opened.add_to_message_history, op.text)
            case GetHistoryEntryRequest():
                entry = await asyncio.to_thread(self._opened.message_history_entry, op.log_id, op.offset)
                self._emit(id, GetHistoryEntryResponse(offset=op.offset, log_id=op.log_id, entry=entry))
            case GetHistory():
                self._emit(id, self._conversation())
            case ListCustomPrompts():
                prompts = await asyncio.to_thread(self._opened.custom_prompts)
                self._emit(id, ListCustomPromptsResponse(custom_prompts=prompts))
            case ListSkills():
                self._emit(id, self._skills())
            case ListRules() | AddRules() | RemoveRule() | PreviewRules():
                await self._about_rules(id, op)

    async def add_rules(self, id: str, rules: tuple[RuleAmendment, ...], answer: ReviewDecision | None = None) -> None:
        """Write rules down and tell of each.

        Args:
            id: Whose events tell of it.
            rules: What a person decided on.
            answer: The answer to the approval they came with.

        Raises:
            ConfigError: They cannot be written.
        """
        for line in await asyncio.to_thread(self._state.rules.add, rules, answer):
            where = self._state.rules.user_file
            self._emit(id, BackgroundEvent(message=f"From now on, in every thread: {line} (added to {where})"))

    def _skills(self) -> SkillsListed:
        skills = tuple(
            ListedSkill(name=skill.name, description=skill.description, path=str(skill.file), scope=skill.scope)
            for skill in self._state.skills.all
        )
        return SkillsListed(skills=skills, problems=self._state.skills.problems)

    def _conversation(self) -> ConversationHistory:
        entries = tuple(msgspec.json.decode(encode_item(item)) for item in self._state.history.items)
        return ConversationHistory(conversation_id=self._state.thread_id, entries=entries)

    async def _about_rules(self, id: str, op: RuleOp) -> None:
        rules = self._state.rules
        match op:
            case PreviewRules():
                found = rules.preview(op.prefixes, self._state.history.items)
                self._emit(id, RulesPreviewed(prefixes=op.prefixes, would_allow=found))
                return
            case AddRules():
                await self.add_rules(id, op.rules)
            case RemoveRule():
                line = await asyncio.to_thread(rules.remove, op.file, op.line, op.pattern)
                self._emit(id, BackgroundEvent(message=f"Counts no longer: {line} (removed from {op.file})"))
            case ListRules():
                pass
        self._emit(id, await asyncio.to_thread(rules.listed))
