"""Settings as people write them, turned into what ops carry."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

from codex_protocol.errors import UsageError
from codex_protocol.events import TurnContextChanged
from codex_protocol.ops import UserInputItem, UserTurn
from codex_protocol.policy import (
    ApprovalPolicy,
    DangerFullAccess,
    Effort,
    ReadOnly,
    SandboxMode,
    SandboxPolicy,
    WorkspaceWrite,
    plain_policy,
)

E = TypeVar("E", ApprovalPolicy, Effort, SandboxMode)


def user_turn(
    settings: TurnContextChanged,
    items: tuple[UserInputItem, ...],
    client_id: str,
    output_schema: dict[str, Any] | None,
    *,
    cwd: str | Path | None,
    model: str | None,
    sandbox: str | SandboxPolicy | None,
    policy: str | None,
    effort: str | None,
) -> UserTurn:
    """A turn with the thread's settings but for those that are given.

    Raises:
        UsageError: One of them is none.
    """
    return UserTurn(
        items=items,
        cwd=settings.cwd if cwd is None else absolute(cwd),
        approval_policy=settings.approval_policy if policy is None else approval_policy(policy),
        sandbox_policy=settings.sandbox_policy if sandbox is None else sandbox_policy(sandbox),
        model=model or settings.model,
        effort=settings.effort if effort is None else one_of(Effort, effort, "effort"),
        output_schema=output_schema,
        client_id=client_id,
    )


def absolute(path: str | Path) -> str:
    """The path from the root, as this process understands it; `~` is the user's home."""
    return os.path.abspath(os.path.expanduser(path))


def sandbox_policy(sandbox: str | SandboxPolicy) -> SandboxPolicy:
    """The policy of that name; a policy itself is taken as it is.

    Raises:
        UsageError: There is none of that name.
    """
    if isinstance(sandbox, ReadOnly | WorkspaceWrite | DangerFullAccess):
        return sandbox
    return plain_policy(one_of(SandboxMode, sandbox, "sandbox"))


def approval_policy(policy: str) -> ApprovalPolicy:
    """The approval policy of that name.

    Raises:
        UsageError: There is none.
    """
    return one_of(ApprovalPolicy, policy, "approval_policy")


def one_of(kind: type[E], word: str, what: str) -> E:
    """The member of an enumeration by its value.

    Raises:
        UsageError: There is none; says which there are.
    """
    try:
        return kind(word)
    except ValueError:
        raise UsageError(f"{what} must be one of {', '.join(kind)}, not {word!r}") from None
