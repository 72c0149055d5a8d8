"""What a command would destroy, as the decision needs it: the pre-flight for destroyers.

Can be had back: tracked and unchanged, ignored by git, made in this thread. Precious: tracked with uncommitted
changes, older untracked files that git does not ignore. Outside the writable roots the sandbox decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from codex_kernel.policy.interface import CommandQuestion, Standing
    from codex_kernel.policy.worktree import WorkTree

_SIGNS = (">", "rm", "unlink", "shred", "truncate", "tee", "dd", "mv", "cp", "install", "rsync", "find", "git")
"""Text without which no command is looked into: the programs of `destroyers`, and redirections."""
_NO_QUOTES = str.maketrans("", "", "\"'\\")


class Survey(NamedTuple):
    """What a command would destroy. Absolute paths, sorted; at most 1,000 in each field."""

    touched: tuple[str, ...] = ()
    """Everything the command names that is there, precious or not, and the precious below it."""
    precious: tuple[str, ...] = ()
    """Inside the roots, and cannot be had back."""
    outside: tuple[str, ...] = ()
    """Outside the roots."""
    unresolved: tuple[str, ...] = ()
    """Source text of what may lie inside the roots but cannot be told."""
    more: int = 0
    """Precious paths that are not listed."""
    makes: tuple[str, ...] = ()
    """Files the command writes that hold nothing of the user's now."""


CLEAR = Survey()


async def survey(question: CommandQuestion, standing: Standing, worktree: WorkTree | None) -> Survey:
    """What the command would destroy; `CLEAR` for the many that destroy nothing, without touching the disk."""
    if not may_destroy(question.argv):
        return CLEAR
    from codex_kernel.policy.losses import losses  # loaded when first needed: most threads destroy nothing

    return await losses(question, standing, worktree)


def may_destroy(argv: tuple[str, ...]) -> bool:
    """Whether a command is worth looking into: a quick look at the text alone, without parsing."""
    text = " ".join(argv).translate(_NO_QUOTES)
    return any(sign in text for sign in _SIGNS)
