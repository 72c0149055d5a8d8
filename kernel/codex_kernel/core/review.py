"""A reviewer turn: a fresh pair of eyes on a change, its findings rendered and put into the thread.

Source: spec/exec-json.md section 8 for targets and rendering.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from codex_kernel.core.context import missing_context
from codex_kernel.core.history import History
from codex_kernel.core.prompts import prompt_text
from codex_kernel.core.state import ContextMeter, NoRecorder
from codex_protocol.errors import ThreadError
from codex_protocol.events import AgentMessage, EnteredReviewMode, EventMsg, ExitedReviewMode, TurnDiff
from codex_protocol.items import assistant_message, user_message

if TYPE_CHECKING:
    from codex_kernel.core.settings import TurnSettings
    from codex_kernel.core.state import Emit, ThreadState
    from codex_kernel.core.turn_hooks import TurnHooks
    from codex_protocol.ops import Review


SHOWN_CHANGE = 200_000
"""Characters of a change that are part of the reviewer's task."""


class _LineRange(msgspec.Struct, frozen=True):
    start: int
    end: int


class _Location(msgspec.Struct, frozen=True):
    absolute_file_path: str
    line_range: _LineRange


class _Finding(msgspec.Struct, frozen=True):
    title: str
    body: str
    code_location: _Location
    confidence_score: float = 0.0
    priority: int | None = None


class ReviewOutput(msgspec.Struct, frozen=True):
    """A reviewer's answer."""

    findings: tuple[_Finding, ...] = ()
    overall_correctness: str = ""
    overall_explanation: str = ""
    overall_confidence_score: float = 0.0


async def run_review(
    state: ThreadState,
    settings: TurnSettings,
    op: Review,
    emit: Emit,
    *,
    abort: Callable[[], None],
    hooks: TurnHooks | None = None,
) -> str | None:
    """Review what the op names; returns the rendered review, which is also told of and recorded in the thread.

    The reviewer works with a history of its own: it is not swayed by what was said before.

    Raises:
        ThreadError: The op names no target or several, or git does not know what it names.
        ModelError: The provider failed.
    """
    from codex_kernel.core.turn import Turn

    task, hint = await _task_of(op, settings.cwd)
    emit(EnteredReviewMode(hint=hint))
    if task is None:
        nothing = "There is nothing to review: no such changes."
        emit(ExitedReviewMode(output=None))
        emit(AgentMessage(message=nothing))
        return nothing
    if settings.config.review_model:
        settings = msgspec.structs.replace(settings, model=settings.config.review_model)
    own = msgspec.structs.replace(
        state, history=History(NoRecorder()), recorder=NoRecorder(), meter=ContextMeter(), steered=[]
    )
    own.history.record(*missing_context(own, settings), user_message(task))
    turn = Turn(own, settings, _without_answers(emit), instructions=prompt_text("review.md"), abort=abort, hooks=hooks)
    try:
        await turn.run()
    finally:
        state.usage = own.usage
    answer = turn.last_message or ""
    output = parse_review(answer)
    rendered = render_review(output, settings.cwd) if output else answer
    state.history.record(user_message(f"Review {hint}."), assistant_message(rendered))
    emit(ExitedReviewMode(output=msgspec.to_builtins(output) if output else None))
    emit(AgentMessage(message=rendered))
    return rendered


def _without_answers(emit: Emit) -> Emit:
    """Everything the reviewer does is told of but its messages: its JSON is for us, and rendered at the end."""

    def forward(msg: EventMsg) -> None:
        if isinstance(msg, AgentMessage | TurnDiff) or msg.__struct_config__.tag == "agent_message_delta":
            return
        emit(msg)

    return forward


async def _task_of(op: Review, cwd: Path) -> tuple[str | None, str]:
    """The reviewer's task, and what is reviewed in a few words. No task where there is nothing to review.

    The change itself is part of the task: it is read through the one door to git, so that no program a repository
    names runs for it.
    """
    from codex_kernel.sandbox import git

    targets = [op.uncommitted, op.base is not None, op.commit is not None, op.prompt is not None]
    if sum(targets) != 1:
        raise ThreadError(
            "a review needs exactly one target: uncommitted changes, a base branch, a commit, or a prompt"
        )
    if op.prompt is not None:
        return op.prompt, "with custom instructions"
    if op.uncommitted:
        what = "the changes that are not committed yet: staged, unstaged and untracked files"
        return _with_change(what, await git.diff_uncommitted(cwd), "HEAD"), "of uncommitted changes"
    if op.commit is not None:
        change = await git.diff_commit(cwd, op.commit)
        if change is None:
            raise ThreadError(f"git knows no commit {op.commit} in {cwd}")
        title = f' ("{op.title}")' if op.title else ""
        return _with_change(
            f"what commit {op.commit}{title} changed", change, f"{op.commit}^!"
        ), f"of commit {op.commit[:12]}"
    base = str(op.base)
    ancestor = await git.merge_base(cwd, base)
    if ancestor is None:
        raise ThreadError(f"git knows no common ancestor of {base} and the current branch in {cwd}")
    what = f"the changes of the current branch against {base}, whose common ancestor is {ancestor}"
    return _with_change(what, await git.diff_base(cwd, base) or "", ancestor), f"against {base}"


def _with_change(what: str, change: str, against: str) -> str | None:
    if not change.strip():
        return None
    command = f"git diff --no-ext-diff --no-textconv {against}"
    if len(change) <= SHOWN_CHANGE:
        return f"Review {what}. This is the change, as `{command}` shows it:\n\n{change}"
    cut = change.rfind("\n", 0, SHOWN_CHANGE) + 1
    return (
        f"Review {what}. It is too long to be shown whole; `{command} -- PATH` shows a file of it. "
        f"This is its beginning, {cut} of {len(change)} characters:\n\n{change[:cut]}"
    )


def parse_review(text: str) -> ReviewOutput | None:
    """The reviewer's JSON, also when words or a fence stand around it; None when there is none."""
    candidates = [text.strip()]
    start, end = text.find("{"), text.rfind("}")
    if 0 <= start < end:
        candidates.append(text[start : end + 1])
    for candidate in candidates:
        try:
            raw: Any = json.loads(candidate)
            return msgspec.convert(raw, ReviewOutput)
        except (ValueError, msgspec.ValidationError):
            continue
    return None


def render_review(output: ReviewOutput, cwd: Path) -> str:
    """The review for people: explanation, then one entry a finding with its lines; paths below `cwd` are relative."""
    parts = [output.overall_explanation.strip() or output.overall_correctness or "No findings."]
    if output.findings:
        parts.append("Review comment:" if len(output.findings) == 1 else "Full review comments:")
    for finding in output.findings:
        location = finding.code_location
        path = Path(location.absolute_file_path)
        shown = path.relative_to(cwd) if path.is_relative_to(cwd) else path
        lines = f"{location.line_range.start}-{location.line_range.end}"
        body = "\n".join(f"  {line}" if line else "" for line in finding.body.strip().splitlines())
        parts.append(f"- {finding.title} — {shown}:{lines}\n{body}")
    return "\n\n".join(parts)
