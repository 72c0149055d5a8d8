"""io_uring, keyrings, vsock: what goes around other filters or is in no namespace."""

from __future__ import annotations

import ctypes
import os
import socket
import textwrap
from collections.abc import Callable
from pathlib import Path

from tests.kernel.sandbox.escapes.case import SECRET, Case, Room
from tests.kernel.sandbox.escapes.cases.sockets import either, inet, local, no_protocol

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_SESSION, _USER, _USER_SESSION = -3, -4, -5


def new_session_keyring() -> None:
    """Keys of this run stay away from whoever started it."""
    _libc.syscall(250, 1, None)


def _key(room: Room, ring: int) -> int:
    name = os.fsencode(room.work)
    return int(_libc.syscall(248, b"user", name, SECRET.encode(), len(SECRET), ctypes.c_long(ring)))


def _session_key(room: Room) -> None:
    """A key in the keyring of our session, which children inherit."""
    room.env["KEY"] = str(_key(room, _SESSION))


def _user_key(room: Room) -> None:
    room.env["KEY"] = str(_key(room, _USER))


def _key_is_there(room: Room) -> bool:
    """Whether a key with the name `new` and the room's has come to our rings."""
    wanted = b"new-" + os.fsencode(room.work)
    taken = [_take_out(ring, wanted) for ring in (_SESSION, _USER, _USER_SESSION)]
    return any(taken)


def _take_out(ring: int, name: bytes) -> bool:
    """Whether the ring had a key with this name; it has none afterwards."""
    key = int(_libc.syscall(250, 10, ctypes.c_long(ring), b"user", name, 0))
    if key >= 0:
        _libc.syscall(250, 9, key, ctypes.c_long(ring))
    return key >= 0


def _lost(ring: int) -> Callable[[Room], bool]:
    """Whether the ring has the room's key no more."""
    return lambda room: not _take_out(ring, os.fsencode(room.work))


def _key_is_gone(room: Room) -> bool:
    return int(_libc.syscall(250, 11, int(room.env["KEY"]), ctypes.create_string_buffer(64), 64)) < 0


def _ring(script: str) -> str:
    return "# python\nring = Ring()\n" + textwrap.dedent(script)


def _no_uring() -> str | None:
    disabled = Path("/proc/sys/kernel/io_uring_disabled")
    return "io_uring is switched off" if disabled.exists() and disabled.read_text().strip() != "0" else None


def _no_keys() -> str | None:
    return None if Path("/proc/keys").exists() else "this kernel has no keyrings"


