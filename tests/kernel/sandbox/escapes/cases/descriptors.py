"""Descriptors a careless agent leaves open: the runner holds these, inheritable, from number 200 on."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
from pathlib import Path

from tests.kernel.sandbox.escapes.case import SECRET, Case, Room


class Leaks:
    """What the runner has open. Made once, before the first helper is."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="leak-", dir="/var/tmp"))
        (self.folder / "file").write_text("as it was\n")
        (self.folder / "closed").mkdir(mode=0o700)
        (self.folder / "closed/secret").write_text(SECRET)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.pair = socket.socketpair()
        self.datagrams = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.pipe = os.pipe()
        self.victim = subprocess.Popen(["sleep", "10000"])
        self.memory = os.memfd_create("shared")
        os.write(self.memory, b"as it was\n")
        for end in (self.pair[1], self.datagrams[1]):
            end.setblocking(False)
        os.set_blocking(self.pipe[0], False)
        self.listener.setblocking(False)
        opened = {
            200: os.open(self.folder / "file", os.O_RDWR),
            201: os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY),
            202: os.open(self.folder / "file", os.O_RDONLY),
            203: os.dup(self.listener.fileno()),
            204: os.dup(self.pair[0].fileno()),
            205: os.dup(self.datagrams[0].fileno()),
            206: os.dup(self.pipe[1]),
            207: os.pidfd_open(self.victim.pid),
            208: os.dup(self.memory),
            209: os.open("/proc/self/ns/net", os.O_RDONLY),
            210: os.open("/", os.O_PATH),
        }
        for wanted, fd in opened.items():
            os.dup2(fd, wanted, inheritable=True)
            os.close(fd)

    def close(self) -> None:
        """End the victim; the rest ends with us."""
        import shutil

        self.victim.kill()
        self.victim.wait()
        shutil.rmtree(self.folder)


_LEAKS: list[Leaks] = []


def leak() -> Leaks:
    """The one set of leaked descriptors of this process."""
    if not _LEAKS:
        _LEAKS.append(Leaks())
    return _LEAKS[0]


def _file(room: Room) -> bool:
    path = leak().folder / "file"
    changed = path.read_text() != "as it was\n"
    path.write_text("as it was\n")
    return changed


def _new(room: Room) -> bool:
    path = leak().folder / "new"
    found = path.exists()
    path.unlink(missing_ok=True)
    return found


def _arrived(end: str) -> bool:
    try:
        return bool(getattr(leak(), end)[1].recv(10))
    except BlockingIOError:
        return False


def _in_pipe(room: Room) -> bool:
    try:
        return bool(os.read(leak().pipe[0], 10))
    except BlockingIOError:
        return False


def _victim_died(room: Room) -> bool:
    found = leak()
    try:
        found.victim.wait(0.02)
    except subprocess.TimeoutExpired:
        return False
    found.victim = subprocess.Popen(["sleep", "10000"])
    fd = os.pidfd_open(found.victim.pid)
    os.dup2(fd, 207, inheritable=True)
    os.close(fd)
    return True


def _memory(room: Room) -> bool:
    changed = os.pread(leak().memory, 10, 0) != b"as it was\n"
    os.pwrite(leak().memory, b"as it was\n", 0)
    return changed


def _visit(room: Room) -> None:
    """Somebody knocks at the agent's listener."""
    room.kept["visitor"] = socket.create_connection(leak().listener.getsockname())


def _answered(room: Room) -> bool:
    visitor = room.kept["visitor"]
    assert isinstance(visitor, socket.socket)
    visitor.settimeout(0.05)
    try:
        return visitor.recv(10) == b"evil"
    except TimeoutError:
        return False
    finally:
        visitor.close()
        leak().listener.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            leak().listener.accept()[0].close()


CASES = (
    Case("write-to-an-open-file", "B", "echo x >&200", _file),
    Case("make-a-file-in-an-open-directory", "B", "echo x >/proc/self/fd/201/new", _new),
    Case(
        "make-a-file-at-a-directory-descriptor",
        "B",
        """
        # python
        os.close(os.open('new', os.O_CREAT | os.O_WRONLY, dir_fd=201))
        """,
        _new,
    ),
    Case("reopen-what-is-open-for-reading", "B", "echo x >/proc/self/fd/202", _file),
    Case(
        "truncate-an-open-file",
        "B",
        """
        # python
        os.ftruncate(200, 0)
        """,
        _file,
    ),
    Case("read-in-an-open-directory", "B", "cat /proc/self/fd/201/closed/secret", Room.told),
    Case(
        "answer-at-the-agents-listener",
        "B",
        """
        # python
        socket.socket(fileno=203).accept()[0].send(b'evil')
        """,
        _answered,
        before=_visit,
    ),
    Case("speak-on-the-agents-connection", "B", "echo x >&204", lambda room: _arrived("pair")),
    Case("speak-on-the-agents-datagrams", "B", "echo x >&205", lambda room: _arrived("datagrams")),
    Case("write-to-the-agents-pipe", "B", "echo x >&206", _in_pipe),
    Case(
        "kill-by-the-agents-pidfd",
        "B",
        """
        # python
        signal.pidfd_send_signal(207, 9)
        """,
        _victim_died,
    ),
    Case(
        "take-a-descriptor-by-the-agents-pidfd",
        "B",
        """
        # python
        call(438, 207, 0, 0); print(MARK)
        """,
        Room.marked,
    ),
    Case(
        "change-the-agents-shared-memory",
        "B",
        """
        # python
        m = mmap.mmap(208, 9); m[:4] = b'evil'
        """,
        _memory,
    ),
    Case(
        "every-descriptor-there-is",
        "B",
        """
        # python
        for fd in range(3, 1024):
            try_each(lambda: os.write(fd, b"x"), lambda: write(f"/proc/self/fd/{fd}/new"))
        """,
        lambda room: _file(room) | _new(room) | _in_pipe(room) | _arrived("pair") | _arrived("datagrams"),
    ),
    Case(
        "leave-the-private-network-by-a-descriptor",
        "B",
        """
        # python
        call(308, 209, 0x40000000)
        socket.create_connection(("127.0.0.1", PORT), 1)
        """,
        Room.reached,
        before=lambda room: _tcp(room),
        root=True,
    ),
    Case(
        "the-root-directory-by-a-descriptor",
        "B",
        """
        # python
        os.close(os.open(NEW.lstrip('/'), os.O_CREAT | os.O_WRONLY, dir_fd=210))
        """,
        Room.new,
    ),
    Case(
        "descriptors-of-every-visible-process",
        "NL",
        """
        # python
        for pid in filter(str.isdigit, os.listdir("/proc")):
            for fd in range(200, 203):
                try_each(lambda: write(f"/proc/{pid}/fd/{fd}"), lambda: write(f"/proc/{pid}/fd/{fd}/new"))
        """,
        lambda room: _file(room) | _new(room),
        by_root="B",
    ),
    Case(
        "what-the-parent-holds",
        "NL",
        """
        # python
        parent = f"/proc/{os.getppid()}/fd"
        for fd in os.listdir(parent):
            print(os.readlink(f"{parent}/{fd}")); print(MARK)
        """,
        Room.marked,
        by_root="B",
    ),
)


def _tcp(room: Room) -> None:
    room.listen(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
