"""The one door to git: what a repository holds and how it changed, without anything in it being obeyed.

Where it is and what is checked out is read from its files (`git_files`); everything else is asked of git under the
rules of `git_guard`.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from codex_kernel.sandbox.git_files import HeadInfo, Repository, find_repository, git_root, read_head, remote_url

if TYPE_CHECKING:
    from codex_kernel.sandbox.git_run import GitOutput
    from codex_kernel.sandbox.interface import Sandbox

__all__ = [
    "ChangedFile",
    "HeadInfo",
    "Repository",
    "changed_files",
    "diff_base",
    "diff_commit",
    "diff_uncommitted",
    "diff_working_tree",
    "find_repository",
    "git_root",
    "head_info",
    "ls_files",
    "merge_base",
    "read_blobs",
    "resolve_commit",
    "run_git",
]

_HEAD_TIMEOUT_S = 5.0
_DIFF = ("--no-color", "--src-prefix=a/", "--dst-prefix=b/")
_BLOBS_AT_ONCE = 500
_MAX_UNTRACKED_FILES = 1000
_MAX_UNTRACKED_BYTES = 1 << 20
_OBJECT_ID = "[0-9a-f]{40,64}"


class ChangedFile(msgspec.Struct, frozen=True):
    """A file that differs from HEAD."""

    path: str
    """Relative to the git root."""
    staged: str
    """Git's letter for the index against HEAD, as `M`; a space for none, `?` for an untracked file."""
    unstaged: str
    """The same for the file against the index."""


async def run_git(
    args: Sequence[str], cwd: Path, *, ok: Sequence[int] = (0,), sandbox: Sandbox | None = None
) -> GitOutput:
    """What git answers; `git_run.run_git` with its usual limits, loaded when first needed."""
    from codex_kernel.sandbox.git_run import run_git as run

    return await run(args, cwd, ok=ok, sandbox=sandbox)


def head_info(cwd: Path) -> HeadInfo | None:
    """What is checked out where `cwd` is; None outside a repository.

    Reads files and takes well under a millisecond. Only where references are kept in another form is git asked,
    which blocks for some milliseconds.
    """
    repository = find_repository(cwd)
    if repository is None:
        return None
    head = read_head(repository)
    if head is None:
        head = _head_from_git(repository.root)
    return HeadInfo(*head, remote_url(repository))


def _head_from_git(root: Path) -> tuple[str | None, str | None]:
    from codex_kernel.sandbox.git_guard import GitError
    from codex_kernel.sandbox.git_run import run_git_now

    def ask(*args: str) -> str | None:
        with contextlib.suppress(GitError):
            return os.fsdecode(run_git_now(args, root, timeout_s=_HEAD_TIMEOUT_S).stdout).strip() or None
        return None

    commit = ask("rev-parse", "--verify", "--quiet", "HEAD")
    branch = ask("rev-parse", "--symbolic-full-name", "HEAD")
    return commit, branch.removeprefix("refs/heads/") if branch and branch.startswith("refs/heads/") else None


async def resolve_commit(cwd: Path, revision: str, *, sandbox: Sandbox | None = None) -> str | None:
    """The commit `revision` names; None when git knows none.

    Raises:
        GitError: Git could not be asked.
    """
    if not revision or revision.startswith("-") or "\0" in revision:
        return None
    args = ("rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}")
    done = await run_git(args, cwd, ok=(0, 1, 128), sandbox=sandbox)
    found = done.stdout.decode("ascii", "replace").strip()
    return found if done.code == 0 and re.fullmatch(_OBJECT_ID, found) else None


async def merge_base(cwd: Path, base: str, head: str = "HEAD", *, sandbox: Sandbox | None = None) -> str | None:
    """The best common ancestor of two revisions; None when one is unknown or there is none.

    Raises:
        GitError: Git could not be asked.
    """
    ends = [await resolve_commit(cwd, revision, sandbox=sandbox) for revision in (base, head)]
    if ends[0] is None or ends[1] is None:
        return None
    done = await run_git(("merge-base", ends[0], ends[1]), cwd, ok=(0, 1), sandbox=sandbox)
    return done.stdout.decode("ascii", "replace").strip() or None


async def ls_files(
    cwd: Path, which: Literal["tracked", "untracked"] = "tracked", *, sandbox: Sandbox | None = None
) -> list[str]:
    """Files below `cwd`, relative to it: those in the index, or those neither in it nor ignored.

    Raises:
        GitError: Git could not be asked; not a repository among the reasons.
    """
    kind = ("--cached",) if which == "tracked" else ("--others", "--exclude-standard")
    return _names((await run_git(("ls-files", "-z", *kind), cwd, sandbox=sandbox)).stdout)