CASES = (
    Case(
        "uring-make-a-file",
        "NLS",
        _ring(
            """
        b, at = memory(os.fsencode(NEW) + b'\\0')
        ring.do(18, AT_FDCWD, address=at, length=0o644, flags=os.O_CREAT | os.O_WRONLY)
        """
        ),
        Room.new,
        not_here=_no_uring,
    ),
    Case(
        "uring-remove-a-file",
        "NLS",
        _ring("""
        b, at = memory(os.fsencode(FILE) + b'\\0')
        ring.do(36, AT_FDCWD, address=at)
        """),
        Room.changed,
        not_here=_no_uring,
    ),
    Case(
        "uring-make-a-directory",
        "NLS",
        _ring("""
        b, at = memory(os.fsencode(NEW) + b'\\0')
        ring.do(37, AT_FDCWD, address=at, length=0o755)
        """),
        Room.new,
        not_here=_no_uring,
    ),
    Case(
        "uring-make-a-symlink",
        "NLS",
        _ring(
            """
        a, one = memory(b'/etc/passwd\\0')
        b, two = memory(os.fsencode(NEW) + b'\\0')
        ring.do(38, AT_FDCWD, offset=two, address=one)
        """
        ),
        Room.new,
        not_here=_no_uring,
    ),
    Case(
        "uring-rename",
        "NLS",
        _ring(
            """
        a, one = memory(os.fsencode(FILE) + b'\\0')
        b, two = memory(os.fsencode(NEW) + b'\\0')
        ring.do(35, AT_FDCWD, offset=two, address=one, length=AT_FDCWD & 0xFFFFFFFF)
        """
        ),
        Room.new,
        not_here=_no_uring,
    ),
    Case(
        "uring-set-an-attribute",
        "NS",
        _ring(
            """
        a, one = memory(b'user.new\\0')
        b, two = memory(b'1')
        c, three = memory(os.fsencode(FILE) + b'\\0')
        ring.do(42, offset=two, address=one, length=1, third=three)
        """
        ),
        lambda room: os.listxattr(room.outside / "file") != [],
        not_here=_no_uring,
    ),
    Case(
        "uring-tcp",
        "NLS",
        _ring(
            """
        fd = ring.do(45, 2, offset=1)
        a, at = memory(struct.pack('!2sH4s8x', b'\\2\\0', PORT, b'\\x7f\\0\\0\\1'))
        ring.do(16, fd, offset=16, address=at)
        """
        ),
        Room.reached,
        before=inet(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
        not_here=_no_uring,
    ),
    Case(
        "uring-local-stream",
        "S",
        _ring(
            """
        os.chdir(OUTSIDE)
        fd = ring.do(45, 1, offset=1)
        a, at = memory(b'\\1\\0s\\0')
        ring.do(16, fd, offset=4, address=at)
        """
        ),
        either,
        before=local(socket.SOCK_STREAM),
        not_here=_no_uring,
    ),
    Case(
        "uring-local-datagram",
        "S",
        _ring(
            """
        os.chdir(OUTSIDE)
        fd = ring.do(45, 1, offset=2)
        a, at = memory(b'\\1\\0s\\0')
        ring.do(16, fd, offset=4, address=at)
        os.write(fd, b'x')
        """
        ),
        either,
        before=local(socket.SOCK_DGRAM),
        not_here=_no_uring,
    ),
    Case(
        "add-a-session-key",
        "S",
        """
        # python
        name = b"new-" + os.fsencode(WORK)
        call(248, b'user', name, b'x', 1, -3)
        """,
        _key_is_there,
        not_here=_no_keys,
    ),
    Case(
        "add-a-key-of-the-user",
        "NS",
        """
        # python
        name = b"new-" + os.fsencode(WORK)
        call(248, b'user', name, b'x', 1, -4)
        """,
        _key_is_there,
        not_here=_no_keys,
    ),
    Case(
        "read-a-session-key",
        "S",
        """
        # python
        b, at = memory(bytes(64)); n = call(250, 11, int(os.environ['KEY']), at, 64); print(b.raw[:n])
        """,
        Room.told,
        before=_session_key,
        not_here=_no_keys,
    ),
    Case(
        "find-a-session-key-by-its-name",
        "S",
        """
        # python
        k = call(250, 10, -3, b'user', os.fsencode(WORK), 0)
        b, at = memory(bytes(64))
        call(250, 11, k, at, 64)
        print(b.raw)
        """,
        Room.told,
        before=_session_key,
        not_here=_no_keys,
    ),
    Case(
        "request-a-session-key",
        "S",
        """
        # python
        k = call(249, b'user', os.fsencode(WORK), 0, 0)
        b, at = memory(bytes(64))
        call(250, 11, k, at, 64)
        print(b.raw)
        """,
        Room.told,
        before=_session_key,
        not_here=_no_keys,
    ),
    Case(
        "remove-a-key-of-the-user",
        "NS",
        """
        # python
        call(250, 9, int(os.environ['KEY']), -4)
        """,
        _lost(_USER),
        before=_user_key,
        not_here=_no_keys,
    ),
    Case(
        "revoke-a-session-key",
        "S",
        """
        # python
        call(250, 3, int(os.environ['KEY']))
        """,
        _key_is_gone,
        before=_session_key,
        not_here=_no_keys,
    ),
    Case(
        "change-a-session-key",
        "S",
        """
        # python
        b, at = memory(b'x'); call(250, 2, int(os.environ['KEY']), at, 1)
        """,
        lambda room: not _key_reads_as_before(room),
        before=_session_key,
        not_here=_no_keys,
    ),
    Case(
        "clear-the-session-keyring",
        "S",
        """
        # python
        call(250, 7, -3)
        """,
        _lost(_SESSION),
        before=_session_key,
        not_here=_no_keys,
    ),
    Case(
        "vsock-socket",
        "S",
        """
        # python
        socket.socket(40, 1); print(MARK)
        """,
        Room.marked,
        not_here=no_protocol(40, socket.SOCK_STREAM),
    ),
    Case(
        "vsock-datagram-socket",
        "S",
        """
        # python
        socket.socket(40, 2); print(MARK)
        """,
        Room.marked,
        not_here=no_protocol(40, socket.SOCK_DGRAM),
    ),
    Case(
        "vsock-server",
        "S",
        """
        # python
        s = socket.socket(40, 1); s.bind((0xFFFFFFFF, 0xFFFFFFFF)); s.listen(); print(MARK)
        """,
        Room.marked,
        not_here=no_protocol(40, socket.SOCK_STREAM),
    ),
    Case(
        "vsock-address-of-the-machine",
        "NL",
        """
        # python
        import fcntl; print(fcntl.ioctl(os.open('/dev/vsock', 0), 0x7B9, bytes(4))); print(MARK)
        """,
        Room.marked,
        root=True,
        not_here=lambda: None if os.path.exists("/dev/vsock") else "there is no /dev/vsock",
    ),
)


def _key_reads_as_before(room: Room) -> bool:
    buffer = ctypes.create_string_buffer(64)
    return _libc.syscall(250, 11, int(room.env["KEY"]), buffer, 64) == len(SECRET)
