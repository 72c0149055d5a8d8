"""Where rollouts lie: `sessions/YYYY/MM/DD/rollout-<local time>-<thread id>.jsonl`; archived ones in one folder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from codex_protocol.errors import RolloutError
from codex_store.home import Home
from codex_store.thread_ids import is_thread_id, made_at_s

COMPRESSED = ".zst"
"""Suffix of rollouts that upstream has packed; a plain file of the same name beside it counts instead."""

_PREFIX = "rollout-"
_SUFFIX = ".jsonl"
_ID_CHARS = 36
_DAY_S = 86_400


def rollout_path(home: Home, thread_id: str, at_s: float) -> Path:
    """Where the rollout of a thread made at `at_s` belongs; folders and name in local time, as upstream does."""
    local = time.localtime(at_s)
    return home.sessions / time.strftime("%Y/%m/%d", local) / _file_name(thread_id, local)


def path_in_sessions(home: Home, archived: Path) -> Path:
    """Where an archived rollout goes when it is taken back."""
    stamp = archived.name[len(_PREFIX) :]
    year, month, day = stamp[:4], stamp[5:7], stamp[8:10]
    if not (year.isdigit() and month.isdigit() and day.isdigit()):
        raise RolloutError(f"{archived} cannot be taken back: its name does not tell its date.")
    return home.sessions / year / month / day / archived.name


def thread_id_of(path: Path | str) -> str | None:
    """The thread id in a rollout's file name; None when it is no rollout's name."""
    name = os.path.basename(path).removesuffix(COMPRESSED)
    if not (name.startswith(_PREFIX) and name.endswith(_SUFFIX)):
        return None
    found = name.removesuffix(_SUFFIX)[-_ID_CHARS:].lower()
    return found if is_thread_id(found) else None


def home_of(path: Path) -> Path | None:
    """The root of the home a rollout lies in; None when it lies elsewhere."""
    for parent in path.absolute().parents:
        if parent.name in ("sessions", "archived_sessions"):
            return parent.parent
    return None


def all_rollouts(home: Home, *, archived: bool) -> Iterator[os.DirEntry[str]]:
    """Every rollout file, in no order; folders that cannot be read are passed over."""
    root = home.archived_sessions if archived else home.sessions
    plain: set[str] = set()
    packed: list[os.DirEntry[str]] = []
    for entry in _walk(root, depth=0 if archived else 3):
        if thread_id_of(entry.name) is None:
            continue
        if entry.name.endswith(COMPRESSED):
            packed.append(entry)
        else:
            plain.add(entry.path)
            yield entry
    yield from (entry for entry in packed if entry.path.removesuffix(COMPRESSED) not in plain)


def find_rollout(home: Home, thread_id: str) -> Path | None:
    """The rollout of a thread, archived or not; None when there is none.

    Looks into the folders of the day its id names first, and everywhere only when it is not there.
    """
    wanted = thread_id.lower()
    found: Path | None = None
    if (made := made_at_s(wanted)) is not None:
        for day in (0, -1, 1):
            folder = home.sessions / time.strftime("%Y/%m/%d", time.localtime(made + day * _DAY_S))
            if (found := _pick(_walk(folder, depth=0), wanted)) is not None:
                return found
    for archived in (False, True):
        if (found := _pick(all_rollouts(home, archived=archived), wanted)) is not None:
            return found
    return None


def make_private(folder: Path) -> list[Path]:
    """Make a folder and what is missing above it, each 0700; what exists keeps its mode.

    Returns:
        The folders in which something appeared, outermost first.

    Raises:
        OSError: One cannot be made.
    """
    missing: list[Path] = []
    above = folder
    while not above.is_dir():
        missing.append(above)
        above = above.parent
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
    return [each.parent for each in reversed(missing)]


def _file_name(thread_id: str, local: time.struct_time) -> str:
    return f"{_PREFIX}{time.strftime('%Y-%m-%dT%H-%M-%S', local)}-{thread_id}{_SUFFIX}"


def _pick(entries: Iterator[os.DirEntry[str]], thread_id: str) -> Path | None:
    """The entry of a thread; a plain file before a packed one."""
    matches = sorted(entry.path for entry in entries if thread_id_of(entry.name) == thread_id)
    return Path(matches[0]) if matches else None


def _walk(folder: Path | str, depth: int) -> Iterator[os.DirEntry[str]]:
    """Files exactly `depth` folders below; symlinked folders are not followed."""
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except OSError:
        return
    for entry in entries:
        try:
            if depth and entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, depth - 1)
            elif not depth and entry.is_file():
                yield entry
        except OSError:
            continue
