"""Approvals as a thread's rollout records them: what was asked, and the first answer to it.

Source: design section 4 point 4.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from codex_protocol.events import ApprovalRequest, ApprovalResolved
from codex_protocol.policy import ReviewDecision
from codex_protocol.review import HunkChoice
from codex_store.rollout_lines import ApprovalAnswered, ApprovalRequested


class ApprovalAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer that counts."""

    decision: ReviewDecision
    by: str | None
    """Who answered; None when nobody could and it was denied at once."""
    at: str
    """When it was written, UTC."""
    digest: str
    choices: tuple[HunkChoice, ...] = ()
    """Of a patch: which parts were not taken, or taken with other text."""


class ApprovalRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A question and, once there is one, its answer."""

    request: ApprovalRequest
    at: str
    """When it was written, UTC."""
    answer: ApprovalAnswer | None = None


class ApprovalRecords:
    """The questions of one thread, in the order they were asked."""

    def __init__(self) -> None:
        self._by_id: dict[str, ApprovalRecord] = {}

    def __iter__(self) -> Iterator[ApprovalRecord]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, approval_id: str) -> ApprovalRecord | None:
        """The record of a question."""
        return self._by_id.get(approval_id)

    def requested(self, request: ApprovalRequest, at: str) -> None:
        """Take in a question; one that is known already changes nothing."""
        self._by_id.setdefault(request.approval_id, ApprovalRecord(request=request, at=at))

    def answer_to(self, resolved: ApprovalResolved) -> ApprovalAnswered | None:
        """The answer as it is written; None when it does not count: answered already, or never asked."""
        record = self._by_id.get(resolved.approval_id)
        if record is None or record.answer is not None:
            return None
        return ApprovalAnswered(
            approval_id=resolved.approval_id,
            digest=record.request.digest,
            decision=resolved.decision,
            by=resolved.by,
            choices=resolved.choices,
        )

    def answered(self, answer: ApprovalAnswered, at: str) -> bool:
        """Take in an answer; False when it does not count: not the first, or to another question's digest."""
        record = self._by_id.get(answer.approval_id)
        if record is None or record.answer is not None or record.request.digest != answer.digest:
            return False
        self._by_id[answer.approval_id] = ApprovalRecord(
            request=record.request,
            at=record.at,
            answer=ApprovalAnswer(
                decision=answer.decision, by=answer.by, at=at, digest=answer.digest, choices=answer.choices
            ),
        )
        return True

    def take(self, line: ApprovalRequested | ApprovalAnswered, at: str) -> None:
        """Take in a line of the rollout."""
        if isinstance(line, ApprovalRequested):
            self.requested(line.request, at)
        else:
            self.answered(line, at)

    @property
    def pending(self) -> tuple[ApprovalRequest, ...]:
        """The questions nobody has answered, oldest first."""
        return tuple(record.request for record in self if record.answer is None)

    @property
    def approved_digests(self) -> frozenset[str]:
        """Digests of what was approved for the whole thread."""
        return frozenset(
            record.request.digest
            for record in self
            if record.answer is not None and record.answer.decision is ReviewDecision.APPROVED_FOR_SESSION
        )
