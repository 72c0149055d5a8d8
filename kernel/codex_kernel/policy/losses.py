"""The paths a command would destroy, found on disk and sorted: can be had back, precious, outside the roots."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from codex_kernel.policy.born import born_at
from codex_kernel.policy.destroyers import targets
from codex_kernel.policy.interface import CommandQuestion, Standing
from codex_kernel.policy.preflight import CLEAR, Survey
from codex_kernel.policy.targets import MAX_PATHS, Target
from codex_kernel.policy.worktree import Changed, WorkTree
from codex_kernel.sandbox.git_files import git_root
from codex_protocol.policy import ReadOnly, SandboxPolicy, WorkspaceWrite

_MAX_LISTED = 1_000
_MAX_SHOWN_CHARS = 300
_GIT_KINDS = frozenset({"tracked", "untracked"})


class _Facts(NamedTuple):
    """One target, as found on disk."""

    target: Target
    path: Path
    """Symlinks resolved as far as the command follows them."""
    exists: bool
    inside: bool
    temporary: bool


async def losses(question: CommandQuestion, standing: Standing, worktree: WorkTree | None) -> Survey:
    """What the command would destroy; looks at the disk in another thread, and at git through `worktree`."""
    found = await asyncio.to_thread(targets, question.argv, question.cwd)
    if not found:
        return CLEAR
    roots = await asyncio.to_thread(_roots, standing.sandbox_policy, standing.workspace)
    facts = await asyncio.to_thread(lambda: [_facts(target, roots) for target in found if target.kind not in _NO_PATH])
    unresolved = _listed(
        target.text for target in found if target.kind == "unresolved" and _may_be_inside(target.text, roots)
    )
    gone = [target.text for target in found if target.kind == "gone"] if roots.all else []
    precious = await _precious([fact for fact in facts if fact.exists and fact.inside], standing, worktree)
    return Survey(
        touched=_listed([*(str(fact.path) for fact in facts if fact.exists and _names_a_file(fact)), *gone, *precious]),
        precious=_listed([*gone, *precious]),
        outside=_listed(str(fact.path) for fact in facts if fact.exists and not fact.inside),
        unresolved=unresolved,
        more=max(0, len(precious) + len(gone) - _MAX_LISTED),
        makes=_made([fact for fact in facts if fact.inside], precious),
    )


_NO_PATH = frozenset({"unresolved", "gone"})


def _names_a_file(fact: _Facts) -> bool:
    return fact.target.kind not in _GIT_KINDS


class _Roots(NamedTuple):
    own: tuple[Path, ...]
    """The workspace and configured roots."""
    temporary: tuple[Path, ...]

    @property
    def all(self) -> tuple[Path, ...]:
        return self.own + self.temporary


def _roots(policy: SandboxPolicy, workspace: Path) -> _Roots:
    """Where losses matter: what the policy lets be written; the workspace when nothing is held back."""
    if isinstance(policy, ReadOnly):
        return _Roots((), ())
    own = [workspace]
    temporary: list[Path] = []
    if isinstance(policy, WorkspaceWrite):
        own += [Path(root) for root in policy.writable_roots]
        if not policy.exclude_slash_tmp:
            temporary.append(Path("/tmp"))  # noqa: S108 - the directory the policy names, not a file of ours
        if not policy.exclude_tmpdir_env_var and (directory := os.environ.get("TMPDIR")):
            temporary.append(Path(directory))
    return _Roots(tuple(_real(root) for root in own), tuple(_real(root) for root in temporary))


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _facts(target: Target, roots: _Roots) -> _Facts:
    overwritten = target.kind == "overwrite"
    path = _real(target.path) if overwritten else _real(target.path.parent) / target.path.name
    if target.path.name in {"", ".", ".."}:
        path = _real(target.path)
    own = any(path == root or root in path.parents for root in roots.own)
    temporary = any(root in path.parents for root in roots.temporary) and not own
    holds_root = target.kind != "overwrite" and any(path in root.parents for root in roots.own)
    return _Facts(target, path, _is_there(path, target), own or temporary or holds_root, temporary)


def _is_there(path: Path, target: Target) -> bool:
    """Whether there is anything to lose: no empty file overwritten, no directory that only `rm -r` removes."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    if stat.S_ISDIR(status.st_mode):
        return target.kind in {"tree", "tracked", "untracked"}
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        return False
    return not (target.kind == "overwrite" and status.st_size == 0)


