"""Files that the agent reads itself, outside the sandbox, where commands may have put links in their place."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path


def open_permitted(path: Path, may_read: Callable[[Path], bool]) -> int:
    """A descriptor for reading `path`; a pipe is not waited for.

    What was opened is asked about, not only its name: between the question and the opening a command could change
    where a link leads.

    Args:
        path: Absolute.
        may_read: As `Sandbox.may_read`.

    Raises:
        PermissionError: It, or what it leads to, is hidden from commands.
        OSError: It cannot be opened.
    """
    if not may_read(path):
        raise _hidden(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        opened = _path_of(descriptor)
        if opened is not None and not may_read(Path(opened)):
            raise _hidden(path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _path_of(descriptor: int) -> str | None:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return None  # not Linux


def _hidden(path: Path) -> PermissionError:
    return PermissionError(errno.EACCES, "reading it is not allowed", str(path))
