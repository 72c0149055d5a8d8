"""Who answers an approval: a callback, a person at `input()`, or nobody.

A question is put in words with the choices; an answer that comes after somebody else's is not used, and that is said.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, NamedTuple

from codex_protocol.errors import UsageError
from codex_protocol.events import ApplyPatchApprovalRequest, ApprovalRequest
from codex_protocol.policy import ReviewDecision
from codex_protocol.review import HunkChoice, check_choices
from codex_render.diff_files import of_change
from codex_render.questions import CHOICES, question_words, typed_decision

Question = ApprovalRequest
Answer = ReviewDecision | bool | str | Sequence[HunkChoice]
Callback = Callable[[Question], Answer | Awaitable[Answer]]
"""True allows once, False denies; else a `ReviewDecision` or its name. `HunkChoice`s allow a patch but for what they
say: `[HunkChoice(path=…, hunk=0, take=False, note="why")]`; `hunks(question)` lists what there is to choose from."""
Approvals = Literal["auto", "ask", "deny"] | Callback
"""`ask`: `input()`; `deny`: this client answers nothing; `auto`: ask where somebody sits, else deny."""


def approver(approvals: Approvals) -> Callback | None:
    """What answers questions; None when this client answers none.

    Raises:
        UsageError: It is neither a callback nor one of the words.
    """
    if callable(approvals):
        return approvals
    match approvals:
        case "ask":
            return ask
        case "auto":
            return ask if somebody_is_there() else None
        case "deny":
            return None
        case other:  # pyright: ignore[reportUnnecessaryComparison]  # people write scripts without a type checker
            raise UsageError(f"approvals must be 'auto', 'ask', 'deny' or a function, not {other!r}")


class PatchHunk(NamedTuple):
    """A part of a patch that can be taken or refused."""

    path: str
    hunk: int
    removed: tuple[str, ...]
    """Lines that go."""
    added: tuple[str, ...]
    """Lines that come."""


def hunks(question: ApplyPatchApprovalRequest) -> list[PatchHunk]:
    """The hunks of a patch as `HunkChoice` names them."""
    found: list[PatchHunk] = []
    for path, change in question.changes.items():
        for number, hunk in enumerate(of_change(path, change).hunks):
            removed = tuple(row.text for row in hunk.rows if row.kind == "removed")
            added = tuple(row.text for row in hunk.rows if row.kind == "added")
            found.append(PatchHunk(path, number, removed, added))
    return found


def answer_of(answer: object, question: Question) -> tuple[ReviewDecision, tuple[HunkChoice, ...]]:
    """What a callback's answer means, with what it says of a patch's parts.

    Raises:
        UsageError: Nothing, or nothing for this question.
    """
    if not isinstance(answer, list | tuple):
        return decision_of(answer), ()
    choices = tuple(choice for choice in answer if isinstance(choice, HunkChoice))  # pyright: ignore[reportUnknownVariableType]
    if len(choices) != len(answer) or not choices or not isinstance(question, ApplyPatchApprovalRequest):  # pyright: ignore[reportUnknownArgumentType]
        raise UsageError("a list as an answer must hold HunkChoice objects, and the question must be about a patch")
    check_choices(question.changes, choices)
    return ReviewDecision.APPROVED, choices


def decision_of(answer: object) -> ReviewDecision:
    """What a callback's answer means.

    Raises:
        UsageError: Nothing.
    """
    if isinstance(answer, bool):
        return ReviewDecision.APPROVED if answer else ReviewDecision.DENIED
    if isinstance(answer, str):
        if (typed := typed_decision(answer)) is not None:
            return typed
        try:
            return ReviewDecision(answer.strip().casefold())
        except ValueError:
            pass
    choices = ", ".join(decision.value for decision in ReviewDecision)
    raise UsageError(f"the approval callback answered {answer!r}; it must be True, False or one of {choices}")


def ask(question: Question) -> ReviewDecision:
    """A person's answer, typed; denied where nobody can type."""
    prompt = f"{question_words(question)}\n{CHOICES}"
    try:
        while True:
            if (decision := typed_decision(input(prompt))) is not None:
                return decision
            prompt = f"Please answer yes, always, no or stop.\n{CHOICES}"
    except (EOFError, NotImplementedError):
        return ReviewDecision.DENIED
    except RuntimeError as error:
        if "input" in str(error):  # a notebook that is run without a person: StdinNotImplementedError and its like
            return ReviewDecision.DENIED
        raise


def somebody_is_there() -> bool:
    """Whether a person can be expected at `input()`: a terminal, or a notebook whose front end takes input."""
    main = sys.modules.get("IPython")
    shell = main.get_ipython() if main is not None else None
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", False))
    try:
        return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()  # pyright: ignore[reportUnnecessaryComparison]
    except (ValueError, AttributeError):
        return False


def place() -> str:
    """Where this client is, for the record of who answered."""
    main = sys.modules.get("IPython")
    shell = main.get_ipython() if main is not None else None
    return "notebook" if getattr(shell, "kernel", None) is not None else "python"
