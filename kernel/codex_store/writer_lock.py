"""One writer per thread: upstream's own lock, so that its programs and ours keep out of each other's way.

Source: 0.169 under strace. `thread-writer-locks/<thread id>.lock` is held by `flock`; `.coordination.lock` is held
while such a file is opened or removed. The system drops both when a process dies, however it dies. Rollouts outside a
home have no such folder: there the rollout file itself is held.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from codex_protocol.errors import RolloutError
from codex_store.rollout_paths import make_private

_PATIENCE_S = 3.0
_POLL_S = 0.005


class WriterLock:
    """The right to write one thread; held from `acquire` to `release`.

    A child that is forked without exec keeps it too, so fork such children before.
    """

    def __init__(self, fd: int, path: Path | None) -> None:
        self._fd: int | None = fd
        self._path = path

    @classmethod
    def acquire(cls, home: Path | None, thread_id: str, rollout_fd: int | None = None) -> WriterLock:
        """Take the lock of a thread.

        Args:
            home: Root of the home that the rollout lies in; None when it lies elsewhere.
            thread_id: Whose lock.
            rollout_fd: The open rollout, held instead where there is no home; a copy of it is kept.

        Raises:
            RolloutError: Another process writes this thread, or the lock cannot be made.
        """
        try:
            if home is not None:
                return cls._in_home(home / "thread-writer-locks", thread_id)
            if rollout_fd is None:
                raise RolloutError(f"The thread {thread_id} cannot be locked: it lies in no home.")
            fd = os.dup(rollout_fd)
            _hold(fd, thread_id)
            return cls(fd, None)
        except OSError as error:
            raise RolloutError(f"The thread {thread_id} cannot be locked: {error.strerror or error}.") from error

    @classmethod
    def _in_home(cls, folder: Path, thread_id: str) -> WriterLock:
        coordination = _coordinate(folder)
        try:
            path = folder / f"{thread_id}.lock"
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _hold(fd, thread_id)
            return cls(fd, path)
        finally:
            os.close(coordination)

    def release(self) -> None:
        """Give the lock back; the second time nothing happens."""
        fd, self._fd = self._fd, None
        if fd is None:
            return
        coordination: int | None = None
        try:
            if self._path is not None:
                coordination = _coordinate(self._path.parent)
                self._path.unlink(missing_ok=True)
        except (OSError, RolloutError):
            pass  # a lock file that stays behind is held by nobody
        finally:
            os.close(fd)
            if coordination is not None:
                os.close(coordination)


def held_threads(home: Path) -> frozenset[str]:
    """Ids of the threads of a home that some process writes now; `home` is a home's root."""
    folder = home / "thread-writer-locks"
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.name.endswith(".lock")]
        names.remove(".coordination.lock")
        coordination = _coordinate(folder) if names else None
    except (OSError, ValueError, RolloutError):
        return frozenset()
    if coordination is None:
        return frozenset()
    try:  # while this is held nobody else takes a lock, so that a look never makes another's attempt fail
        return frozenset(name.removesuffix(".lock") for name in names if _is_held(folder / name))
    finally:
        os.close(coordination)


def _is_held(file: Path) -> bool:
    try:
        fd = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def _hold(fd: int, thread_id: str) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise RolloutError(
            f"The thread {thread_id} is being written by another process; close it there, or fork the thread."
        ) from error


def _coordinate(folder: Path) -> int:
    """Hold the folder's own lock; it is only ever held for moments."""
    make_private(folder)
    fd = os.open(folder / ".coordination.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(fd)
                raise RolloutError(
                    f"The lock {folder / '.coordination.lock'} is held for too long; is a codex process suspended?"
                ) from None
            time.sleep(_POLL_S)
        else:
            return fd
