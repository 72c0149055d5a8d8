"""Who answers, and what answers mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from codex_client.approvals import HunkChoice, PatchHunk, answer_of, approver, ask, decision_of, hunks
from codex_protocol.errors import UsageError
from codex_protocol.events import ApplyPatchApprovalRequest, ExecApprovalRequest
from codex_protocol.file_changes import AddedFile, FileChange
from codex_protocol.policy import ReviewDecision

COMMAND = ExecApprovalRequest(
    call_id="c",
    approval_id="a",
    digest="d",
    command=("bash", "-lc", "rm -rf build"),
    cwd="/w",
)
PATCH = ApplyPatchApprovalRequest(
    call_id="c",
    approval_id="a",
    digest="d",
    changes={"/w/new.py": FileChange(add=AddedFile("a\nb\n"))},
)


def test_a_patch_can_be_answered_by_its_hunks() -> None:
    assert hunks(PATCH) == [PatchHunk("/w/new.py", 0, (), ("a", "b"))]
    choices = (HunkChoice(path="/w/new.py", hunk=0, text="c\n"),)
    assert answer_of(list(choices), PATCH) == (ReviewDecision.APPROVED, choices)
    assert answer_of(False, PATCH) == (ReviewDecision.DENIED, ())


@pytest.mark.parametrize("answer", [[], ["yes"], [HunkChoice(path="/w/other.py")]])
def test_choices_for_nothing_are_refused(answer: object) -> None:
    with pytest.raises(UsageError):
        answer_of(answer, PATCH)


def test_choices_are_refused_for_a_command() -> None:
    with pytest.raises(UsageError, match="about a patch"):
        answer_of([HunkChoice(path="/w/new.py")], COMMAND)


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        (True, ReviewDecision.APPROVED),
        (False, ReviewDecision.DENIED),
        ("Yes", ReviewDecision.APPROVED),
        ("always", ReviewDecision.APPROVED_FOR_SESSION),
        ("abort", ReviewDecision.ABORT),
        (ReviewDecision.ABORT, ReviewDecision.ABORT),
    ],
)
def test_answers_mean_decisions(answer: object, decision: ReviewDecision) -> None:
    assert decision_of(answer) is decision


@pytest.mark.parametrize("answer", [None, 1, "perhaps", "", [True]])
def test_what_is_no_answer_approves_nothing(answer: object) -> None:
    with pytest.raises(UsageError, match="must be True, False"):
        decision_of(answer)


@pytest.mark.parametrize("error", [EOFError(), NotImplementedError(), RuntimeError("input(): lost sys.stdin")])
def test_nobody_at_input_denies(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def type_in(prompt: str = "") -> str:
        raise error

    monkeypatch.setattr("builtins.input", type_in)
    assert ask(COMMAND) is ReviewDecision.DENIED


def test_an_unclear_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    typed: Iterator[str] = iter(["", "maybe", " A "])
    monkeypatch.setattr("builtins.input", lambda prompt="": next(typed))
    assert ask(PATCH) is ReviewDecision.APPROVED_FOR_SESSION


@pytest.mark.parametrize("word", ["yes", "", None, 5])
def test_who_answers_is_one_of_three_words_or_a_function(word: Any) -> None:
    with pytest.raises(UsageError, match="approvals must be"):
        approver(word)
    assert approver("deny") is None
    assert approver("ask") is ask
