"""What git knows about files that a command would destroy: the seam to the one door to git.

Tests hand in facts of their own; everything else asks `GitWorkTree`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from codex_protocol.errors import CodexError

if TYPE_CHECKING:
    from codex_kernel.sandbox.interface import Sandbox

log = logging.getLogger(__name__)

_MAX_PATHSPECS = 200
"""Beyond this many the whole repository is asked about."""


class Changed(NamedTuple):
    """Files git could not give back."""

    tracked: tuple[Path, ...] = ()
    """Tracked or staged, and different from the last commit."""
    untracked: tuple[Path, ...] = ()
    """Neither tracked nor ignored; a nested repository counts as its directory."""


class WorkTree(Protocol):
    """git's view of working trees."""

    async def changed(self, repository: Path, paths: Sequence[Path]) -> Changed | None:
        """What stands at or below `paths` and is not as in the last commit.

        Args:
            repository: Top of the working tree.
            paths: Absolute, below `repository`, symlinks of their parents resolved.

        Returns:
            None when git cannot tell (missing, broken repository, too slow).
        """
        ...


class GitWorkTree:
    """A `WorkTree` that asks `git status`."""

    def __init__(self, sandbox: Sandbox | None = None) -> None:
        """Take what confines git; None: git runs as the user, under the rules of `sandbox.git_guard` all the same."""
        self._sandbox = sandbox

    async def changed(self, repository: Path, paths: Sequence[Path]) -> Changed | None:
        """See `WorkTree.changed`."""
        from codex_kernel.sandbox.git import run_git

        specs = [f":(top,literal){path.relative_to(repository)}" for path in paths if path != repository]
        if len(specs) > _MAX_PATHSPECS or len(specs) < len(paths):
            specs = []
        options = ("--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
        try:
            done = await run_git(("status", *options, "--", *specs), repository, sandbox=self._sandbox)
        except (CodexError, ValueError, OSError) as error:
            log.info("git could not tell what a command would destroy in %s: %s", repository, error)
            return None
        return parse_status(done.stdout, repository)


def parse_status(output: bytes, repository: Path) -> Changed:
    """What `git status --porcelain=v1 -z --no-renames` printed, as absolute paths."""
    tracked: list[Path] = []
    untracked: list[Path] = []
    for entry in output.split(b"\0"):
        if len(entry) < 4 or entry.startswith(b"!!"):
            continue
        path = repository / os.fsdecode(entry[3:])
        (untracked if entry.startswith(b"??") else tracked).append(path)
    return Changed(tuple(tracked), tuple(untracked))
