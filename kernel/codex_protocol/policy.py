"""Approval policy, sandbox policy, review decisions: what is allowed, how it is held, and what was answered.

Source: spec/approvals-and-sandbox.md section 1.
"""

from __future__ import annotations

import enum

import msgspec


class ApprovalPolicy(enum.StrEnum):
    """When a person is asked before a command or patch runs."""

    UNTRUSTED = "untrusted"
    """Ask before everything that is not a trusted command."""
    ON_FAILURE = "on-failure"
    """Run confined; ask when the sandbox stopped it."""
    ON_REQUEST = "on-request"
    """Run confined; ask when the model asks for more."""
    NEVER = "never"
    """Never ask; what would ask is denied and the model is told."""


class SandboxMode(enum.StrEnum):
    """The three sandbox policies by the name used in config and on the command line."""

    READ_ONLY = "read-only"
    WORKSPACE_WRITE = "workspace-write"
    DANGER_FULL_ACCESS = "danger-full-access"


class _SandboxPolicy(msgspec.Struct, frozen=True, kw_only=True, tag_field="mode"):
    pass


class ReadOnly(_SandboxPolicy, tag="read-only", frozen=True, kw_only=True):
    """Commands may read, not write; no network."""


class WorkspaceWrite(_SandboxPolicy, tag="workspace-write", frozen=True, kw_only=True):
    """Commands may write below the thread's directory, the writable roots and the temporary directories."""

    writable_roots: tuple[str, ...] = ()
    """Absolute directories that may be written besides the thread's own."""
    network_access: bool = False
    exclude_tmpdir_env_var: bool = False
    exclude_slash_tmp: bool = False


class DangerFullAccess(_SandboxPolicy, tag="danger-full-access", frozen=True, kw_only=True):
    """Commands run as the user, confined by nothing."""


SandboxPolicy = ReadOnly | WorkspaceWrite | DangerFullAccess


class SandboxFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How commands are confined on this machine, for people.

    Source: the ladder of design section 5.
    """

    rung: int
    """1 (all layers) to 5 (nothing)."""
    summary: str
    """The policy in words, as `workspace-write [workdir, /tmp, $TMPDIR]`."""
    notice: str | None = None
    """Why the rung is not 1 and what would help, in one sentence; None on rung 1."""


def mode_of(policy: SandboxPolicy) -> SandboxMode:
    """The policy's name in config and on the command line."""
    match policy:
        case ReadOnly():
            return SandboxMode.READ_ONLY
        case WorkspaceWrite():
            return SandboxMode.WORKSPACE_WRITE
        case DangerFullAccess():
            return SandboxMode.DANGER_FULL_ACCESS


def plain_policy(mode: SandboxMode) -> SandboxPolicy:
    """The policy of that name, without details."""
    match mode:
        case SandboxMode.READ_ONLY:
            return ReadOnly()
        case SandboxMode.WORKSPACE_WRITE:
            return WorkspaceWrite()
        case SandboxMode.DANGER_FULL_ACCESS:
            return DangerFullAccess()


def has_network(policy: SandboxPolicy) -> bool:
    """Whether commands under the policy reach the host's network."""
    return isinstance(policy, DangerFullAccess) or (isinstance(policy, WorkspaceWrite) and policy.network_access)


class ReviewDecision(enum.StrEnum):
    """A person's answer to an approval."""

    APPROVED = "approved"
    APPROVED_FOR_SESSION = "approved_for_session"
    """Also the same command again in this thread."""
    DENIED = "denied"
    """Not this; the turn goes on and the model is told."""
    ABORT = "abort"
    """Not this, and stop the turn."""


class Effort(enum.StrEnum):
    """How long a reasoning model thinks. Source: spec/modern-features.md (reasoning efforts)."""

    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"
    MAX = "max"
    ULTRA = "ultra"


class Summary(enum.StrEnum):
    """How much of its reasoning a model summarises for the user."""

    AUTO = "auto"
    CONCISE = "concise"
    DETAILED = "detailed"
    NONE = "none"


class Verbosity(enum.StrEnum):
    """How much a model says in its answer."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
