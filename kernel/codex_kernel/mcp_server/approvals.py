"""Approvals put to an MCP client: the request it gets, what its answer means, and who still owes one.

An answer arrives as an op, whenever it arrives; nothing waits for it. Source: spec/mcp.md B5 and B6.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

import msgspec

from codex_kernel.mcp_server.messages import Response
from codex_kernel.mcp_server.older_events import changes
from codex_kernel.mcp_server.outgoing import Outgoing
from codex_protocol.events import (
    ApplyPatchApprovalRequest,
    ApprovalRequest,
    ElicitationRequest,
    ExecApprovalRequest,
    McpApprovalRequest,
)
from codex_protocol.ops import ElicitationAnswer, ExecApproval, McpApproval, Op, PatchApproval
from codex_protocol.policy import ReviewDecision
from codex_render.safe_text import one_line, visible
from codex_render.shell_words import join_words

log = logging.getLogger(__name__)

Question = ApprovalRequest
Params = dict[str, Any]
Ask = tuple[str, Params]
"""Method and parameters of the request that puts a question."""

BY = "mcp client"
_EMPTY_FORM: Params = {"type": "object", "properties": {}}
_MAX_ARGUMENT_CHARS = 2_000
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
    own: Params
    match question:
        case ExecApprovalRequest():
            own = {
                "message": _command_message(question),
                "codex_elicitation": "exec-approval",
                "codex_command": question.command,
                "codex_cwd": question.cwd,
            }
        case ApplyPatchApprovalRequest():
            own = {
                "message": _patch_message(question),
                "codex_elicitation": "patch-approval",
                "codex_changes": changes(question.changes),
            }
            if question.grant_root is not None:
                own["codex_grant_root"] = question.grant_root
        case McpApprovalRequest():
            own = _mcp_call(question)
    if question.reason is not None:
        own["codex_reason"] = question.reason
    return "elicitation/create", {"requestedSchema": _EMPTY_FORM, **own, **common}


def as_conversation_request(question: Question, conversation_id: str) -> Ask:
    """The question as the conversation methods put it."""
    params: Params = {"conversation_id": conversation_id, "call_id": question.call_id}
    if question.reason is not None:
        params["reason"] = question.reason
    if isinstance(question, ExecApprovalRequest):
        return "execCommandApproval", params | {"command": question.command, "cwd": question.cwd}
    if isinstance(question, McpApprovalRequest):  # older than these: put as MCP itself puts questions
        return "elicitation/create", {"requestedSchema": _EMPTY_FORM, **params, **_mcp_call(question)}
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

    def pass_on(self, question: ElicitationRequest) -> None:
        """Put a question of an MCP server of ours to the client's user."""

        def take(response: Response) -> None:
            self._asked.pop(question.id, None)
            self._submit(_answer_to_server(question.id, response))

        message = f"MCP server `{one_line(question.server)}` asks: {visible(question.message)}"
        params: Params = {"message": message, "codex_elicitation": "mcp-server", "codex_server": question.server}
        if question.mode == "url":
            params |= {"mode": "url", "url": question.url, "elicitationId": question.id}
        else:
            params["requestedSchema"] = question.schema or _EMPTY_FORM
        self._asked[question.id] = self._out.ask("elicitation/create", params, take)

    def settled(self, approval_id: str) -> None:
        """The question was answered, here or elsewhere, or its turn has ended."""
        asked = self._asked.pop(approval_id, None)
        if asked is not None:
            self._out.withdraw(asked, "the question needs no answer any more")


def _answer(question: Question, decision: ReviewDecision) -> Op:
    match question:
        case ExecApprovalRequest():
            return ExecApproval(id=question.approval_id, decision=decision, by=BY)
        case ApplyPatchApprovalRequest():
            return PatchApproval(id=question.approval_id, decision=decision, by=BY)
        case McpApprovalRequest():
            return McpApproval(id=question.approval_id, decision=decision, by=BY)


def _answer_to_server(id: str, response: Response) -> Op:
    """What the client's user told a server of ours: passed on as it is."""
    answer = response.result
    result = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
    content = result.get("content")
    match result.get("action"):
        case "accept" if response.error is None:
            filled = cast("dict[str, Any]", content) if isinstance(content, dict) else None
            return ElicitationAnswer(id=id, action="accept", content=filled, by=BY)
        case "decline":
            return ElicitationAnswer(id=id, action="decline", by=BY)
        case _:
            return ElicitationAnswer(id=id, action="cancel", by=BY)


def _mcp_call(question: McpApprovalRequest) -> Params:
    arguments = one_line(msgspec.json.encode(question.arguments).decode("utf-8"))
    if len(arguments) > _MAX_ARGUMENT_CHARS:
        arguments = arguments[:_MAX_ARGUMENT_CHARS] + "…"
    called = one_line(f"{question.server}/{question.tool}")
    reason = f"\n{visible(question.reason)}" if question.reason else ""
    return {
        "message": f"Allow Codex to call `{called}` with {arguments}?{reason}",
        "codex_elicitation": "mcp-tool-call-approval",
        "codex_server": question.server,
        "codex_tool": question.tool,
        "codex_arguments": question.arguments,
    }


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
