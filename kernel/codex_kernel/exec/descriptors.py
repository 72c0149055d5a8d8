"""Room for open files, made while the process has one thread.

Linux keeps a process's descriptors in a table that doubles when it is full. With several threads each doubling waits
until every processor has let go of the old table (`expand_fdtable` in fs/file.c calls `synchronize_rcu`): 5 ms and
more, twice in a patch of two hundred files.
"""

from __future__ import annotations

import contextlib
import fcntl
import os

_ROOM = 512


def make_room() -> None:
    """Let the table have its size now; it never gets smaller. Does nothing where the limit is lower."""
    with contextlib.suppress(OSError):
        descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.close(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _ROOM - 1))
        finally:
            os.close(descriptor)
