"""Ends a tree that would take the machine down: its memory, its processes, the disks it fills."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codex_kernel.sandbox.inside.shapes import Limits

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MIB = 1024 * 1024
INTERVAL_S = 0.25


class Watch:
    """Looks at one tree every `INTERVAL_S`; made when the command starts."""

    def __init__(self, limits: Limits, *, shared_memory: str | None) -> None:
        """Note how full the disks are now.

        Args:
            limits: What is allowed.
            shared_memory: A memory file system only this tree's helper uses; counts as memory.
        """
        self._limits = limits
        self._shared_memory = shared_memory
        self._floors = [(path, floor) for path in limits["disks"] if (floor := self._floor(path)) is not None]

    @property
    def limited(self) -> bool:
        """Whether there is anything to look for; without limits a look at all processes would be for nothing."""
        return any(self._limits[name] is not None for name in ("memory_bytes", "processes", "free_disk_bytes"))

    def _floor(self, path: str) -> int | None:
        """Free bytes below which the tree ends; a disk that is full already gives the command half of what is left."""
        wanted = self._limits["free_disk_bytes"]
        if wanted is None:
            return None
        free = _free_bytes(path)
        return None if free is None else wanted if free > wanted else free // 2

    def complaint(self, pids: list[int]) -> str | None:
        """`killed:` and what is exceeded, for `Exit.killed_because`; None while all is well."""
        limit = self._limits["memory_bytes"]
        if limit is not None:
            used = self._memory(pids, limit)
            if used > limit:
                return f"killed:memory:{used // _MIB}:{limit // _MIB}"
        most = self._limits["processes"]
        if most is not None and len(pids) > most:
            return f"killed:processes:{len(pids)}:{most}"
        for path, floor in self._floors:
            free = _free_bytes(path)
            if free is not None and free < floor:
                return f"killed:disk:{free // _MIB}:{floor // _MIB}:{path}"
        return None

    def _memory(self, pids: list[int], limit: int) -> int:
        """Bytes in use; shared pages are only told apart once the plain sum passes the limit."""
        shared = 0
        if self._shared_memory is not None:
            try:
                found = os.statvfs(self._shared_memory)
                shared = (found.f_blocks - found.f_bfree) * found.f_frsize
            except OSError:
                shared = 0
        plain = shared + sum(_resident_bytes(pid) for pid in pids)
        if plain <= limit:
            return plain
        return shared + sum(_proportional_bytes(pid) for pid in pids)


def _free_bytes(path: str) -> int | None:
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def _resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0


def _proportional_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return _resident_bytes(pid)
