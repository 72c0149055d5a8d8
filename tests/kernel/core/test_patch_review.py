"""A patch that a person takes in part: what is written, what the model is told, what is kept of it."""

from __future__ import annotations

from pathlib import Path

from codex_kernel.model.scripted import custom, says
from codex_protocol.events import ApplyPatchApprovalRequest, PatchApplyBegin, TaskComplete, Warning
from codex_protocol.ops import PatchApproval, TextInput, UserInput
from codex_protocol.policy import ApprovalPolicy, ReviewDecision, WorkspaceWrite
from codex_protocol.review import HunkChoice
from codex_store.rollout_reader import read_rollout
from tests.support.threads import running

UNTRUSTED = {"approval_policy": ApprovalPolicy.UNTRUSTED, "sandbox_policy": WorkspaceWrite()}
PATCH = """*** Begin Patch
*** Update File: f.txt
@@
-one
+ONE
 two
@@
 eight
-nine
+NINE
*** Add File: g.txt
+new
*** End Patch"""
OLD = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n"


def asked(tmp_path: Path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "f.txt").write_text(OLD)
    return running(tmp_path, custom("apply_patch", PATCH), says("done"), can_ask=True, **UNTRUSTED)


async def test_exactly_the_accepted_hunks_are_written_and_the_model_is_told_of_the_rest(tmp_path: Path):
    async with asked(tmp_path) as watched:
        file, other = tmp_path / "work" / "f.txt", tmp_path / "work" / "g.txt"
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        request = await watched.until(ApplyPatchApprovalRequest)
        choices = (
            HunkChoice(path=str(file), hunk=0, take=False, note="keep it small"),
            HunkChoice(path=str(file), hunk=1, text="eight\nneun\n"),
            HunkChoice(path=str(other), take=False),
        )
        watched.thread.submit(
            PatchApproval(id=request.approval_id, decision=ReviewDecision.APPROVED, by="page", choices=choices)
        )
        await watched.until(TaskComplete)
        assert file.read_text() == OLD.replace("nine", "neun")
        assert not other.exists()
        told = watched.sent()[-1].text()
        assert "f.txt, hunk 1: keep it small" in told
        assert "-one\n+ONE" in told
        assert "eight\nneun" in told
        assert "g.txt: the whole change of this file" in told
        assert "A g.txt" not in told
        assert list(watched.all(PatchApplyBegin)[0].changes) == [str(file)]
        path = watched.thread.rollout_path
    record = next(iter(read_rollout(path).approvals))
    assert record.answer.choices == choices
    assert record.answer.digest == request.digest


async def test_refusing_every_part_is_a_no_that_says_why(tmp_path: Path):
    async with asked(tmp_path) as watched:
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        request = await watched.until(ApplyPatchApprovalRequest)
        choices = tuple(HunkChoice(path=path, take=False, note="not now") for path in request.changes)
        watched.thread.submit(PatchApproval(id=request.approval_id, decision=ReviewDecision.APPROVED, choices=choices))
        await watched.until(TaskComplete)
        assert (tmp_path / "work" / "f.txt").read_text() == OLD
        assert not (tmp_path / "work" / "g.txt").exists()
        assert watched.sent()[-1].text().startswith("patch rejected by user")
        assert "not now" in watched.sent()[-1].text()
        assert not watched.all(PatchApplyBegin)


async def test_a_no_passes_notes_on(tmp_path: Path):
    async with asked(tmp_path) as watched:
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        request = await watched.until(ApplyPatchApprovalRequest)
        choices = (HunkChoice(path=f"{tmp_path}/work/f.txt", hunk=1, note="German, please"),)
        watched.thread.submit(PatchApproval(id=request.approval_id, decision=ReviewDecision.DENIED, choices=choices))
        await watched.until(TaskComplete)
        assert "f.txt, hunk 2: German, please" in watched.sent()[-1].text()
        assert (tmp_path / "work" / "f.txt").read_text() == OLD


async def test_choices_that_fit_no_part_leave_the_question_open(tmp_path: Path):
    async with asked(tmp_path) as watched:
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        request = await watched.until(ApplyPatchApprovalRequest)
        wrong = (HunkChoice(path="elsewhere", take=False),)
        watched.thread.submit(PatchApproval(id=request.approval_id, decision=ReviewDecision.APPROVED, choices=wrong))
        assert "no file 'elsewhere'" in (await watched.until(Warning)).message
        assert watched.thread.pending() == (request,)
        assert (tmp_path / "work" / "f.txt").read_text() == OLD


async def test_an_answer_to_a_file_that_changed_meanwhile_does_not_count_and_it_is_shown_anew(tmp_path: Path):
    async with asked(tmp_path) as watched:
        file = tmp_path / "work" / "f.txt"
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        first = await watched.until(ApplyPatchApprovalRequest)
        file.write_text(OLD + "the user's own line\n")
        watched.thread.submit(PatchApproval(id=first.approval_id, decision=ReviewDecision.APPROVED))
        second = await watched.until(ApplyPatchApprovalRequest, 2)
        assert file.read_text() == OLD + "the user's own line\n"
        assert second.digest != first.digest
        assert "f.txt changed while you were asked" in second.reason
        watched.thread.submit(PatchApproval(id=second.approval_id, decision=ReviewDecision.APPROVED))
        await watched.until(TaskComplete)
        assert file.read_text() == OLD.replace("one", "ONE").replace("nine", "NINE") + "the user's own line\n"


async def test_a_patch_that_fits_no_more_is_told_to_the_model(tmp_path: Path):
    async with asked(tmp_path) as watched:
        file = tmp_path / "work" / "f.txt"
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        request = await watched.until(ApplyPatchApprovalRequest)
        file.write_text("all new\n")
        watched.thread.submit(PatchApproval(id=request.approval_id, decision=ReviewDecision.APPROVED))
        await watched.until(TaskComplete)
        assert file.read_text() == "all new\n"
        assert "f.txt changed while the user was looking" in watched.sent()[-1].text()
