"""When a file was made, which Python's `os.stat` does not tell on Linux."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_AT_FDCWD = -100
_AT_SYMLINK_NOFOLLOW = 0x100
_STATX_BTIME = 0x800
_SIZE_OF_STATX = 256
_OFFSET_MASK = 0
_OFFSET_BTIME = 80


def born_at(path: Path) -> float | None:
    """Seconds since the epoch; None when the file system does not keep it or the file is gone."""
    if sys.platform != "linux":
        try:
            return getattr(os.lstat(path), "st_birthtime", None)
        except OSError:
            return None
    import ctypes

    buffer = ctypes.create_string_buffer(_SIZE_OF_STATX)
    try:
        statx = ctypes.CDLL(None, use_errno=True).statx
    except AttributeError:  # a C library without it
        return None
    if statx(_AT_FDCWD, os.fsencode(path), _AT_SYMLINK_NOFOLLOW, _STATX_BTIME, buffer) != 0:
        return None
    mask = int.from_bytes(buffer.raw[_OFFSET_MASK : _OFFSET_MASK + 4], sys.byteorder)
    if not mask & _STATX_BTIME:
        return None
    seconds = int.from_bytes(buffer.raw[_OFFSET_BTIME : _OFFSET_BTIME + 8], sys.byteorder, signed=True)
    nanoseconds = int.from_bytes(buffer.raw[_OFFSET_BTIME + 8 : _OFFSET_BTIME + 12], sys.byteorder)
    return seconds + nanoseconds / 1e9
