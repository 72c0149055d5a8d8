"""A control group of our own for a helper and its commands, where the system has handed us a place to make one.

The kernel then keeps the limits by itself, also between two looks of the watch. Only version 2 is used: with version 1
nobody but root is handed anything.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
_NEEDED = frozenset({"memory", "pids"})
_TRIES, _TRY_AGAIN_S = 20, 0.002
_HELPERS_OWN = 32
"""Processes beside those of commands: the helper, its spares and inits."""


def find_parent(mount: Path = _MOUNT, own: str | None = None) -> Path | None:
    """The group beside ours can be made in; None where there is none.

    It must be ours to write, and count memory and processes for its children; a group that holds processes itself
    cannot, so it is the one above ours.

    Args:
        mount: Where version 2 is mounted.
        own: What /proc/self/cgroup says; read when None.
    """
    if own is None:
        try:
            own = Path("/proc/self/cgroup").read_text("utf-8")
        except OSError:
            return None
    line = next((line for line in own.splitlines() if line.startswith("0::/")), None)
    if line is None or line == "0::/":
        return None
    parent = (mount / line.removeprefix("0::/")).parent
    try:
        counted = (parent / "cgroup.subtree_control").read_text("ascii").split()
    except OSError:
        return None
    if not set(counted) >= _NEEDED or not os.access(parent, os.W_OK | os.X_OK):
        return None
    return parent if os.access(parent / "cgroup.procs", os.W_OK) else None


class Group:
    """One control group; made for one helper and removed with it."""

    def __init__(self, parent: Path, *, memory_bytes: int | None, processes: int | None) -> None:
        """Make it and set its limits.

        Raises:
            OSError: It cannot be made or limited; nothing is left.
        """
        self._path = parent / f"codex-{os.getpid()}-{os.urandom(3).hex()}"
        os.mkdir(self._path, 0o755)
        try:
            if memory_bytes is not None:
                # The watch ends a tree with a sentence; the kernel steps in where a tree is quicker than that.
                self._write("memory.max", memory_bytes + memory_bytes // 8)
            if processes is not None:
                self._write("pids.max", processes + _HELPERS_OWN)
        except OSError:
            self.remove()
            raise

    def take(self, pid: int) -> None:
        """Move a process in; what it starts is born in it.

        Raises:
            OSError: The system does not allow it.
        """
        self._write("cgroup.procs", pid)

    def remove(self) -> None:
        """End what is left in it and remove it."""
        with contextlib.suppress(OSError):
            self._write("cgroup.kill", 1)
        for _ in range(_TRIES):
            try:
                os.rmdir(self._path)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    return
                time.sleep(_TRY_AGAIN_S)  # the kernel is still ending them
            else:
                return

    def _write(self, name: str, value: int) -> None:
        fd = os.open(self._path / name, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, str(value).encode("ascii"))
        finally:
            os.close(fd)


def make_group(*, memory_bytes: int | None, processes: int | None) -> Group | None:
    """A group for one helper, where this machine lets us have one."""
    parent = find_parent()
    if parent is None:
        return None
    try:
        return Group(parent, memory_bytes=memory_bytes, processes=processes)
    except OSError:
        return None
