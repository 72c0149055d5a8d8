"""`apply_patch`: a verified patch, approved where that is needed, written file by file.

Source: spec/apply-patch.md section 6, spec/approvals-and-sandbox.md section 4.
"""

from __future__ import annotations

import asyncio
import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from codex_kernel.model.interface import FreeformTool, FunctionTool, ToolSpec
from codex_kernel.policy.interface import Ask, Deny, PatchQuestion
from codex_kernel.tools.interface import ToolOutput, decode_arguments, object_schema
from codex_kernel.tools.prompts import prompt_text
from codex_protocol.errors import PatchError
from codex_protocol.events import PatchApplyBegin, PatchApplyEnd, TurnDiff, Warning
from codex_protocol.file_changes import FileChange
from codex_protocol.items import CustomToolCall, FunctionCall, ToolCallItem
from codex_protocol.policy import ReviewDecision

if TYPE_CHECKING:
    from codex_kernel.patch.apply import PatchStale, VerifiedPatch
    from codex_kernel.patch.turn_diff import TurnDiff as TurnDiffSoFar
    from codex_kernel.tools.interface import Offer, ToolContext
    from codex_protocol.review import HunkChoice

REJECTED = "patch rejected by user"


class PatchArguments(msgspec.Struct, frozen=True):
    """Arguments of the function form."""

    input: str


class ApplyPatch:
    """Changes files by a patch."""

    names = ("apply_patch",)
    parallel = False

    def spec(self, offer: Offer) -> ToolSpec | None:
        """Freeform where the provider takes it, else a function with one string."""
        if offer.apply_patch == "freeform" and offer.freeform:
            return FreeformTool(
                name="apply_patch",
                description="Edits files by a patch in the given grammar. Send the patch itself, not JSON.",
                definition=prompt_text("apply_patch.lark"),
            )
        if offer.apply_patch == "none":
            return None
        return FunctionTool(
            name="apply_patch",
            description=prompt_text("apply_patch.md"),
            parameters=object_schema(
                {"input": {"type": "string", "description": "The whole patch."}}, required=("input",)
            ),
        )

    async def run(self, call: ToolCallItem, context: ToolContext) -> ToolOutput:
        """Verify, ask if need be, and apply."""
        match call:
            case CustomToolCall():
                text = call.input
            case FunctionCall():
                text = decode_arguments(call.arguments, PatchArguments).input
            case _:
                text = "\n".join(call.action.command)
        return await run_patch(text, context.cwd, context)


async def run_patch(text: str, cwd: Path, context: ToolContext) -> ToolOutput:
    """What `text` comes to when applied in `cwd`; whatever is wrong with it is told to the model.

    A person who is asked may take a part of it. When a file changed while the question was open, the answer does not
    count, and the patch is shown anew against the files as they are.
    """
    from codex_kernel.patch.apply import PatchStale, check_unchanged, verify

    changed: PatchStale | None = None
    while True:
        try:
            verified = await asyncio.to_thread(verify, text, cwd, may_read=context.sandbox.rights().may_read)
        except PatchError as error:
            since = f" ({changed.path} changed while the user was looking at the patch)" if changed else ""
            return ToolOutput(f"error: {error}{since}", success=False)
        # Judged by the real paths that will be written: a link swapped in meanwhile changes nothing.
        # Each file a move makes is among them, so what becomes of them need not be told.
        real = {edit.path: FileChange() for edit in verified.files}
        decision = await context.judge.patch(PatchQuestion(changes=real, cwd=cwd))
        if isinstance(decision, Deny):
            return ToolOutput(f"patch rejected: {decision.reason}", success=False)
        if not isinstance(decision, Ask):
            return await _apply(verified, context, auto_approved=True)
        answer = await context.approver.patch(
            call_id=context.call_id,
            changes=_by_text(verified),
            reason=_reason(decision.reason, changed),
            digest=_digest(verified),
        )
        if answer.decision not in (ReviewDecision.APPROVED, ReviewDecision.APPROVED_FOR_SESSION):
            why = REJECTED if context.approver.can_ask else f"patch rejected: {decision.unanswered().reason}"
            return ToolOutput(_with_remarks(why, verified, answer.choices), success=False)
        try:
            await asyncio.to_thread(check_unchanged, verified)
        except PatchStale as error:
            changed = error
            context.emit(Warning(message=f"{error.path} changed meanwhile, so that answer does not count."))
            continue
        return await _apply_part(verified, answer.choices, context)


