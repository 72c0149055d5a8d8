"""What people do to threads besides talking in them: name, archive, take back, delete."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Generator
from pathlib import Path

from codex_protocol.errors import RolloutError
from codex_store.home import Home
from codex_store.rollout_paths import all_rollouts, find_rollout, make_private, path_in_sessions
from codex_store.rollout_segments import first_meta
from codex_store.thread_names import clean_name, record_name, thread_name
from codex_store.writer_lock import WriterLock


def set_name(home: Home, thread_id: str, name: str) -> str:
    """Name a thread, whether it runs or not; the name as it is kept.

    Raises:
        UsageError: The name is empty or too long.
        RolloutError: There is no such thread, or the name cannot be saved.
    """
    kept = clean_name(name)
    _existing(home, thread_id)
    record_name(home.root, thread_id.lower(), kept)
    return kept


def archive(home: Home, thread_id: str) -> Path:
    """Take a thread out of the lists; where its rollout is now.

    Raises:
        RolloutError: There is no such thread, it is being written, or it cannot be moved.
    """
    return _move(home, thread_id, to_archive=True)


def unarchive(home: Home, thread_id: str) -> Path:
    """Take an archived thread back; where its rollout is now.

    Raises:
        RolloutError: There is no such thread, it is being written, or it cannot be moved.
    """
    return _move(home, thread_id, to_archive=False)


def delete(home: Home, thread_id: str) -> None:
    """Delete a thread for good.

    Raises:
        RolloutError: There is no such thread, it is being written, or a fork still needs its file.
    """
    path = _existing(home, thread_id)
    with _held(home, thread_id):
        if needing := _forks_needing(home, thread_id.lower()):
            raise RolloutError(
                f"The thread {thread_id} cannot be deleted: {', '.join(needing)} was forked from it and reads its file."
            )
        try:
            path.unlink()
        except OSError as error:
            raise RolloutError(f"{path} cannot be deleted: {error.strerror or error}.") from error
        shutil.rmtree(home.changes / thread_id.lower(), ignore_errors=True)
        if thread_name(home.root, thread_id) is not None:
            record_name(home.root, thread_id.lower(), "")


def _move(home: Home, thread_id: str, *, to_archive: bool) -> Path:
    path = _existing(home, thread_id)
    if (path.parent == home.archived_sessions) == to_archive:
        return path
    target = home.archived_sessions / path.name if to_archive else path_in_sessions(home, path)
    with _held(home, thread_id):
        try:
            make_private(target.parent)
            if target.exists():
                raise RolloutError(f"{path} cannot be moved: there is a file at {target} already.")
            os.rename(path, target)
        except OSError as error:
            raise RolloutError(f"{path} cannot be moved to {target}: {error.strerror or error}.") from error
    return target


def _existing(home: Home, thread_id: str) -> Path:
    path = find_rollout(home, thread_id)
    if path is None:
        raise RolloutError(f"There is no thread with the id {thread_id}.")
    return path


@contextlib.contextmanager
def _held(home: Home, thread_id: str) -> Generator[None]:
    lock = WriterLock.acquire(home.root, thread_id.lower())
    try:
        yield
    finally:
        lock.release()


def _forks_needing(home: Home, thread_id: str) -> list[str]:
    """Ids of the threads that upstream forked from this one without copying it."""
    found: list[str] = []
    for archived in (False, True):
        for entry in all_rollouts(home, archived=archived):
            try:
                meta = first_meta(Path(entry.path))
            except RolloutError:
                continue
            if meta is not None and meta.history_base is not None and meta.history_base.thread_id == thread_id:
                found.append(meta.id)
    return found
