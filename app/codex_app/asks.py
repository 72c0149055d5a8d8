"""What waits for a person, as the page shows it: the exact thing, the facts beside it, and the answers there are."""

from __future__ import annotations

from typing import Any

import msgspec

from codex_protocol.events import (
    ApplyPatchApprovalRequest,
    ApprovalRequest,
    ElicitationRequest,
    ExecApprovalRequest,
    SandboxFacts,
)
from codex_protocol.ops import ElicitationAnswer, ExecApproval, McpApproval, Op, PatchApproval
from codex_protocol.policy import ReviewDecision
from codex_protocol.review import HunkChoice
from codex_render.command_words import script_of
from codex_render.safe_text import one_line, safe_json, visible
from codex_render.shell_words import join_words

Json = dict[str, Any]
BY = "page"


def view(request: ApprovalRequest | ElicitationRequest) -> Json:
    """The question for the page. Everything in it is text, but `html`, which is from `codex_render`."""
    match request:
        case ExecApprovalRequest():
            return _command(request)
        case ApplyPatchApprovalRequest():
            facts = _facts(("Why", request.reason), ("Write access for this thread", request.grant_root))
            return {
                "id": request.approval_id,
                "kind": "patch",
                "question": "Apply these changes?",
                "facts": facts,
                "for_thread": False,
            }
        case ElicitationRequest():
            return {
                "id": request.id,
                "kind": "elicitation",
                "question": f"{one_line(request.server)} asks you something",
                "exact": visible(request.message),
                "facts": _facts(("It wants you to open", request.url)),
                "form": request.mode == "form",
            }
        case _:
            arguments = msgspec.json.format(msgspec.json.encode(request.arguments), indent=2).decode()
            return {
                "id": request.approval_id,
                "kind": "mcp",
                "question": f"Call {one_line(request.tool)} of {one_line(request.server)}?",
                "exact": safe_json(arguments),
                "facts": _facts(("Why", request.reason)),
                "for_thread": True,
            }


def _command(request: ExecApprovalRequest) -> Json:
    script = script_of(request.command)
    words = join_words(request.command)
    shell = one_line(join_words(request.command[:2])) if script != words and len(request.command) == 3 else None
    return {
        "id": request.approval_id,
        "kind": "command",
        "question": "Run this outside the sandbox?" if request.unconfined else "Run this?",
        "exact": visible(script),
        "danger": request.unconfined,
        "facts": _facts(
            ("Directory", request.cwd),
            ("Run by", shell),
            ("Sandbox", "none: it runs with all your rights" if request.unconfined else _sandbox(request.sandbox)),
            ("Why", request.reason),
            ("It would remove or overwrite", ", ".join(request.would_touch) or None),
        ),
        "for_thread": True,
    }


def _sandbox(facts: SandboxFacts | None) -> str | None:
    return None if facts is None else f"rung {facts.rung}, {facts.summary}"


def _facts(*pairs: tuple[str, str | None]) -> list[list[str]]:
    return [[name, one_line(value)] for name, value in pairs if value]


def answer(kind: str, id: str, decision: str, choices: tuple[HunkChoice, ...] = ()) -> Op:
    """The op that answers a question of that kind.

    Args:
        kind: As in its view.
        id: The question's.
        decision: One of its answers.
        choices: Of a patch: what was said of its parts.

    Raises:
        ValueError: It takes no such answer.
    """
    match kind:
        case "command":
            return ExecApproval(id=id, decision=ReviewDecision(decision), by=BY)
        case "patch":
            return PatchApproval(id=id, decision=ReviewDecision(decision), by=BY, choices=choices)
        case "mcp":
            return McpApproval(id=id, decision=ReviewDecision(decision), by=BY)
        case _:
            if decision not in ("decline", "cancel", "accept"):
                raise ValueError(decision)
            action = "accept" if decision == "accept" else "decline" if decision == "decline" else "cancel"
            return ElicitationAnswer(id=id, action=action, by=BY)
