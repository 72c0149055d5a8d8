"""What git knows about files that a command would destroy: the seam to the one door to git.

policy starts no program: whoever builds a thread hands in how git is run.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

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


RunGit = Callable[[Path, Sequence[str]], Awaitable[bytes | None]]
"""Directory and arguments behind `git` to its stdout; None when it failed or took too long."""


class GitWorkTree:
    """A `WorkTree` that asks `git status`."""

    def __init__(self, run: RunGit) -> None:
        self._run = run

    async def changed(self, repository: Path, paths: Sequence[Path]) -> Changed | None:
        """See `WorkTree.changed`."""
        specs = [f":(top,literal){path.relative_to(repository)}" for path in paths if path != repository]
        if len(specs) > _MAX_PATHSPECS or len(specs) < len(paths):
            specs = []
        options = ["--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"]
        output = await self._run(repository, ["status", *options, "--", *specs])
        return None if output is None else parse_status(output, repository)


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


def repository_of(path: Path) -> Path | None:
    """Top of the working tree that holds `path` (itself excluded); None outside of repositories."""
    for parent in path.parents:
        if (parent / ".git").exists():
            return parent
    return None
