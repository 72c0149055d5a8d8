"""Approvals put to an MCP client: the request it gets, what its answer means, and who still owes one.

An answer arrives as an op, whenever it arrives; nothing waits for it. Source: spec/mcp.md B5 and B6.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

from codex_kernel.mcp_server.messages import Response
from codex_kernel.mcp_server.older_events import changes
from codex_kernel.mcp_server.outgoing import Outgoing
from codex_protocol.events import ApplyPatchApprovalRequest, ExecApprovalRequest
from codex_protocol.ops import ExecApproval, Op, PatchApproval
from codex_protocol.policy import ReviewDecision
from codex_render.safe_text import one_line, visible
from codex_render.shell_words import join_words

log = logging.getLogger(__name__)

Question = ExecApprovalRequest | ApplyPatchApprovalRequest
Params = dict[str, Any]
Ask = tuple[str, Params]
"""Method and parameters of the request that puts a question."""

BY = "mcp client"
_ACTIONS = {
    "accept": ReviewDecision.APPROVED,
    "decline": ReviewDecision.DENIED,
    "cancel": ReviewDecision.ABORT,
}


def as_elicitation(question: Question, *, tool_call_id: str, event_id: str) -> Ask:
    """The question as `elicitation/create`, with the fields upstream's clients read."""
    common = {
        "codex_mcp_tool_call_id": tool_call_id,
        "codex_event_id": event_id,
        "codex_call_id": question.call_id,
    }
    if isinstance(question, ExecApprovalRequest):
        own: Params = {
            "message": _command_message(question),
            "codex_elicitation": "exec-approval",
            "codex_command": question.command,
            "codex_cwd": question.cwd,
        }
    else:
        own = {
            "message": _patch_message(question),
            "codex_elicitation": "patch-approval",
            "codex_changes": changes(question.changes),
        }
        if question.grant_root is not None:
            own["codex_grant_root"] = question.grant_root
    if question.reason is not None:
        own["codex_reason"] = question.reason
    return "elicitation/create", {"requestedSchema": {"type": "object", "properties": {}}, **own, **common}


def as_conversation_request(question: Question, conversation_id: str) -> Ask:
    """The question as the conversation methods put it."""
    params: Params = {"conversation_id": conversation_id, "call_id": question.call_id}
    if question.reason is not None:
        params["reason"] = question.reason
    if isinstance(question, ExecApprovalRequest):
        return "execCommandApproval", params | {"command": question.command, "cwd": question.cwd}
    if question.grant_root is not None:
        params["grant_root"] = question.grant_root
    return "applyPatchApproval", params | {"file_changes": changes(question.changes)}


def decision_of(response: Response) -> ReviewDecision:
    """What an answer means. Upstream's `decision` and MCP's own `action` are understood; anything else is a no."""
    answer = response.result
    if response.error is not None or not isinstance(answer, dict):
        return ReviewDecision.DENIED
    result = cast("dict[str, Any]", answer)
    if "decision" in result:
        return _named(result["decision"])
    action = result.get("action")
    if action != "accept":
        return _ACTIONS.get(action, ReviewDecision.DENIED) if isinstance(action, str) else ReviewDecision.DENIED
    content = result.get("content")
    if isinstance(content, dict) and "decision" in content:
        return _named(cast("dict[str, Any]", content)["decision"])
    return ReviewDecision.APPROVED


def _named(word: Any) -> ReviewDecision:
    try:
        return ReviewDecision(word)
    except ValueError:
        return ReviewDecision.DENIED


class OpenQuestions:
    """The questions of one thread that its client has not answered."""

    def __init__(self, out: Outgoing, submit: Callable[[Op], None]) -> None:
        self._out = out
        self._submit = submit
        self._asked: dict[str, int] = {}
        """Approval id to the id of our request."""

    def put(self, question: Question, ask: Ask) -> None:
        """Ask the client; its answer becomes an op."""

        def take(response: Response) -> None:
            self._asked.pop(question.approval_id, None)
            decision = decision_of(response)
            if response.error is not None:
                log.warning("the client refused to answer an approval; it counts as denied: %s", response.error)
            self._submit(_answer(question, decision))

        method, params = ask
        self._asked[question.approval_id] = self._out.ask(method, params, take)

    def settled(self, approval_id: str) -> None:
        """The question was answered, here or elsewhere, or its turn has ended."""
        asked = self._asked.pop(approval_id, None)
        if asked is not None:
            self._out.withdraw(asked, "the question needs no answer any more")


def _answer(question: Question, decision: ReviewDecision) -> Op:
    if isinstance(question, ExecApprovalRequest):
        return ExecApproval(id=question.approval_id, decision=decision, by=BY)
    return PatchApproval(id=question.approval_id, decision=decision, by=BY)


def _command_message(question: ExecApprovalRequest) -> str:
    lines = [f"Allow Codex to run `{visible(join_words(question.command))}` in `{one_line(question.cwd)}`?"]
    if question.reason:
        lines.append(visible(question.reason))
    if question.would_touch:
        shown = ", ".join(map(one_line, question.would_touch[:5]))
        more = f" and {len(question.would_touch) - 5} more" if len(question.would_touch) > 5 else ""
        lines.append(f"It removes or overwrites {shown}{more}.")
    if question.unconfined:
        lines.append("It would run outside the sandbox, with your own rights.")
    elif question.sandbox is not None and question.sandbox.notice:
        lines.append(question.sandbox.notice)
    return "\n".join(lines)


def _patch_message(question: ApplyPatchApprovalRequest) -> str:
    asked = "Allow Codex to apply proposed code changes?"
    return f"{visible(question.reason)}\n{asked}" if question.reason else asked
