"""The decision function for patches: may these files be changed.

Source: design section 5, "The decision function"; spec/approvals-and-sandbox.md section 4. Apart from the one for
commands, which a patch need not wait to load: that one reads shell scripts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from codex_kernel.policy.interface import Ask, Decision, Deny, PatchQuestion, Run, Standing, unless_never
from codex_kernel.policy.rules import HookVerdict
from codex_kernel.policy.sentences import capital, listed
from codex_protocol.policy import ApprovalPolicy, DangerFullAccess

_NO_HOOKS = HookVerdict()


def decide_patch(
    question: PatchQuestion,
    standing: Standing,
    *,
    may_write: Callable[[Path], bool],
    hook: HookVerdict = _NO_HOOKS,
) -> Decision:
    """Whether a patch's files may be changed.

    A patch is written by us after this check, not by a confined process: the machine's rung does not matter.

    Args:
        question: The files.
        standing: What the thread brings to it.
        may_write: Whether the sandbox policy lets a path be written, symlinks resolved. Not asked under full access.
        hook: What hooks said before.
    """
    if not question.changes:
        return Deny("the patch is empty", "policy")
    if hook.denied is not None:
        return Deny(hook.denied, "hook")
    full = isinstance(standing.sandbox_policy, DangerFullAccess)
    refused = () if full else tuple(str(path) for path in _touched(question) if not may_write(path))
    why = f"it writes what the sandbox policy protects: {listed(refused, 0)}" if refused else ""
    if standing.approval_policy is ApprovalPolicy.UNTRUSTED:
        asks = "the approval policy asks before every patch"
        return Ask(capital(why) + "." if why else None, not full and not refused, refused, why=why or asks)
    if not refused:
        return Run(confined=not full)
    return unless_never(Ask(capital(why) + ".", confined=False, would_touch=refused, why=why), standing)


def _touched(question: PatchQuestion) -> list[Path]:
    paths = list(question.changes)
    for change in question.changes.values():
        if change.update is not None and change.update.move_path is not None:
            paths.append(question.cwd / change.update.move_path)
    return paths
