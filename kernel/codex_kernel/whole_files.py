"""Writing files that others read: they see the old content or the new, also when the machine stops in between."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Generator
from pathlib import Path


@contextlib.contextmanager
def locked(folder: Path) -> Generator[None]:
    """Hold the folder's lock, so that of two edits at once none is lost.

    Raises:
        OSError: It cannot be opened.
    """
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace_file(target: Path, content: bytes, *, private: bool = False, new_mode: int = 0o600) -> None:
    """Write a file in an existing folder.

    Args:
        target: Replaced as a whole; a link there is replaced, not followed.
        content: All of it.
        private: It gets mode 0600; else its mode stays, and a new one gets `new_mode`.
        new_mode: Whatever the umask.

    Raises:
        OSError: It cannot be written; the old content stays.
    """
    mode = 0o600 if private else stat.S_IMODE(target.stat().st_mode) if target.exists() else new_mode
    fresh = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb") as stream:
            os.fchmod(descriptor, mode)
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        os.replace(fresh, target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
