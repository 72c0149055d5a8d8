"""The user takes changes back: the files are written, and the model is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from codex_protocol.events import ChangesReverted
from codex_protocol.items import InputText, Message
from codex_protocol.policy import WorkspaceWrite

if TYPE_CHECKING:
    from codex_kernel.core.state import ThreadState
    from codex_protocol.ops import RevertChanges


async def revert(state: ThreadState, op: RevertChanges) -> tuple[Message | None, ChangesReverted]:
    """What to record for the model, None when nothing was taken back, and what to tell of.

    Raises:
        CodexError: There is no such turn, or writing failed.
    """

    def may_write(path: Path) -> bool:  # asked for by the user, yet never what the sandbox protects
        return state.sandbox.may_write(path, WorkspaceWrite(writable_roots=(str(path.parent),)), state.settings.cwd)

    done = await state.checkpoints.revert(op.turn, op.parts, may_write)
    told = ChangesReverted(files=done.files, left=done.left)
    if not done.files:
        return None, told
    hunks = {part.path: part.hunks for part in op.parts}
    lines = [f"- {path}{_which(hunks.get(path))}" for path in done.files]
    text = "\n".join(["The user took back changes; these files are as they were before, read them again:", *lines])
    return Message(role="developer", content=(InputText(f"<changes_reverted>\n{text}\n</changes_reverted>"),)), told


def _which(hunks: tuple[int, ...] | None) -> str:
    if hunks is None:
        return ""
    return f" (part {', '.join(str(at + 1) for at in sorted(hunks))} of its change alone)"
