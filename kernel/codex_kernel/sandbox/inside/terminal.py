"""A pseudo-terminal opened where the command runs, so that `tty` names it inside."""

from __future__ import annotations

import fcntl
import os
import struct
import termios

_TIOCGPTN, _TIOCSPTLCK = 0x80045430, 0x40045431


def open_terminal(rows: int, columns: int) -> tuple[int, int]:
    """The master's and the slave's descriptor."""
    master = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    number = struct.unpack("I", fcntl.ioctl(master, _TIOCGPTN, struct.pack("I", 0)))[0]
    slave = os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return master, slave
