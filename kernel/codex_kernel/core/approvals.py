"""Questions to a person, as durable records: asked once, answered once, by whoever comes first.

Source: design section 4 point 4.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from codex_kernel.policy.interface import Ask
from codex_kernel.tools.interface import Answered
from codex_protocol.events import (
    ApplyPatchApprovalRequest,
    ApprovalRequest,
    ApprovalResolved,
    EventMsg,
    ExecApprovalRequest,
    McpApprovalRequest,
)
from codex_protocol.file_changes import FileChange
from codex_protocol.policy import ReviewDecision, SandboxFacts
from codex_protocol.review import HunkChoice, check_choices
from codex_protocol.rules import RuleSuggestion

AskHooks = Callable[[ApprovalRequest], Awaitable[bool | None]]
Suggest = Callable[[tuple[str, ...], Ask], tuple[RuleSuggestion, ...]]


class ApprovalRecorder(Protocol):
    """Where questions and answers are kept."""

    def event(self, msg: EventMsg) -> None:
        """Write a request or an answer; on return it survives the process."""
        ...


class Approvals:
    """The open questions of one thread."""

    def __init__(
        self,
        recorder: ApprovalRecorder,
        *,
        can_ask: bool,
        approved_digests: frozenset[str] = frozenset(),
    ) -> None:
        self.can_ask = can_ask
        """Whether anybody can answer; a thread that ever had a rich client keeps it."""
        self.approved_digests = set(approved_digests)
        """Of what was approved for the whole thread."""
        self._recorder = recorder
        self._open: dict[str, tuple[ApprovalRequest, asyncio.Future[Answered], Callable[[EventMsg], None]]] = {}

    def pending(self) -> tuple[ApprovalRequest, ...]:
        """The questions nobody has answered yet, oldest first."""
        return tuple(request for request, _, _ in self._open.values())

    async def ask(self, request: ApprovalRequest, emit: Callable[[EventMsg], None]) -> Answered:
        """Record and report a question, then wait without limit for its answer.

        Where nobody can answer it is denied at once, and that is recorded too.

        Raises:
            asyncio.CancelledError: The turn was interrupted; the question is recorded as aborted.
        """
        self._recorder.event(request)
        if not self.can_ask:
            self._settle(request, ReviewDecision.DENIED, None, emit)
            return Answered(ReviewDecision.DENIED)
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._open[request.approval_id] = (request, answer, emit)
        emit(request)
        try:
            return await answer
        except asyncio.CancelledError:
            if self._open.pop(request.approval_id, None) is not None:
                self._settle(request, ReviewDecision.ABORT, "interrupt", emit)
            raise

    def answered_by_hook(
        self, request: ApprovalRequest, decision: ReviewDecision, emit: Callable[[EventMsg], None]
    ) -> None:
        """Record a question that a trusted hook of the user answered, so that nobody was asked."""
        self._recorder.event(request)
        self._settle(request, decision, "hook", emit)

    def is_open(self, approval_id: str) -> bool:
        """Whether that question waits for an answer."""
        return approval_id in self._open

    def answer(
        self, approval_id: str, decision: ReviewDecision, by: str | None, choices: tuple[HunkChoice, ...] = ()
    ) -> bool:
        """Take an answer; False when there is no such open question (any more).

        Raises:
            UsageError: The choices do not speak of the question's patch; it stays open.
        """
        entry = self._open.get(approval_id)
        if entry is None:
            return False
        request, answer, emit = entry
        if choices:
            check_choices(request.changes if isinstance(request, ApplyPatchApprovalRequest) else {}, choices)
        resolved = msgspec.structs.replace(_resolved(request, decision, by or "unnamed client"), choices=choices)
        self._recorder.event(resolved)  # where that fails the question stays open
        del self._open[approval_id]
        if decision is ReviewDecision.APPROVED_FOR_SESSION:
            self.approved_digests.add(request.digest)
        emit(resolved)
        if not answer.done():
            answer.set_result(Answered(decision, choices))
        return True

    def _settle(
        self, request: ApprovalRequest, decision: ReviewDecision, by: str | None, emit: Callable[[EventMsg], None]
    ) -> None:
        resolved = _resolved(request, decision, by)
        self._recorder.event(resolved)
        emit(resolved)


class TurnApprover:
    """Asks on behalf of one turn's calls; implements `tools.interface.Approver`."""

    def __init__(
        self,
        approvals: Approvals,
        emit: Callable[[EventMsg], None],
        facts: SandboxFacts,
        abort: Callable[[], None],
        suggest: Suggest,
        ask_hooks: AskHooks | None = None,
    ) -> None:
        self._approvals = approvals
        self._emit = emit
        self._facts = facts
        self._abort = abort
        self._suggest = suggest
        self._ask_hooks = ask_hooks

    @property
    def can_ask(self) -> bool:
        """Whether anybody can answer, as of now."""
        return self._approvals.can_ask

    async def command(self, *, call_id: str, argv: tuple[str, ...], cwd: Path, ask: Ask, digest: str) -> ReviewDecision:
        """The answer for a command; an approval for the thread covers the same command again."""
        from codex_kernel.policy.command_summary import summarise  # 20 ms that most threads need not wait for

        answer = await self._decide(
            ExecApprovalRequest(
                call_id=call_id,
                approval_id=_new_id(),
                digest=digest,
                command=argv,
                cwd=str(cwd),
                reason=ask.reason,
                would_touch=ask.would_touch,
                sandbox=self._facts,
                unconfined=not ask.confined,
                parsed_cmd=summarise(argv),
                suggestions=self._suggest(argv, ask) if self._approvals.can_ask else (),
            )
        )
        return answer.decision

    async def patch(self, *, call_id: str, changes: dict[str, FileChange], reason: str | None, digest: str) -> Answered:
        """The answer for a patch."""
        return await self._decide(
            ApplyPatchApprovalRequest(
                call_id=call_id, approval_id=_new_id(), digest=digest, changes=changes, reason=reason
            )
        )

    async def mcp(
        self, *, call_id: str, server: str, tool: str, arguments: Any, reason: str | None, digest: str
    ) -> ReviewDecision:
        """The answer for a call to an MCP server; an approval for the thread covers the same call again."""
        answer = await self._decide(
            McpApprovalRequest(
                call_id=call_id,
                approval_id=_new_id(),
                digest=digest,
                server=server,
                tool=tool,
                arguments=arguments,
                reason=reason,
            )
        )
        return answer.decision

    async def _decide(self, request: ApprovalRequest) -> Answered:
        hooked = None if self._ask_hooks is None else await self._ask_hooks(request)
        if hooked is not None:
            decision = ReviewDecision.APPROVED if hooked else ReviewDecision.DENIED
            self._approvals.answered_by_hook(request, decision, self._emit)
            return Answered(decision)
        answer = await self._approvals.ask(request, self._emit)
        if answer.decision is ReviewDecision.ABORT:
            self._abort()
        return answer


def _resolved(request: ApprovalRequest, decision: ReviewDecision, by: str | None) -> ApprovalResolved:
    return ApprovalResolved(approval_id=request.approval_id, call_id=request.call_id, decision=decision, by=by)


def _new_id() -> str:
    return os.urandom(8).hex()