def _reason(reason: str | None, changed: PatchStale | None) -> str | None:
    if changed is None:
        return reason
    again = f"{changed.path} changed while you were asked; this is the patch against the files as they are now"
    return again if reason is None else f"{again}. {reason}"


def _with_remarks(why: str, verified: VerifiedPatch, choices: tuple[HunkChoice, ...]) -> str:
    if not choices:
        return why
    from codex_kernel.patch.partial import remarks_on

    return f"{why}\n\n{remarks}" if (remarks := remarks_on(verified, choices)) else why


async def _apply_part(verified: VerifiedPatch, choices: tuple[HunkChoice, ...], context: ToolContext) -> ToolOutput:
    """Write what a person took, and tell the model of the rest."""
    if not choices:
        return await _apply(verified, context, auto_approved=False)
    from codex_kernel.patch.partial import take_part

    taken = take_part(verified, choices)
    if taken.verified is None:
        return ToolOutput(f"{REJECTED}\n\n{taken.remarks}", success=False)
    return await _apply(taken.verified, context, auto_approved=False, remarks=taken.remarks)


async def _apply(
    verified: VerifiedPatch, context: ToolContext, *, auto_approved: bool, remarks: str = ""
) -> ToolOutput:
    started = time.monotonic()
    async with context.around_patch(verified.files):
        context.emit(PatchApplyBegin(call_id=context.call_id, auto_approved=auto_approved, changes=_by_text(verified)))
        context.turn_diff.before(verified)
        written = await _write(verified)
    if written.failure is None:
        context.turn_diff.written(verified)
        context.made_here.update(str(edit.path) for edit in verified.files if edit.before is None)
    success, summary = written.failure is None, written.summary
    failure = str(written.failure or "")
    end = PatchApplyEnd(call_id=context.call_id, stdout=summary, stderr=failure, success=success)
    seconds = time.monotonic() - started
    head = f"Exit code: {0 if success else 1}\nWall time: {seconds:.4f} seconds\nOutput:\n"
    told = failure or (f"{summary}\n{remarks}" if remarks else summary)
    output = ToolOutput(head + told, success, (end,), functools.partial(_diff_event, context.turn_diff))
    if written.interrupted:
        context.interrupted = output
        raise asyncio.CancelledError
    return output


class _Written(msgspec.Struct, frozen=True):
    summary: str
    failure: PatchError | None
    interrupted: bool


async def _write(verified: VerifiedPatch) -> _Written:
    """What became of it; an interrupt never leaves half a patch, and the model is told what was written."""
    from codex_kernel.patch.apply import apply

    writing = asyncio.ensure_future(asyncio.to_thread(apply, verified))
    interrupted = False
    while not writing.done():
        try:
            await asyncio.wait({writing})
        except asyncio.CancelledError:  # also a second and third one
            interrupted = True
    try:
        return _Written(writing.result().summary, None, interrupted)
    except PatchError as error:
        return _Written("", error, interrupted)


def _diff_event(turn_diff: TurnDiffSoFar) -> TurnDiff | None:
    diff = turn_diff.text()
    return TurnDiff(unified_diff=diff) if diff else None


def _digest(verified: VerifiedPatch) -> str:
    from codex_kernel.policy.digest import FileEdit, patch_digest, sha256_of

    return patch_digest(
        FileEdit(edit.path, sha256_of(edit.before.data) if edit.before else None, edit.after) for edit in verified.files
    )


def _by_text(verified: VerifiedPatch) -> dict[str, FileChange]:
    return {str(path): change for path, change in verified.changes.items()}
