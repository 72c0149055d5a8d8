"""ioctl, other doors into the kernel, and system calls that are too large a surface."""

from __future__ import annotations

import os
import platform
import socket
import struct
import subprocess
from functools import cache
from pathlib import Path

from tests.kernel.sandbox.escapes.case import SECRET, Case, Room
from tests.kernel.sandbox.escapes.cases.metadata import no_dump_flag
from tests.kernel.sandbox.escapes.cases.sockets import either, local


def _not_intel() -> str | None:
    return None if platform.machine() == "x86_64" else "only x86-64 has this door"


@cache
def _no_x32() -> str | None:
    if (why := _not_intel()) is not None:
        return why
    script = "import ctypes; print(ctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 | 39)))"
    done = subprocess.run(["/usr/bin/python3", "-c", script], capture_output=True, text=True, check=False)
    return "this kernel has no x32" if done.stdout.strip() == "-1" else None


def _sysctl_is(path: str, value: str, why: str) -> str | None:
    """`why` when the setting has this value."""
    try:
        return why if Path(path).read_text().strip() == value else None
    except OSError:
        return None


def _no_perf() -> str | None:
    return _sysctl_is("/proc/sys/kernel/perf_event_paranoid", "4", "perf is switched off") if os.geteuid() else None


def _no_ports() -> str | None:
    if (why := _not_intel()) is not None:
        return why
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ioperm(0x80, 1, 1) == 0:
        libc.ioperm(0x80, 1, 0)
        return None
    return None if ctypes.get_errno() == 1 else "this kernel gives no program ports"


def _holder_of_a_secret(room: Room) -> None:
    path = room.outside / "removed"
    path.write_text(SECRET)
    with path.open() as file:
        room.victim(stdin=file)
    path.unlink()