async def changed_files(cwd: Path, *, sandbox: Sandbox | None = None) -> list[ChangedFile]:
    """Files that are staged, changed or untracked; a renamed one counts as removed and added.

    Raises:
        GitError: Git could not be asked.
    """
    args = ("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
    entries = _names((await run_git(args, cwd, sandbox=sandbox)).stdout)
    return [ChangedFile(entry[3:], entry[0], entry[1]) for entry in entries]


async def diff_uncommitted(cwd: Path, *, sandbox: Sandbox | None = None) -> str:
    """Everything that is not committed as one diff, untracked files as added ones.

    Raises:
        GitError: Git could not be asked.
    """
    head = await resolve_commit(cwd, "HEAD", sandbox=sandbox)
    against = head or await _empty_tree(cwd, sandbox)
    return await diff_working_tree(cwd, against, sandbox=sandbox)


async def diff_working_tree(cwd: Path, against: str, *, sandbox: Sandbox | None = None) -> str:
    """What the files are now against the commit or tree `against`, untracked files as added ones.

    Raises:
        GitError: Git could not be asked.
    """
    return await _diff(cwd, against, sandbox=sandbox) + await _untracked(cwd, sandbox)


async def diff_base(cwd: Path, base: str, *, sandbox: Sandbox | None = None) -> str | None:
    """What the files are now against the common ancestor with `base`; None when there is none.

    Raises:
        GitError: Git could not be asked.
    """
    ancestor = await merge_base(cwd, base, sandbox=sandbox)
    return None if ancestor is None else await _diff(cwd, ancestor, sandbox=sandbox)


async def diff_commit(cwd: Path, commit: str, *, sandbox: Sandbox | None = None) -> str | None:
    """What a commit changed; None when git does not know it.

    Raises:
        GitError: Git could not be asked.
    """
    found = await resolve_commit(cwd, commit, sandbox=sandbox)
    if found is None:
        return None
    return _text((await run_git(("show", *_DIFF, "--format=", found), cwd, sandbox=sandbox)).stdout)


async def read_blobs(cwd: Path, sizes: Mapping[str, int], *, sandbox: Sandbox | None = None) -> dict[str, bytes]:
    """The contents of blobs by their ids; those git does not have are left out.

    Args:
        cwd: In the repository.
        sizes: By id how long each is expected to be: where that is right, one call reads hundreds of them.
        sandbox: As elsewhere.

    Raises:
        GitError: Git could not be asked.
    """
    found: dict[str, bytes] = {}
    ids = [id for id in sizes if re.fullmatch(_OBJECT_ID, id)]
    for start in range(0, len(ids), _BLOBS_AT_ONCE):
        some = ids[start : start + _BLOBS_AT_ONCE]
        together = (await run_git(("show", *some), cwd, ok=(0, 128), sandbox=sandbox)).stdout
        at = 0
        for id in some:
            content = together[at : at + sizes[id]]
            if _blob_id(content, id) == id:
                found[id] = content
                at += sizes[id]
                continue
            alone = await run_git(("cat-file", "blob", id), cwd, ok=(0, 128), sandbox=sandbox)
            if alone.code == 0:
                found[id] = alone.stdout
                at += len(alone.stdout)
    return found


def _blob_id(content: bytes, like: str) -> str:
    import hashlib

    kind = "sha1" if len(like) == 40 else "sha256"
    return hashlib.new(kind, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


async def _diff(cwd: Path, against: str, *, sandbox: Sandbox | None) -> str:
    return _text((await run_git(("diff", *_DIFF, against, "--"), cwd, sandbox=sandbox)).stdout)


async def _empty_tree(cwd: Path, sandbox: Sandbox | None) -> str:
    """The id of the tree without entries, which every repository knows: what a first commit is compared with."""
    import hashlib

    done = await run_git(("rev-parse", "--show-object-format"), cwd, sandbox=sandbox)
    return hashlib.new(done.stdout.decode("ascii").strip(), b"tree 0\0", usedforsecurity=False).hexdigest()


async def _untracked(cwd: Path, sandbox: Sandbox | None) -> str:
    root = git_root(cwd) or cwd
    names = await ls_files(root, "untracked", sandbox=sandbox)
    blocks: list[str] = []
    for name in names[:_MAX_UNTRACKED_FILES]:
        with contextlib.suppress(OSError):  # gone, or not ours to read
            blocks.append(_added(root, name))
    if len(names) > _MAX_UNTRACKED_FILES:
        blocks.append(f"({len(names) - _MAX_UNTRACKED_FILES} more untracked files are not shown)\n")
    return "".join(blocks)


def _added(root: Path, name: str) -> str:
    """The diff of an untracked file, which git is not asked for: it would take one call for each."""
    status = os.lstat(root / name)
    mode = "100755" if status.st_mode & stat.S_IXUSR else "100644"
    if stat.S_ISLNK(status.st_mode):
        mode, content = "120000", os.fsencode(os.readlink(root / name))
    elif stat.S_ISREG(status.st_mode):
        with open(root / name, "rb") as stream:
            content = stream.read(_MAX_UNTRACKED_BYTES + 1)
    else:
        return ""
    shown = os.fsencode(name).decode("utf-8", "replace")
    head = f"diff --git a/{shown} b/{shown}\nnew file mode {mode}\n"
    if b"\0" in content or len(content) > _MAX_UNTRACKED_BYTES:
        return f"{head}Binary files /dev/null and b/{shown} differ\n"
    if not content:
        return head
    lines = content.decode("utf-8", "replace").split("\n")
    ended = lines[-1] == ""
    count = len(lines) - ended
    span = "1" if count == 1 else f"1,{count}"
    body = "".join(f"+{line}\n" for line in lines[:count])
    note = "" if ended else "\\ No newline at end of file\n"
    return f"{head}--- /dev/null\n+++ b/{shown}\n@@ -0,0 +{span} @@\n{body}{note}"


def _names(output: bytes) -> list[str]:
    return os.fsdecode(output).split("\0")[:-1]


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace")
