"""What may run without asking: the questions and the answers of the one decision function.

Source: design section 5 and spec/approvals-and-sandbox.md sections 2 to 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from codex_protocol.file_changes import FileChange
from codex_protocol.policy import ApprovalPolicy, SandboxPolicy

Cause = Literal["rule", "hook", "policy", "sandbox", "preflight"]
"""Which step of the decision spoke."""


class Run(msgspec.Struct, frozen=True):
    """Go ahead."""

    confined: bool
    """False: outside the sandbox."""
    escalate_on_denial: bool = False
    """When the sandbox stops it, ask whether to run it again outside (`on-failure` and `untrusted`)."""
    would_touch: tuple[str, ...] = ()
    """Paths a destructive command would remove or overwrite; recorded."""
    makes: tuple[str, ...] = ()
    """Files it visibly writes that hold nothing of the user's: once it ran they are made here (see `Standing`)."""


class Ask(msgspec.Struct, frozen=True):
    """A person decides."""

    reason: str | None
    confined: bool
    """How it runs when approved: False is outside the sandbox."""
    would_touch: tuple[str, ...] = ()
    by: Cause = "policy"
    why: str = "it needs approval"
    """A clause for the model: why it does not simply run."""
    consent: bool = False
    """Approving it also accepts, on this machine, the rung that `reason` names."""
    makes: tuple[str, ...] = ()
    """As in `Run`, once it is approved."""

    def unanswered(self, because: str = "nobody can answer here") -> Deny:
        """The denial this becomes where nobody decides."""
        return Deny(f"{self.why}; {because}", self.by)


class Deny(msgspec.Struct, frozen=True):
    """It does not run; `reason` is one sentence for the model."""

    reason: str
    by: Cause


Decision = Run | Ask | Deny


class CommandQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """May this command run?"""

    argv: tuple[str, ...]
    """As the model gave it, `["bash", "-lc", script]` for a script."""
    cwd: Path
    escalated: bool = False
    """The model asks to run it outside the sandbox."""
    justification: str | None = None
    env: Mapping[str, str] = {}
    """Variables set for this command besides the environment policy's."""


class PatchQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """May these files be changed?"""

    changes: Mapping[Path, FileChange]
    """By absolute path, as written in the patch joined to its directory; symlinks not resolved yet."""
    cwd: Path


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the thread and the machine bring to a question."""

    approval_policy: ApprovalPolicy
    sandbox_policy: SandboxPolicy
    rung: int
    """1 to 5, the ladder of design section 5."""
    consented: bool = False
    """The user accepted rung 3 on this machine."""
    can_ask: bool
    """False where nobody can answer: the caller turns every `Ask` into a recorded denial (`Ask.unanswered`)."""
    workspace: Path
    approved_digests: frozenset[str] = frozenset()
    """Of commands approved for this thread."""
    made_here: frozenset[str] = frozenset()
    """Absolute paths of files made in this thread: removing them loses nothing the user had.

    Files that git could have given back when the thread first changed them belong here too.
    """
    started_at: float | None = None
    """When the thread began, seconds since the epoch: what was born later in a temporary directory is its own."""


def unless_never(ask: Ask, standing: Standing) -> Ask | Deny:
    """The question, or the denial it comes to under a policy that never asks."""
    if standing.approval_policy is ApprovalPolicy.NEVER:
        return ask.unanswered("the approval policy is never")
    return ask
