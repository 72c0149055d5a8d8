"""What waits for a person, as the page shows it: the exact thing, the facts beside it, and the answers there are."""

from __future__ import annotations

from typing import Any

import msgspec

from codex_app.asked import Answer
from codex_app.forms import fields_of, filled_in
from codex_app.words import relative
from codex_protocol.errors import UsageError
from codex_protocol.events import ApplyPatchApprovalRequest, ApprovalRequest, ElicitationRequest, ExecApprovalRequest
from codex_protocol.ops import ElicitationAnswer, ExecApproval, McpApproval, Op, PatchApproval
from codex_protocol.policy import ReviewDecision, SandboxFacts
from codex_protocol.review import HunkChoice
from codex_protocol.rules import RuleAmendment
from codex_render.command_words import describe, script_of
from codex_render.safe_text import one_line, safe_json, visible
from codex_render.shell_words import join_words

Json = dict[str, Any]
BY = "page"
_WORDS_CHARS = 300


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
                "form": fields_of(request.schema) if request.mode == "form" else None,
                "link": request.url if request.url and request.url.startswith(("https://", "http://")) else None,
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
            ("It would remove or overwrite", ", ".join(relative(path, request.cwd) for path in request.would_touch)),
        ),
        "for_thread": True,
        "words": [
            [step.verb, one_line(step.what)[:_WORDS_CHARS]] for step in describe(request.command, request.parsed_cmd)
        ],
        "rules": [
            {
                "prefixes": [list(prefix) for prefix in suggestion.prefixes],
                "would_allow": [visible(line) for line in suggestion.would_allow],
            }
            for suggestion in request.suggestions
        ],
    }


def _sandbox(facts: SandboxFacts | None) -> str | None:
    return None if facts is None else f"rung {facts.rung}, {facts.summary}"


def _facts(*pairs: tuple[str, str | None]) -> list[list[str]]:
    return [[name, one_line(value)] for name, value in pairs if value]


def answer(question: Json, given: Answer, choices: tuple[HunkChoice, ...] = ()) -> Op:
    """The op that answers a question.

    Args:
        question: Its view.
        given: What the person says.
        choices: Of a patch: what was said of its parts.

    Raises:
        UsageError: It takes no such answer.
    """
    decision = given.decision
    if question["kind"] == "elicitation":
        if decision not in ("decline", "cancel", "accept"):
            raise UsageError("a server's question can be answered, declined or cancelled")
        content = None
        if decision == "accept" and question["form"] is not None:
            content = filled_in(question["form"], given.content or {})
        return ElicitationAnswer(id=given.id, action=decision, content=content, by=BY)
    if decision in ("decline", "cancel", "accept"):
        raise UsageError("an approval can be given or denied")
    review = ReviewDecision(decision)
    match question["kind"]:
        case "command":
            rules = tuple(
                RuleAmendment(prefix=rule.prefix, decision=rule.decision, justification=rule.justification)
                for rule in given.rules
            )
            return ExecApproval(id=given.id, decision=review, by=BY, amendments=rules)
        case "patch":
            return PatchApproval(id=given.id, decision=review, by=BY, choices=choices)
        case _:
            return McpApproval(id=given.id, decision=review, by=BY)
