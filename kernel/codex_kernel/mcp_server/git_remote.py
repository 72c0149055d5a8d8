"""What the working tree has that no remote has: the nearest commit a remote knows, and the difference to it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from codex_kernel.sandbox.git import diff_working_tree, git_root, resolve_commit, run_git
from codex_protocol.errors import CodexError


class DiffToRemote(msgspec.Struct, frozen=True):
    """A commit some remote has, and what the files are now against it, untracked ones included."""

    sha: str
    diff: str


async def diff_to_remote(cwd: Path) -> DiffToRemote | None:
    """The difference; None outside a repository, without a remote, or when git cannot be asked."""
    if git_root(cwd) is None:
        return None
    try:
        remotes = await run_git(("for-each-ref", "--count=1", "--format=%(objectname)", "refs/remotes"), cwd)
        head = await resolve_commit(cwd, "HEAD")
        if not remotes.stdout.strip() or head is None:
            return None
        listed = await run_git(("rev-list", "--topo-order", "--boundary", head, "--not", "--remotes"), cwd)
        lines = listed.stdout.decode("ascii", "replace").split()
        edges = [line.removeprefix("-") for line in lines if line.startswith("-")]
        if lines and not edges:
            return None  # nothing in common with any remote
        base = edges[0] if edges else head
        return DiffToRemote(base, await diff_working_tree(cwd, base))
    except CodexError:
        return None
