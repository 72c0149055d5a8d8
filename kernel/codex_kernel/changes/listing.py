"""Which files of a directory count: in a repository what git knows or would add, elsewhere a bounded walk."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from codex_kernel.sandbox.git import git_root, run_git

if TYPE_CHECKING:
    from codex_kernel.sandbox.interface import Sandbox

log = logging.getLogger(__name__)

MAX_LISTED = 50_000
"""In a repository: one with more files is not followed."""
MAX_WALKED = 5_000
"""Outside a repository: files looked at; a directory with more is not followed."""
_LEFT_OUT = frozenset(
    (
        ".git",
        ".hg",
        ".svn",
        "node_modules",
        ".venv",
        "venv",
        "__pycache__",
        ".tox",
        ".mypy_cache",
        ".ruff_cache",
        "target",
    )
)
_REGULAR_MODES = ("100644", "100755", "120000")

Listing = dict[str, str]
"""By path below the root: the id of git's blob with the same text; empty where there is none or it is another."""


def root_of(cwd: Path) -> Path:
    """The directory whose files are followed for a thread in `cwd`."""
    root = git_root(cwd)
    while root is not None and not _holds_repository(root):
        root = git_root(root.parent) if root != root.parent else None
    return Path(os.path.realpath(root or cwd))


def _holds_repository(folder: Path) -> bool:
    """Whether its `.git` is more than an empty folder, such as stands where commands may write."""
    return (folder / ".git").is_file() or (folder / ".git" / "HEAD").exists()


async def list_files(root: Path, sandbox: Sandbox | None) -> Listing | None:
    """The files that count; None when there are too many to follow, or it is somebody's home."""
    if _holds_repository(root):
        from codex_kernel.sandbox.git_guard import GitError  # with what git may not do; many threads never ask it

        args = ("ls-files", "-z", "-t", "-s", "-c", "-m", "-o", "--exclude-standard")
        try:
            told = await run_git(args, root, sandbox=sandbox)
        except GitError as error:
            log.warning("git does not list %s, so it is walked through: %s", root, error)
        else:
            found = await asyncio.to_thread(parse_listing, told.stdout)
            return found if len(found) <= MAX_LISTED else None
    return await asyncio.to_thread(walk, root)


def parse_listing(output: bytes) -> Listing:
    """What `git ls-files -z -t -s -c -m -o` says: `H MODE ID STAGE<tab>NAME`, `C …` for a changed one, `? NAME`."""
    found: Listing = {}
    for line in os.fsdecode(output).split("\0")[:-1]:
        tag, rest = line[0], line[2:]
        if tag == "?":
            if not rest.endswith("/"):  # another repository
                found[rest] = ""
            continue
        facts, _, name = rest.partition("\t")
        mode, blob, stage = facts.split(" ")
        if mode in _REGULAR_MODES:
            found[name] = blob if tag == "H" and stage == "0" and found.get(name) != "" else ""
    return found


def walk(root: Path) -> Listing | None:
    """The files below a directory that is no repository."""
    home = os.path.expanduser("~")
    if home == str(root) or home.startswith(f"{root}/".replace("//", "/")):
        return None
    found: Listing = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            entries = list(os.scandir(root / folder))
        except OSError:
            continue
        for entry in entries:
            name = f"{folder}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _LEFT_OUT:
                    folders.append(f"{name}/")
            else:
                found[name] = ""
        if len(found) > MAX_WALKED:
            return None
    return found


def is_followed(mode: int) -> bool:
    """Whether a file of that `st_mode` has a text to keep."""
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)
