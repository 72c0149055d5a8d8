"""Where git's own files are: `.git` as directory, file, symbolic link or nothing, and repositories inside the tree."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator

from codex_kernel.sandbox.host import Host, Kind

PROTECTED_NAMES = (".git", ".codex", ".agents")
"""What commands and patches never write, at the top of every root and wherever it is found below."""

_MAX_DIRECTORIES = 5000
_NOT_SEARCHED = frozenset({"node_modules", "__pycache__", ".venv", ".tox", ".mypy_cache", ".ruff_cache", "target"})
_VIRTUAL = frozenset({"proc", "sys", "dev", "run"})

GIT_ONLY_READ = (
    *("hooks", "config", "config.worktree", "info", "modules", "worktrees", "branches", "remotes"),
    *("commondir", "gitdir"),
)
"""Inside a `.git` directory, what stays unwritable when commands may commit: git runs or follows these."""
GIT_DIRECTORIES_MADE_AHEAD = ("hooks", "info", "modules", "worktrees", "branches", "remotes")
"""Of those, what may stand there as an empty directory without disturbing git."""
GIT_FILES_MADE_AHEAD = {"config": b"", "config.worktree": b"", "commondir": b".\n"}
"""What may stand there as a file with this content: no settings, and the directory itself as the common one."""


def git_directories(host: Host, git: str) -> tuple[str, ...]:
    """The directories a `.git` stands for, symlinks resolved: itself, or what its file names, and the common one.

    Args:
        host: This machine.
        git: Path of an existing `.git`.
    """
    kind = host.kind(git)
    if kind is Kind.FILE:
        line = host.first_line(git) or ""
        if not line.startswith("gitdir:"):
            return ()
        target = host.real(os.path.join(os.path.dirname(git), line.removeprefix("gitdir:").strip()))
    else:
        target = host.real(git)
    if host.kind(target) is not Kind.DIRECTORY:
        return ()
    common = host.first_line(os.path.join(target, "commondir"))
    if not common:
        return (target,)
    return (target, host.real(os.path.join(target, common.strip())))


def is_linked_back(host: Host, git: str, directories: tuple[str, ...]) -> bool:
    """Whether the repository itself lists this `.git` file's directory as a worktree of its own.

    Args:
        host: This machine.
        git: Path of the `.git` file.
        directories: What `git_directories` says of it.
    """
    if len(directories) < 2:
        return False
    own, common = directories
    back = host.first_line(os.path.join(own, "gitdir")) or ""
    listed = os.path.dirname(own) == os.path.join(common, "worktrees")
    return listed and bool(back) and host.real(os.path.join(own, back.strip())) == git


def looks_like_repository(host: Host, directory: str) -> bool:
    """Whether git would take this directory for a repository's own; an empty placeholder is none."""
    return host.kind(os.path.join(directory, "HEAD")) is not None


def nested(host: Host, root: str) -> Iterator[str]:
    """Protected names below `root` that exist, not those at its top; breadth first, at any depth.

    In a tree of more directories than we look at, the deepest are not found; nor what lies in trees of dependencies.
    """
    queue = deque([root])
    skipped = _NOT_SEARCHED | _VIRTUAL if root == "/" else _NOT_SEARCHED
    for _ in range(_MAX_DIRECTORIES):
        if not queue:
            return
        directory = queue.popleft()
        for name, kind in host.entries(directory):
            if name in PROTECTED_NAMES:
                if directory != root:
                    yield os.path.join(directory, name)
            elif kind is Kind.DIRECTORY and name not in skipped:
                queue.append(os.path.join(directory, name))
