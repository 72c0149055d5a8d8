"""Approvals in words, and what typed answers mean."""

from __future__ import annotations

import pytest

from codex_protocol.events import ApplyPatchApprovalRequest, ExecApprovalRequest
from codex_protocol.file_changes import AddedFile, FileChange
from codex_protocol.policy import ReviewDecision, SandboxFacts
from codex_render.questions import question_words, typed_decision

COMMAND = ExecApprovalRequest(
    call_id="c",
    approval_id="a",
    digest="d",
    command=("bash", "-lc", "rm -rf build\n# \u202e"),
    cwd="/w",
    reason="to start\nafresh",
    would_touch=tuple(f"/w/build/{n}" for n in range(20)),
    sandbox=SandboxFacts(rung=3, summary="workspace-write"),
)
PATCH = ApplyPatchApprovalRequest(
    call_id="c",
    approval_id="a",
    digest="d",
    changes={"/w/new.py": FileChange(add=AddedFile("a\nb\n"))},
    grant_root="/w",
)


def test_a_command_is_asked_with_all_that_matters() -> None:
    text = question_words(COMMAND)
    for part in ("outside the sandbox", "$ rm -rf build", "in /w", "and 8 more", "rung 3", "reason: to start⏎afresh"):
        assert part in text
    assert "\u202e" not in text


def test_a_patch_is_asked_with_its_files() -> None:
    assert "/w/new.py (+2 -0)" in question_words(PATCH)
    assert "write below /w from now on" in question_words(PATCH)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (" Yes ", ReviewDecision.APPROVED),
        ("A", ReviewDecision.APPROVED_FOR_SESSION),
        ("n", ReviewDecision.DENIED),
        ("stop", ReviewDecision.ABORT),
        ("", None),
        ("yess", None),
        ("y\nn", None),
    ],
)
def test_only_the_named_answers_mean_something(text: str, meaning: ReviewDecision | None) -> None:
    assert typed_decision(text) is meaning
