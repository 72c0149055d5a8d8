"""The files below a directory where git is not there to list them: a walk that obeys ignore files.

Source of the rules: spec/file-search.md section 2; hidden files are listed, as release 0.169 does, `.git` never is.
`.gitignore` counts only inside a repository, `.ignore` everywhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from codex_kernel.search.candidates import Cancelled
from codex_kernel.search.ignore_rules import Rules, read

MAX_ENTRIES = 1_000_000
"""Where a walk ends: a home directory or a disk is no project."""
_NEVER = frozenset({".git"})
_IGNORE_FILES = (".gitignore", ".ignore")


class Listing(NamedTuple):
    """Files and directories, relative to the root, `/` between the parts."""

    files: list[str]
    directories: list[str]


def walk(root: Path, stopped: Callable[[], bool]) -> Listing:
    """Everything below `root` that is not ignored; what cannot be read is passed over, links are not followed.

    Raises:
        Cancelled: `stopped` said so.
    """
    top, rules = _above(root)
    in_repository = top is not None
    inside = root.relative_to(top).as_posix() + "/" if top is not None and top != root else ""
    files: list[str] = []
    directories: list[str] = []
    waiting: list[tuple[str, Rules]] = [("", rules)]
    while waiting and len(files) + len(directories) < MAX_ENTRIES:
        base, rules = waiting.pop()
        if stopped():
            raise Cancelled
        entries = _entries(root / base)
        rules = _with_files_of(rules, root / base, (inside + base).rstrip("/"), entries, in_repository=in_repository)
        for entry in entries:
            path = f"{base}/{entry.name}" if base else entry.name
            is_directory = _is_directory(entry)
            if entry.name in _NEVER or not _is_text(entry.name):
                continue
            if rules and rules.leaves_out(inside + path, is_directory=is_directory):
                continue
            if is_directory:
                directories.append(path)
                waiting.append((path, rules))
            else:
                files.append(path)
    return Listing(files, directories)


def of_names(root: Path, names: Iterable[str]) -> Listing:
    """What git named, without what `.ignore` files leave out, with the directories it lies in."""
    files = sorted({name for name in names if _is_text(name) and name and not name.endswith("/")})
    ignoring = sorted((name for name in files if name == ".ignore" or name.endswith("/.ignore")), key=len)
    directories: set[str] = set()
    left_out: set[str] = set()
    rules = Rules()
    for name in ignoring:
        rules = rules.with_file(read(root / name), name[:-8])
    kept: list[str] = []
    for name in files:
        parent = name[: name.rfind("/")] if "/" in name else ""
        if parent and parent not in directories and parent not in left_out:
            _add_parents(parent, rules, directories, left_out)
        if parent in left_out or (rules and rules.leaves_out(name, is_directory=False)):
            continue
        kept.append(name)
    return Listing(kept, sorted(directories))


def _add_parents(path: str, rules: Rules, directories: set[str], left_out: set[str]) -> None:
    """Sort a directory and those above it into the ones that are listed and those that are not."""
    parts = path.split("/")
    out = False
    for count in range(1, len(parts) + 1):
        each = "/".join(parts[:count])
        out = out or each in left_out or (bool(rules) and rules.leaves_out(each, is_directory=True))
        (left_out if out else directories).add(each)


def _above(root: Path) -> tuple[Path | None, Rules]:
    """The repository `root` lies in, and the rules of the files above it, which count from the repository's top."""
    top = next((folder for folder in (root, *root.parents) if _is_repository(folder)), None)
    if top is None:
        return None, Rules()
    rules = Rules().with_file(read(top / ".git" / "info" / "exclude"), "")
    for folder in reversed([each for each in root.parents if each == top or top in each.parents]):
        base = "" if folder == top else folder.relative_to(top).as_posix()
        for name in _IGNORE_FILES:
            rules = rules.with_file(read(folder / name), base)
    return top, rules


def _is_repository(folder: Path) -> bool:
    """Whether git would take it for the top of a repository: an empty `.git` is none."""
    git = folder / ".git"
    return git.is_file() or os.path.lexists(git / "HEAD")


def _with_files_of(
    rules: Rules, folder: Path, base: str, entries: Sequence[os.DirEntry[str]], *, in_repository: bool
) -> Rules:
    """The rules inside a directory: `.ignore` is read last and wins."""
    names = {entry.name for entry in entries if entry.name in _IGNORE_FILES}
    for name in _IGNORE_FILES:
        if name in names and (in_repository or name != ".gitignore"):
            rules = rules.with_file(read(folder / name), base)
    return rules


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_text(name: str) -> bool:
    """Whether a name is UTF-8: others cannot be typed, shown or sent."""
    return name.isascii() or not any("\ud800" <= character <= "\udfff" for character in name)
