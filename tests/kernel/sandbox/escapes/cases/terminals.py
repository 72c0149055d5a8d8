"""Terminals that are not the command's: the agent's own, and others of the user."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios

from tests.kernel.sandbox.escapes.case import SECRET, Case, Room


class AgentsTerminal:
    """A terminal that the runner is controlled by, as an agent started in a shell is."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        self.name = os.ttyname(self.slave)
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
        for fd in (self.master, self.slave):
            os.set_blocking(fd, False)
        self.calm()

    def calm(self) -> None:
        """Back to how it was."""
        settings = termios.tcgetattr(self.slave)
        settings[3] = (settings[3] | termios.ICANON) & ~termios.ECHO & ~termios.TOSTOP
        termios.tcsetattr(self.slave, termios.TCSANOW, settings)
        fcntl.ioctl(self.slave, 0x540D)  # TIOCNXCL
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        termios.tcflush(self.slave, termios.TCIOFLUSH)
        self.read(self.master)

    def read(self, fd: int) -> bytes:
        """What one side has for the other."""
        try:
            return os.read(fd, 4096) if select.select([fd], [], [], 0.02)[0] else b""
        except OSError:
            return b""


_TERMINALS: list[AgentsTerminal] = []


def agents_terminal() -> AgentsTerminal:
    """The one of this process."""
    if not _TERMINALS:
        _TERMINALS.append(AgentsTerminal())
    return _TERMINALS[0]


def _ready(room: Room) -> None:
    agents_terminal().calm()
    room.env["TTY"] = agents_terminal().name


def _typed(room: Room) -> bool:
    return b"evil" in agents_terminal().read(agents_terminal().slave)


def _shown(room: Room) -> bool:
    return b"evil" in agents_terminal().read(agents_terminal().master)


def _somebody_types(room: Room) -> None:
    _ready(room)
    os.write(agents_terminal().master, SECRET.encode() + b"\n")


def _lost(room: Room) -> bool:
    return SECRET.encode() not in agents_terminal().read(agents_terminal().slave)


def _raw(room: Room) -> bool:
    return not termios.tcgetattr(agents_terminal().slave)[3] & termios.ICANON


def _size(room: Room) -> bool:
    return struct.unpack("HHHH", fcntl.ioctl(agents_terminal().slave, termios.TIOCGWINSZ, bytes(8)))[0] == 7


def _exclusive(room: Room) -> bool:
    return fcntl.ioctl(agents_terminal().slave, 0x80045440, bytes(4)) != bytes(4)


def _taken(room: Room) -> bool:
    foreground = os.tcgetpgrp(agents_terminal().slave)
    if foreground == os.getpgrp():
        return False
    import signal

    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(agents_terminal().slave, os.getpgrp())
    signal.signal(signal.SIGTTOU, before)
    return True


_TYPE = """
        # python
        import fcntl
        fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        for c in b"evil\\n":
            fcntl.ioctl(fd, 0x5412, bytes([c]))
        print(MARK)
        """

CASES = (
    Case(
        "type-into-the-agents-terminal",
        "B",
        _TYPE,
        _typed,
        before=_ready,
    ),
    Case("write-to-the-agents-terminal", "B", "echo evil >/dev/tty", _shown, before=_ready),
    Case(
        "take-the-foreground",
        "B",
        """
        # python
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.setpgid(0, 0); os.tcsetpgrp(os.open("/dev/tty", os.O_RDWR), os.getpgrp())
        """,
        _taken,
        before=_ready,
    ),
    Case("read-from-the-agents-terminal", "B", "head -c 11 /dev/tty", Room.told, before=_somebody_types),
    Case(
        "type-into-ones-own-terminal",
        "S",
        _TYPE,
        Room.marked,
        before=_ready,
        pty=True,
    ),
    Case(
        "type-with-a-high-half",
        "S",
        """
        # python
        fd = os.open('/dev/tty', os.O_RDWR | os.O_NOCTTY)
        b, at = memory(b'x'); call(16, fd, 0x5412 | 1 << 32, at); print(MARK)
        """,
        Room.marked,
        before=_ready,
        pty=True,
    ),
    Case("write-to-another-terminal", "N", "echo evil >$TTY", _shown, before=_ready),
    Case("write-to-another-terminal-from-ones-own", "N", "echo evil >$TTY", _shown, before=_ready, pty=True),
    Case(
        "read-what-is-typed-in-another-terminal",
        "N",
        """
        # python
        fd = os.open(os.environ['TTY'], os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        os.setsid() if os.getpid() != os.getsid(0) else 0
        print(os.read(fd, 100))
        """,
        Room.told,
        before=_somebody_types,
    ),
    Case(
        "throw-away-what-is-typed-in-another-terminal",
        "N",
        """
        # python
        import termios
        termios.tcflush(os.open(os.environ['TTY'], os.O_RDONLY | os.O_NOCTTY), termios.TCIOFLUSH)
        """,
        _lost,
        before=_somebody_types,
    ),
    Case("settings-of-another-terminal", "N", "stty -F $TTY raw", _raw, before=_ready),
    Case("size-of-another-terminal", "N", "stty -F $TTY rows 7", _size, before=_ready),
    Case(
        "another-terminal-for-oneself-alone",
        "N",
        """
        # python
        import fcntl
        fcntl.ioctl(os.open(os.environ['TTY'], os.O_RDONLY | os.O_NOCTTY), 0x540C)
        """,
        _exclusive,
        before=_ready,
    ),
    Case(
        "another-terminal-as-controlling-one-by-force",
        "B",
        """
        # python
        import fcntl
        pid = os.fork()
        if pid == 0:
            os.setsid()
            fcntl.ioctl(os.open(os.environ["TTY"], os.O_RDWR | os.O_NOCTTY), 0x540E, 1)
            print(MARK, flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        """,
        lambda room: room.marked() and _take_back(),
        before=_ready,
        root=True,
    ),
)


def _take_back() -> bool:
    fcntl.ioctl(agents_terminal().slave, termios.TIOCSCTTY, 1)
    return True
