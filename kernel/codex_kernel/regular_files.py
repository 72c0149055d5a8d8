"""Reading what ought to be a file: a pipe that lies there is not waited for, a device without end is not read."""

from __future__ import annotations

import errno
import os
import stat
from os import PathLike


def read_regular(file: str | PathLike[str], max_bytes: int) -> bytes:
    """The content of a regular file, or the first `max_bytes` of it.

    Raises:
        OSError: It cannot be opened or read, or is a directory, pipe or device.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except ValueError as error:  # a zero byte in its name
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(file)) from error
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a file", os.fspath(file))
        return stream.read(max_bytes)
