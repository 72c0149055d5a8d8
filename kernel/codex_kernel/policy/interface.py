"""What may run without asking: the questions and the answers of the one decision function.

Source: design section 5 and spec/approvals-and-sandbox.md sections 2 to 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from codex_protocol.events import FileChange
from codex_protocol.policy import ApprovalPolicy, SandboxPolicy


class Run(msgspec.Struct, frozen=True):
    """Go ahead."""

    confined: bool
    """False: outside the sandbox."""
    escalate_on_denial: bool = False
    """When the sandbox stops it, ask whether to run it again outside (`on-failure` and `untrusted`)."""
    would_touch: tuple[str, ...] = ()
    """Paths a destructive command would remove or overwrite; recorded."""


class Ask(msgspec.Struct, frozen=True):
    """A person decides."""

    reason: str | None
    confined: bool
    """How it runs when approved: False is outside the sandbox."""
    would_touch: tuple[str, ...] = ()


class Deny(msgspec.Struct, frozen=True):
    """It does not run; `reason` is one sentence for the model."""

    reason: str
    by: Literal["rule", "hook", "policy", "sandbox", "preflight"]


Decision = Run | Ask | Deny


class CommandQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """May this command run?"""

    argv: tuple[str, ...]
    """As the model gave it, `["bash", "-lc", script]` for a script."""
    cwd: Path
    escalated: bool = False
    """The model asks to run it outside the sandbox."""
    justification: str | None = None


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
    """False where nobody can answer: every `Ask` is then turned into a recorded denial by the caller."""
    workspace: Path
    approved_digests: frozenset[str] = frozenset()
    """Of commands approved for this thread."""
    made_here: frozenset[str] = frozenset()
    """Absolute paths of files made in this thread: removing them loses nothing the user had."""