def _handle(room: Room) -> None:
    """A file handle as a program that may look around could have noted it."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    buffer, mount = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128)), ctypes.c_int()
    path = os.fsencode(room.outside / "file")
    libc.name_to_handle_at(-100, path, buffer, ctypes.byref(mount), 0)
    size = struct.unpack_from("I", buffer.raw)[0]
    room.env["HANDLE"] = buffer.raw[: 8 + size].hex()


_OLD_CONNECT = """
        # python
        os.chdir(OUTSIDE)
        fd = old_call(359, 1, {kind}, 0)
        old_call(362, fd, low_bytes(b"\\1\\0s\\0"), 4)
        try_each(lambda: os.write(fd, b"x"))
        """

CASES = (
    Case(
        "32-bit-make-a-directory",
        "NLS",
        """
        # python
        old_call(39, low_bytes(os.fsencode(NEW) + b'\\0'), 0o755)
        """,
        Room.new,
        not_here=_not_intel,
    ),
    Case(
        "32-bit-remove",
        "NLS",
        """
        # python
        old_call(10, low_bytes(os.fsencode(FILE) + b'\\0'))
        """,
        Room.changed,
        not_here=_not_intel,
    ),
    Case(
        "32-bit-mode",
        "NS",
        """
        # python
        old_call(15, low_bytes(os.fsencode(FILE) + b'\\0'), 0o777)
        """,
        lambda room: (room.outside / "file").stat().st_mode & 0o777 == 0o777,
        not_here=_not_intel,
    ),
    Case(
        "32-bit-local-stream",
        "S",
        _OLD_CONNECT.format(kind=1),
        either,
        before=local(socket.SOCK_STREAM),
        not_here=_not_intel,
    ),
    Case(
        "32-bit-local-datagram",
        "S",
        _OLD_CONNECT.format(kind=2),
        either,
        before=local(socket.SOCK_DGRAM),
        not_here=_not_intel,
    ),
    Case(
        "32-bit-user-namespace",
        "S",
        """
        # python
        if old_call(310, 0x10000000) == 0: print(MARK)
        """,
        Room.marked,
        not_here=_not_intel,
    ),
    Case(
        "x32-make-a-directory",
        "NLS",
        """
        # python
        call(0x40000000 | 83, os.fsencode(NEW), 0o755)
        """,
        Room.new,
        not_here=_no_x32,
    ),
    Case(
        "x32-socket",
        "S",
        """
        # python
        call(0x40000000 | 41, 1, 2, 0); print(MARK)
        """,
        Room.marked,
        not_here=_no_x32,
    ),
    Case(
        "high-halves-of-arguments",
        "S",
        """
        # python
        os.chdir(OUTSIDE)
        fd = call(41, 1 | 1 << 32, 2 | 1 << 33, 0)
        socket.socket(fileno=fd).sendto(b"x", "s")
        """,
        either,
        before=local(socket.SOCK_DGRAM),
    ),
    Case(
        "flags-of-a-file-with-high-half",
        "NS",
        """
        # python
        a, at = memory(struct.pack('q', 0x40))
        call(16, os.open(FILE, 0), 0x40086602 | 1 << 32, at)
        """,
        no_dump_flag,
    ),
    Case(
        "trace-a-child",
        "S",
        """
        # python
        pid = os.fork()
        if pid == 0:
            os._exit(0 if libc.ptrace(0, 0, 0, 0) == 0 else 1)
        if os.waitpid(pid, 0)[1] == 0: print(MARK)
        """,
        Room.marked,
    ),
    Case(
        "counters-of-the-processor",
        "S",
        """
        # python
        attributes, at = memory(struct.pack("IIQQQQQ", 1, 112, 0, 0, 0, 0, 0x60).ljust(112, b"\\0"))
        call(298, at, 0, -1, -1, 0); print(MARK)
        """,
        Room.marked,
        not_here=_no_perf,
    ),
    Case(
        "page-faults-of-ones-own",
        "S",
        """
        # python
        call(323, 1); print(MARK)
        """,
        Room.marked,
    ),
    Case(
        "compare-kernel-objects",
        "S",
        """
        # python
        call(312, os.getpid(), os.getpid(), 0, 1, 1); print(MARK)
        """,
        Room.marked,
    ),
    Case(
        "local-descriptor-table",
        "S",
        """
        # python
        d, at = memory(struct.pack('IIII', 0, 0, 0xFFFFF, 0x51)); call(154, 1, at, 16); print(MARK)
        """,
        Room.marked,
        not_here=_not_intel,
    ),
    Case(
        "steal-a-descriptor",
        "NLS",
        """
        # python
        fd = call(438, os.pidfd_open(VICTIM), 0, 0); print(os.pread(fd, 20, 0))
        """,
        Room.told,
        before=_holder_of_a_secret,
        root=False,
    ),
    Case(
        "steal-a-descriptor-as-root",
        "B",
        """
        # python
        fd = call(438, os.pidfd_open(VICTIM), 0, 0); print(os.pread(fd, 20, 0))
        """,
        Room.told,
        before=_holder_of_a_secret,
        root=True,
    ),
    Case(
        "open-by-handle",
        "B",
        """
        # python
        h, at = memory(bytes.fromhex(os.environ['HANDLE']))
        os.write(call(304, os.open('/', 0), at, os.O_WRONLY), b'other')
        """,
        Room.changed,
        before=_handle,
        root=True,
    ),
    Case(
        "program-in-the-kernel",
        "B",
        """
        # python
        a, at = memory(struct.pack('IIII', 2, 4, 4, 1).ljust(120, b'\\0')); call(321, 0, at, 72); print(MARK)
        """,
        Room.marked,
        root=True,
    ),
    Case(
        "ports-of-the-machine",
        "B",
        """
        # python
        call(173, 0x80, 1, 1); print(MARK)
        """,
        Room.marked,
        root=True,
        not_here=_no_ports,
    ),
    Case(
        "advise-on-anothers-memory",
        "S",
        """
        # python
        call(440, os.pidfd_open(os.getpid()), memory(struct.pack("PN", 0, 0))[1], 1, 21, 0); print(MARK)
        """,
        Room.marked,
    ),
)
