"""Which project a directory belongs to, found without running git.

A repository's own files are read here before anybody trusts it, so nothing in them is believed that the trusted side
does not confirm.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from codex_kernel.regular_files import read_regular

_MAX_POINTER_BYTES = 4096


def project_root(cwd: Path, markers: Sequence[str]) -> Path | None:
    """The nearest directory from `cwd` upwards that holds one of `markers`; None when there is none."""
    for directory in (cwd, *cwd.parents):
        if any(_marks(directory / marker) for marker in markers):
            return directory
    return None


def _marks(marker: Path) -> bool:
    """Whether a marker is there; an empty `.git` folder, as sandboxes may leave one, is no repository."""
    if not os.path.lexists(marker):
        return False
    return marker.name != ".git" or not marker.is_dir() or os.path.lexists(marker / "HEAD")


def main_worktree(cwd: Path) -> Path | None:
    """The main directory of the git repository `cwd` is in, also from a linked worktree; None outside a repository.

    A linked worktree is believed only when the main repository knows it: otherwise a `.git` file in a download could
    name a repository the user trusts and inherit its trust.
    """
    root = project_root(cwd, (".git",))
    if root is None:
        return None
    marker = root / ".git"
    if marker.is_dir():
        return root
    pointer = _line(marker)
    if pointer is None or not pointer.startswith("gitdir:"):
        return root
    git_dir = _resolved(root, pointer.removeprefix("gitdir:").strip())
    common = _line(git_dir / "commondir")
    back = _line(git_dir / "gitdir")
    if common is None or back is None or _resolved(git_dir, back) != _resolved(root, ".git"):
        return root
    common_dir = _resolved(git_dir, common)
    if git_dir.parent != common_dir / "worktrees" or common_dir.name != ".git":
        return root
    return common_dir.parent


def between(root: Path, cwd: Path) -> list[Path]:
    """The directories from `root` down to `cwd`, both included."""
    return [directory for directory in (*reversed(cwd.parents), cwd) if directory.is_relative_to(root)]


def _line(file: Path) -> str | None:
    """The text of a small file that holds one path; None when it is anything else."""
    try:
        content = read_regular(file, _MAX_POINTER_BYTES + 1)
    except OSError:
        return None
    if not content or len(content) > _MAX_POINTER_BYTES or b"\0" in content:
        return None
    return os.fsdecode(content).strip()


def _resolved(base: Path, path: str) -> Path:
    return Path(os.path.realpath(base / path))
