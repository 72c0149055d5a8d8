"""Which threads run now, and how to reach them: one small file each in the runtime directory, locked while it is true.

A process that dies leaves a file that nobody locks: who reads it takes it away, with the sockets it names.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Any, Literal

import msgspec

from codex_store.home import Home

_FOLDER = "threads"

State = Literal["idle", "working", "asking"]


class RunningThread(msgspec.Struct, frozen=True, kw_only=True):
    """A thread that an agent process has open."""

    thread_id: str
    pid: int
    connection_file: str
    """Of its kernel; readable by us alone."""
    cwd: str = ""
    name: str | None = None
    state: State = "idle"
    """`asking`: it waits for a person."""
    model: str = ""
    tokens: int = 0
    started: float = 0.0
    """Seconds since 1970."""
    stay: bool = False
    """It goes on without clients."""
    doing: str = ""
    """While it works or asks: what with, as `Run pytest -q`."""
    failed: bool = False
    """Its last turn ended with an error."""
    since: float = 0.0
    """When its state began, seconds since 1970."""


class Announcement:
    """Says that a thread runs, until it is closed or the process ends."""

    def __init__(self, home: Home, running: RunningThread) -> None:
        """Say so.

        Raises:
            OSError: The runtime directory cannot be written.
        """
        self.running = running
        folder = home.runtime_dir() / _FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        self._path = folder / f"{running.thread_id}.json"
        self._descriptor = _open_locked(self._path)
        self._write()

    def update(self, **changes: Any) -> None:
        """Say something else of it."""
        self.running = msgspec.structs.replace(self.running, **changes)
        self._write()

    def close(self) -> None:
        """It runs no more."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                self._path.unlink()
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self) -> None:
        if self._descriptor < 0:
            return
        data = msgspec.json.encode(self.running)
        with contextlib.suppress(OSError):  # a full disk must not stop the agent
            os.pwrite(self._descriptor, data, 0)
            os.ftruncate(self._descriptor, len(data))


def running_threads(home: Home) -> list[RunningThread]:
    """The threads that run now, the oldest first; what dead processes left is taken away."""
    try:
        files = sorted((home.runtime_dir() / _FOLDER).glob("*.json"))
    except OSError:
        return []
    found = [running for file in files if (running := _read(file)) is not None]
    return sorted(found, key=lambda running: running.started)


def running_thread(home: Home, thread_id: str) -> RunningThread | None:
    """The running thread of that id."""
    return _read(home.runtime_dir() / _FOLDER / f"{thread_id}.json")


def _read(file: Path) -> RunningThread | None:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.read(descriptor, 1 << 20)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _decode(data) or _decode(os.pread(descriptor, 1 << 20, 0))
        _take_away(file, _decode(data))
        return None
    finally:
        os.close(descriptor)


def _decode(data: bytes) -> RunningThread | None:
    """None for a file that is just being written."""
    try:
        return msgspec.json.decode(data, type=RunningThread)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _take_away(file: Path, running: RunningThread | None) -> None:
    with contextlib.suppress(OSError):
        file.unlink()
    if running is None:
        return
    connection = Path(running.connection_file)
    if connection.parent != file.parent.parent:  # a connection file of somebody else's
        return
    try:
        told = msgspec.json.decode(connection.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return
    address = told.get("ip")
    if told.get("transport") == "ipc" and isinstance(address, str):
        for port in range(1, 6):
            with contextlib.suppress(OSError):
                os.unlink(f"{address}-{port}")
    with contextlib.suppress(OSError):
        connection.unlink()


def _open_locked(path: Path) -> int:
    """Our own lock on the file that stands there now; one that was taken away under us is made anew."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)