def _may_be_inside(text: str, roots: _Roots) -> bool:
    """Whether a path that is not known may lie inside the roots; `/etc/$x` does not."""
    if not roots.all:
        return False
    fixed = re.match(r"[\"']?(/(?:[\w.+@-]+/)+)", text)
    if fixed is None or "/../" in text or text.endswith("/.."):
        return True
    directory = _real(Path(fixed[1]))
    return any(directory == root or root in directory.parents or directory in root.parents for root in roots.all)


async def _precious(facts: Sequence[_Facts], standing: Standing, worktree: WorkTree | None) -> list[str]:
    found: set[str] = set()
    for top, of_one in (await asyncio.to_thread(_by_repository, facts)).items():
        changed = None
        if top is not None and worktree is not None:
            changed = await worktree.changed(top, [fact.path for fact in of_one])
        found |= await asyncio.to_thread(_lost, of_one, top, changed, standing)
    return sorted(found)


def _by_repository(facts: Sequence[_Facts]) -> dict[Path | None, list[_Facts]]:
    by_top: dict[Path | None, list[_Facts]] = {}
    for fact in facts:
        # A directory that is a working tree itself is its own.
        directory = fact.path if os.path.isdir(fact.path) and not os.path.islink(fact.path) else fact.path.parent
        by_top.setdefault(git_root(directory), []).append(fact)
    return by_top


def _lost(facts: Sequence[_Facts], top: Path | None, changed: Changed | None, standing: Standing) -> set[str]:
    candidates = _without_git(facts, top) if changed is None or top is None else _with_git(facts, top, changed)
    return {str(path) for path, fact in candidates if not _own(path, fact, standing) and os.path.lexists(path)}


def _without_git(facts: Sequence[_Facts], top: Path | None) -> Iterator[tuple[Path, _Facts]]:
    """Everything that is there may be the only copy; git commands lose nothing outside of repositories."""
    for fact in facts:
        if top is not None or fact.target.kind not in _GIT_KINDS:
            yield from ((path, fact) for path in (_walk(fact.path) if fact.target.kind != "overwrite" else [fact.path]))


def _with_git(facts: Sequence[_Facts], top: Path, changed: Changed) -> Iterator[tuple[Path, _Facts]]:
    """What git cannot give back at or below the targets, and repositories themselves."""
    targets_at: dict[Path, list[_Facts]] = {}
    for fact in facts:
        targets_at.setdefault(fact.path, []).append(fact)
    for kind, paths in (("tracked", changed.tracked), ("untracked", changed.untracked)):
        for path in paths:
            for place in (path, *path.parents):
                yield from (
                    (path, fact)
                    for fact in targets_at.get(place, ())
                    if fact.target.kind not in _GIT_KINDS or fact.target.kind == kind
                )
    whole = set(changed.untracked)  # a nested repository is one entry
    for fact in facts:
        if whole.intersection(fact.path.parents) or ".git" in fact.path.parts[len(top.parts) :]:
            yield fact.path, fact
        if fact.target.kind == "tree" and fact.path == top:
            yield top / ".git", fact


def _walk(path: Path) -> Iterable[Path]:
    """The files at or below `path`, at most `MAX_PATHS`; symlinks are not followed."""
    if os.path.islink(path) or not os.path.isdir(path):
        return (path,)
    found: list[Path] = []
    for directory, _, files in os.walk(path):
        found += [Path(directory) / name for name in files]
        if len(found) > MAX_PATHS:
            break
    return found


def _own(path: Path, fact: _Facts, standing: Standing) -> bool:
    """Made in this thread: recorded as such, or born since in a temporary directory."""
    if str(path) in standing.made_here or str(fact.path) in standing.made_here:
        return True
    if not fact.temporary or standing.started_at is None:
        return False
    born = born_at(path)
    return born is not None and born >= standing.started_at


def _made(facts: Sequence[_Facts], precious: Sequence[str]) -> tuple[str, ...]:
    lost = set(precious)
    written = {str(fact.path) for fact in facts if fact.target.kind == "overwrite" and not os.path.isdir(fact.path)}
    return tuple(sorted(written - lost)[:_MAX_LISTED])


def _listed(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(_shown(path) for path in sorted(set(paths))[:_MAX_LISTED])


def _shown(text: str) -> str:
    """Fit for a JSON wire: names that are no UTF-8 are escaped, endless source text is cut."""
    try:
        shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a surrogate no file name has
        shown = text.encode("utf-8", "backslashreplace").decode()
    return shown if len(shown) <= _MAX_SHOWN_CHARS or shown.startswith("/") else shown[:_MAX_SHOWN_CHARS] + "…"
