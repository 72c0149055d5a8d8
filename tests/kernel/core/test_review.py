"""A reviewer turn: its own history, its findings rendered into the thread."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from codex_kernel.core.review import parse_review, render_review
from codex_kernel.model.scripted import ScriptedModel, calls, says
from codex_protocol.events import AgentMessage, EnteredReviewMode, ExecCommandBegin, ExitedReviewMode, TaskComplete
from codex_protocol.ops import Review
from tests.support.threads import running


def answer(folder: Path) -> dict:
    return {
        "findings": [
            {
                "title": "[P1] Off by one",
                "body": "The last line\nis lost.",
                "confidence_score": 0.9,
                "priority": 1,
                "code_location": {
                    "absolute_file_path": f"{folder}/work/a.py",
                    "line_range": {"start": 3, "end": 4},
                },
            }
        ],
        "overall_correctness": "patch is incorrect",
        "overall_explanation": "One line is lost.",
        "overall_confidence_score": 0.8,
    }


def make_repository(work: Path) -> None:
    """A repository with one commit and one change, whose settings name programs that leave a mark when they run."""
    work.mkdir()
    git = ["git", "-C", str(work), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    (work / "a.py").write_text("print(1)\n")
    subprocess.run([*git, "add", "a.py"], check=True)
    subprocess.run([*git, "commit", "-qm", "first"], check=True)
    (work / "a.py").write_text("print(2)\n")
    mark = f"touch {work.parent}/ran"
    for key in ("core.fsmonitor", "diff.external", "core.pager", "diff.mark.textconv", "filter.mark.clean"):
        subprocess.run([*git, "config", key, mark], check=True)
    (work / ".gitattributes").write_text("*.py diff=mark filter=mark\n")


async def test_nothing_to_review_is_said_without_asking_the_model(tmp_path: Path):
    (tmp_path / "work").mkdir()
    subprocess.run(["git", "init", "-q", str(tmp_path / "work")], check=True)
    async with running(tmp_path) as watched:
        watched.thread.submit(Review(uncommitted=True))
        assert "nothing to review" in (await watched.until(TaskComplete)).last_agent_message
        assert not watched.model.prompts


async def test_no_program_that_the_repository_names_runs_for_a_review(tmp_path: Path):
    make_repository(tmp_path / "work")
    async with running(tmp_path, model=ScriptedModel(says("{}"), again=True)) as watched:
        for number, op in enumerate((Review(uncommitted=True), Review(commit="HEAD"), Review(base="HEAD")), 1):
            watched.thread.submit(op)
            assert (await watched.until(TaskComplete, number)).error is None
    assert not (tmp_path / "ran").exists()
    subprocess.run(["git", "-C", str(tmp_path / "work"), "diff"], check=False, capture_output=True)
    assert (tmp_path / "ran").exists(), "plain git runs them"


async def test_a_commit_that_git_does_not_know_is_said(tmp_path: Path):
    make_repository(tmp_path / "work")
    async with running(tmp_path) as watched:
        watched.thread.submit(Review(commit="nothing"))
        assert "knows no commit nothing" in (await watched.until(TaskComplete)).error


async def test_findings_are_rendered_told_and_recorded(tmp_path: Path):
    script = [[calls("exec_command", {"cmd": "git diff HEAD"})], says(json.dumps(answer(tmp_path))), says("thanks")]
    make_repository(tmp_path / "work")
    async with running(tmp_path, says("before"), *script) as watched:
        await watched.turn("the user's words")
        watched.thread.submit(Review(uncommitted=True))
        exited = await watched.until(ExitedReviewMode)
        await watched.until(TaskComplete, 2)
        rendered = "One line is lost.\n\nReview comment:\n\n- [P1] Off by one — a.py:3-4\n  The last line\n  is lost."
        assert watched.all(AgentMessage)[-1].message == rendered
        assert exited.output["findings"][0]["title"] == "[P1] Off by one"
        assert watched.all(EnteredReviewMode)[0].hint == "of uncommitted changes"
        assert watched.all(ExecCommandBegin)
        reviewer_saw = "\n".join(item.text() for item in watched.sent(1) if hasattr(item, "text"))
        assert "the user's words" not in reviewer_saw
        assert "not committed" in reviewer_saw
        assert "+print(2)" in reviewer_saw
        await watched.turn("mend it")
        assert rendered in [item.text() for item in watched.sent() if hasattr(item, "text")]


async def test_an_answer_that_is_no_json_is_shown_as_it_is(tmp_path: Path):
    async with running(tmp_path, says("Looks fine to me.")) as watched:
        watched.thread.submit(Review(prompt="look at a.py"))
        end = await watched.until(TaskComplete)
        assert end.last_agent_message == "Looks fine to me."


async def test_a_review_needs_one_target(tmp_path: Path):
    async with running(tmp_path) as watched:
        watched.thread.submit(Review(uncommitted=True, commit="abc"))
        assert "exactly one target" in (await watched.until(TaskComplete)).error


@pytest.mark.parametrize("text", ["```json\n{}\n```", 'Here: {"findings": []} bye'])
def test_json_is_found_among_words(text: str):
    assert parse_review(text) is not None


def test_no_findings_render_as_the_explanation(tmp_path: Path):
    output = parse_review('{"findings": [], "overall_explanation": "All good."}')
    assert render_review(output, tmp_path) == "All good."
