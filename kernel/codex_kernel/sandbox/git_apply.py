"""A diff put into the user's working tree by `git apply`, because the user asked for it.

Unlike the questions of `git.py` this writes. It is called by the same rules: no filter, merge driver or hook that a
repository's settings name is run.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from codex_kernel.sandbox import git_guard
from codex_kernel.sandbox.git_files import find_repository
from codex_kernel.sandbox.git_guard import GitError

_LONGEST_S = 120.0


def apply_diff(
    diff: str, cwd: Path, *, env: Mapping[str, str] = os.environ
) -> Literal["applied", "merged", "there already"]:
    """Apply a git-style diff at the root of the repository `cwd` is in.

    Where it does not fit as it is, git merges it in, if it has the versions the diff names.

    Returns:
        `merged`: other changes of the same files were kept; `there already`: nothing was left to do.

    Raises:
        GitError: There is no repository, or it does not fit; says what git said. After a merge that did not come out
            even, files hold conflict markers, and the sentence says so.
    """
    repository = find_repository(cwd)
    if repository is None:
        raise GitError(f"{cwd} is not inside a git repository; go to the one the change belongs to, or use -C DIR")
    root, (program, search_path) = Path(repository.root), git_guard.git_program(repository, env)
    listed = _run([program, *git_guard.LIST_SETTINGS], root, git_guard.environment(env, search_path), "")
    settings = git_guard.parse_settings(os.fsencode(listed.stdout))
    git_guard.check_worktree(settings, repository)
    guarded = git_guard.environment(env, search_path, settings)

    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        return _run([program, "--no-pager", "apply", *arguments, "-"], root, guarded, diff)

    checked = git("--check")
    if checked.returncode == 0:
        done = git()
        if done.returncode:
            raise GitError(f"the change could not be applied in {root}: {_said(done)}", code=done.returncode)
        return "applied"
    if git("--reverse", "--check").returncode == 0:
        return "there already"
    merged = git("--3way")
    if merged.returncode == 0:
        return "merged"
    if "with conflicts" in merged.stderr:
        raise GitError(
            f"the change conflicts with others in {root}: the files hold conflict markers now ({_conflicts(merged)})",
            code=merged.returncode,
        )
    raise GitError(f"the change does not fit {root}: {_said(checked)}; nothing was changed", code=checked.returncode)


def _run(argv: Sequence[str], root: Path, env: Mapping[str, str], diff: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            argv,
            cwd=root,
            env=dict(env),
            input=diff,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=_LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise GitError(f"git apply took longer than {_LONGEST_S:g} s in {root}") from None
    except OSError as error:
        raise GitError(f"git cannot be started in {root}: {error.strerror or error}") from error


def _said(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.removeprefix("error: ") for line in done.stderr.splitlines() if line.startswith(("error:", "fatal:"))]
    return "; ".join(lines[:3]) or f"exit status {done.returncode}"


def _conflicts(done: subprocess.CompletedProcess[str]) -> str:
    marked = [line for line in done.stderr.splitlines() if "with conflicts" in line]
    names = [line.partition("'")[2].partition("'")[0] for line in marked]
    return ", ".join(name for name in names if name) or "see git status"
