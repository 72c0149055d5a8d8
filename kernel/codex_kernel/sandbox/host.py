"""What the plan asks of this machine; the one part of planning that makes system calls."""

from __future__ import annotations

import os
import stat
from enum import Enum
from typing import Protocol

from codex_kernel.regular_files import read_regular

_MAX_LINE_BYTES = 4096


class Kind(Enum):
    """What stands at a path, symbolic links not followed."""

    DIRECTORY = "directory"
    FILE = "file"
    LINK = "link"
    OTHER = "other"


Identity = tuple[int, int]
"""Device and inode."""


class Host(Protocol):
    """Facts about the machine and its files. All paths are absolute."""

    user_home: str
    """The user's own home directory, symlinks resolved."""
    temp_dir: str | None
    """`$TMPDIR`, when it is set."""
    memory_bytes: int
    """What the machine, or the container we run in, has."""

    def kind(self, path: str) -> Kind | None:
        """What stands there; None for nothing, or nothing we may see."""
        ...

    def real(self, path: str) -> str:
        """The path with every symbolic link resolved, as far as it exists."""
        ...

    def identity(self, path: str) -> Identity | None:
        """Device and inode of the path itself; None when it is absent."""
        ...

    def first_line(self, path: str) -> str | None:
        """The first line of a small text file; None when it cannot be read."""
        ...

    def entries(self, path: str) -> list[tuple[str, Kind]]:
        """Names in a directory and what they are; empty when it cannot be listed."""
        ...

    def modified(self, path: str) -> int | None:
        """When entries of a directory last came or went, in nanoseconds; None when it is gone."""
        ...

    def can_create_in(self, path: str) -> bool:
        """Whether the user may make entries in this directory."""
        ...


class RealHost:
    """This machine."""

    def __init__(self, *, user_home: str, temp_dir: str | None) -> None:
        """Take what the environment says; memory is read now."""
        self.user_home = os.path.realpath(user_home)
        self.temp_dir = temp_dir
        self.memory_bytes = _memory_bytes()

    def kind(self, path: str) -> Kind | None:
        """See `Host`."""
        try:
            return _kind_of(os.lstat(path).st_mode)
        except (OSError, ValueError):
            return None

    def real(self, path: str) -> str:
        """See `Host`."""
        return os.path.realpath(path)

    def identity(self, path: str) -> Identity | None:
        """See `Host`."""
        try:
            found = os.lstat(path)
        except (OSError, ValueError):
            return None
        return found.st_dev, found.st_ino

    def first_line(self, path: str) -> str | None:
        """See `Host`."""
        try:
            head = read_regular(path, _MAX_LINE_BYTES)  # a command may have left a pipe there
        except OSError:
            return None
        return os.fsdecode(head.split(b"\n", 1)[0].rstrip(b"\r"))

    def entries(self, path: str) -> list[tuple[str, Kind]]:
        """See `Host`."""
        found: list[tuple[str, Kind]] = []
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        kind = Kind.LINK
                    elif entry.is_dir(follow_symlinks=False):
                        kind = Kind.DIRECTORY
                    else:
                        kind = Kind.FILE if entry.is_file(follow_symlinks=False) else Kind.OTHER
                    found.append((entry.name, kind))
        except OSError:
            return found
        return found

    def modified(self, path: str) -> int | None:
        """See `Host`."""
        try:
            return os.lstat(path).st_mtime_ns
        except (OSError, ValueError):
            return None

    def can_create_in(self, path: str) -> bool:
        """See `Host`."""
        return os.access(path, os.W_OK | os.X_OK)


def _kind_of(mode: int) -> Kind:
    if stat.S_ISDIR(mode):
        return Kind.DIRECTORY
    if stat.S_ISLNK(mode):
        return Kind.LINK
    return Kind.FILE if stat.S_ISREG(mode) else Kind.OTHER


def _memory_bytes() -> int:
    """Physical memory, or less where a control group of ours has less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path, encoding="ascii") as file:
                limit = file.read().strip()
        except OSError:
            continue
        if limit.isdigit():
            total = min(total, int(limit))
    return total
