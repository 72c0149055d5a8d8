"""What an escape case is: something a command must not be able to do, tried, and looked for from outside."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

SECRET = "sesame-4711"
"""Stands in files that commands must not read; printing it proves that one was read."""
MARK = "IT-HAPPENED"
"""Printed by scripts whose effect nobody but the caller can see, such as a system call that must be refused."""


class Room:
    """The places of one run of one case, and what watches them from outside."""

    def __init__(self, root: Path, name: str, outside: Path, home: Path, user_home: Path) -> None:
        self.root = root
        self.work = root / name
        self.outside = outside / name
        self.home = home
        self.user_home = user_home
        self.output = ""
        """What the command wrote, both streams."""
        self.env: dict[str, str] = {}
        """Added to the command's environment; `before` may."""
        self.kept: dict[str, object] = {}
        """What `before` wants to compare with afterwards."""
        self._sockets: dict[str, socket.socket] = {}
        self._victims: list[subprocess.Popen[bytes]] = []
        self.work.mkdir()
        self.outside.mkdir()
        (self.outside / "file").write_text("as it was\n")

    # Files

    def new(self) -> bool:
        """Whether `new` has come to be outside."""
        return os.path.lexists(self.outside / "new")

    def changed(self) -> bool:
        """Whether the file outside is not as it was."""
        try:
            return (self.outside / "file").read_text() != "as it was\n"
        except OSError:
            return True

    # Words

    def told(self) -> bool:
        """Whether the command has printed what it must not know."""
        return SECRET in self.output

    def marked(self) -> bool:
        """Whether the command says that it was let through."""
        return MARK in self.output

    # Sockets

    def listen(self, family: int, kind: int, address: object, name: str = "it", protocol: int = 0) -> socket.socket:
        """A socket of ours that waits for connections or datagrams."""
        ours = socket.socket(family, kind, protocol)
        ours.bind(address)  # type: ignore[arg-type]
        if kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
            ours.listen(8)
        ours.setblocking(False)
        self._sockets[name] = ours
        if family in (socket.AF_INET, socket.AF_INET6):
            self.env["PORT"] = str(ours.getsockname()[1])
        return ours

    def reached(self, name: str = "it") -> bool:
        """Whether somebody has connected, or a datagram has arrived."""
        ours = self._sockets[name]
        try:
            if ours.type in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
                ours.accept()[0].close()
                return True
            return bool(ours.recv(100))
        except (BlockingIOError, ConnectionResetError):
            return False

    # Processes

    def victim(self, *argv: str, **options: object) -> subprocess.Popen[bytes]:
        """A process of ours outside; its id is `$VICTIM`."""
        silent = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        process = subprocess.Popen(argv or ("sleep", "1000"), **(silent | options), start_new_session=True)  # type: ignore[call-overload]
        self._victims.append(process)
        self.env["VICTIM"] = str(process.pid)
        return process

    def victim_died(self) -> bool:
        """Whether the process outside has ended."""
        try:
            self._victims[-1].wait(0.02)
        except subprocess.TimeoutExpired:
            return False
        return True

    def survivors(self) -> list[int]:
        """Processes whose command line or environment names this room and that are not ours."""
        needle = os.fsencode(self.work)
        own = {os.getpid(), *(victim.pid for victim in self._victims)}
        return [pid for pid in _pids() if pid not in own and _names(pid, needle)]

    def close(self) -> None:
        """End and close everything that the case has left."""
        for pid in self.survivors():
            _kill(pid)
        for victim in self._victims:
            victim.kill()
            victim.wait()
        for each in self._sockets.values():
            each.close()


def _pids() -> Iterable[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _names(pid: int, needle: bytes) -> bool:
    """Zombies have neither; they are as good as gone."""
    for name in ("cmdline", "environ"):
        try:
            if needle in Path(f"/proc/{pid}/{name}").read_bytes():
                return True
        except OSError:
            continue
    return False


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def eventually(done: Callable[[], bool], limit_s: float = 0.5) -> bool:
    """Whether `done` becomes true in a short while."""
    deadline = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def nothing(room: Room) -> None:
    """No preparation."""


def never() -> str | None:
    """No reason not to run."""
    return None


@dataclass(frozen=True)
class Case:
    """One forbidden thing."""

    name: str
    by: str
    """Who stops it: N namespaces and mounts, L Landlock, S seccomp, B how helpers are built (descriptors, environment,
    sessions, the hunt for left-overs), which cannot be switched off."""
    script: str
    """Of the shell, or of Python with `probe.py` when it begins with `# python`."""
    happened: Callable[[Room], bool]
    """Looked at from outside when the command has ended."""
    before: Callable[[Room], None] = field(default=nothing)
    tree: str = "repository"
    """Which of `trees.py`'s workspaces; any but the first is made for this run alone."""
    by_root: str | None = None
    """As `by`, where root's commands are stopped by others: they have lost their capabilities, for one."""
    told_on_rung_2: bool = False
    """Bubblewrap cannot prevent it: there the person is told afterwards."""
    read_only: bool = False
    network: bool = False
    root: bool | None = None
    """True: only as root, False: only as an ordinary user."""
    pty: bool = False
    ended_by_us: bool = False
    """The command is killed once it has written `ready`."""
    not_here: Callable[[], str | None] = field(default=never)
    """Why this machine's kernel cannot do it even without a sandbox; None when it can."""
