"""Approvals put to the person at a cell: asked in words by `input_request`, when no rich client can offer them better.

Jupyter cannot withdraw an open question: an answer that comes after another's is not used, and the cell says so.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from codex_kernel.jupyter.agent import Agent
from codex_kernel.jupyter.channels import Channels
from codex_kernel.jupyter.outputs import Outputs
from codex_protocol.events import (
    ApplyPatchApprovalRequest,
    ApprovalRequest,
    ApprovalResolved,
    ElicitationRequest,
    ExecApprovalRequest,
    McpApprovalRequest,
    NumberedEvent,
)
from codex_protocol.ops import ElicitationAnswer, ExecApproval, McpApproval, PatchApproval
from codex_protocol.policy import ReviewDecision
from codex_protocol.wire import Message
from codex_render.questions import CHOICES, question_words, resolved_words, typed_decision
from codex_render.safe_text import one_line

Request = ApprovalRequest
_ANSWERS = {
    ExecApprovalRequest: ExecApproval,
    ApplyPatchApprovalRequest: PatchApproval,
    McpApprovalRequest: McpApproval,
}
NOBODY = "nobody"
"""Who denied a question that nobody could be asked."""


class Asker(msgspec.Struct, eq=False):
    """The cell that runs: whom its questions go to."""

    idents: tuple[bytes, ...]
    parent: msgspec.Raw
    allow_stdin: bool
    outputs: Outputs


class Questions:
    """Offers every approval to whoever can answer it; denies at once where nobody can."""

    def __init__(self, agent: Agent, channels: Channels) -> None:
        """Watch the agent's events."""
        self._agent = agent
        self._channels = channels
        self._asker: Asker | None = None
        self._waiting: dict[str, Request] = {}
        """Approvals without an answer, oldest first."""
        self._asked: dict[str, tuple[str, tuple[bytes, ...]]] = {}
        """Open `input_request`s: their id, the approval, and who was asked; oldest first."""
        self._resolved: dict[str, ApprovalResolved] = {}
        self.someone_else_answers: Callable[[], bool] = lambda: False
        """Whether a rich client is there to answer."""
        self.may_wait: Callable[[], bool] = lambda: False
        """Whether an approval may wait for somebody who is not there now."""
        agent.listen(self._on_event)

    def begin(self, asker: Asker) -> None:
        """A cell runs: what waits is put to it, and what it may be asked decides whether anybody can be."""
        self._asker = asker
        if self._agent.current is not None:
            self._agent.current.can_ask = self.can_ask()
        self.reconsider()

    def end(self) -> None:
        """The cell has ended; front ends take their open inputs away with it."""
        self._asker = None
        self._asked.clear()
        self._resolved.clear()

    def can_ask(self) -> bool:
        """Whether anybody can answer an approval, now or later."""
        at_cell = self._asker is not None and self._asker.allow_stdin
        return at_cell or self.someone_else_answers() or self.may_wait()

    def reconsider(self) -> None:
        """Somebody came or went: put the oldest waiting approval to the cell, if it falls to the cell now."""
        if not self._waiting or self.someone_else_answers():
            return
        if self._asker is not None and self._asker.allow_stdin:
            if not any(approval in self._waiting for approval, _ in self._asked.values()):
                self._ask(next(iter(self._waiting.values())))
        elif not self.may_wait():
            for request in tuple(self._waiting.values()):
                self._answer(request, ReviewDecision.DENIED, NOBODY)

    def take_reply(self, message: Message) -> None:
        """An `input_reply`. Some clients do not say which question it answers: then it is their oldest."""
        found = message.parent_id if message.parent_id in self._asked else None
        if found is None:
            found = next((id for id, (_, idents) in self._asked.items() if idents == message.idents), None)
        if found is None or self._asker is None:
            return
        approval_id, _ = self._asked.pop(found)
        request = self._waiting.get(approval_id)
        if request is None:
            if (resolved := self._resolved.pop(approval_id, None)) is not None:
                self._asker.outputs.stream(f"{resolved_words(resolved)}; your answer was not used.\n")
            return
        decision = typed_decision(str(message.content.get("value", "")))
        if decision is None:
            self._asker.outputs.stream("Please answer yes, always, no or stop.\n")
            self._ask(request)
            return
        self._answer(request, decision, "notebook" if self._asker.outputs.style == "update" else "console")

    def _on_event(self, numbered: NumberedEvent) -> None:
        match numbered.event.msg:
            case ExecApprovalRequest() | ApplyPatchApprovalRequest() | McpApprovalRequest() as request:
                self._waiting[request.approval_id] = request
                self.reconsider()
            case ApprovalResolved() as resolved:
                if self._waiting.pop(resolved.approval_id, None) is not None:
                    self._resolved[resolved.approval_id] = resolved
                    self.reconsider()
            case ElicitationRequest(id=id, server=server) if not (self.someone_else_answers() or self.may_wait()):
                self._decline(id, server)
            case _:
                return

    def _decline(self, id: str, server: str) -> None:
        """A cell has no form to fill in: an MCP server's own question is declined, and the cell says so."""
        thread = self._agent.current
        if thread is not None and not thread.ended:
            thread.submit(ElicitationAnswer(id=id, action="decline", by=NOBODY))
        if self._asker is not None:
            text = f"The MCP server {one_line(server)} asked for input, which a cell cannot give; it was declined.\n"
            self._asker.outputs.stream(text, "stderr")

    def _ask(self, request: Request) -> None:
        if self._asker is None:
            return
        content = {"prompt": f"{question_words(request)}\n{CHOICES}", "password": False}
        id = self._channels.send("stdin", self._asker.idents, "input_request", content, self._asker.parent)
        self._asked[id] = (request.approval_id, self._asker.idents)

    def _answer(self, request: Request, decision: ReviewDecision, by: str) -> None:
        thread = self._agent.current
        if thread is None or thread.ended:
            return
        thread.submit(_ANSWERS[type(request)](id=request.approval_id, decision=decision, by=by))
