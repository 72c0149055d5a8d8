"""Which AF_UNIX sockets live in this network namespace, asked of the kernel."""

from __future__ import annotations

import _socket
import os
import struct

_NETLINK, _SOCK_DIAG, _BY_FAMILY, _DUMP = 16, 4, 20, 0x301
_ERROR, _DONE = 2, 3
_SHOW_NAME, _SHOW_FILE = 1, 2
_ATTRIBUTE_NAME, _ATTRIBUTE_FILE = 0, 1
_ALL = 0xFFFFFFFF


class Bound:
    """One socket with a name.

    Attributes:
        socket_inode: As it stands in `socket:[N]` of whoever holds it.
        file: Inode and device of its file, cut to 32 bits; None for an abstract name.
        name: As it was bound; begins with a zero byte when abstract.
    """

    __slots__ = ("file", "name", "socket_inode")

    def __init__(self, socket_inode: int, file: tuple[int, int] | None, name: bytes) -> None:
        self.socket_inode = socket_inode
        self.file = file
        self.name = name


class UnixDiag:
    """A netlink socket that lists sockets.

    Raises:
        OSError: The kernel has no unix_diag.
    """

    def __init__(self) -> None:
        self._netlink = _socket.socket(_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, _SOCK_DIAG)
        self.bound()

    def bound(self) -> list[Bound]:
        """Every socket of the namespace that has a name."""
        request = struct.pack("=BBHIIIII", 1, 0, 0, _ALL, 0, _SHOW_NAME | _SHOW_FILE, _ALL, _ALL)
        self._netlink.send(struct.pack("=IHHII", 16 + len(request), _BY_FAMILY, _DUMP, 1, 0) + request)
        found: list[Bound] = []
        while True:
            data = self._netlink.recv(1 << 16)
            offset = 0
            while offset < len(data):
                length, kind = struct.unpack_from("=IH", data, offset)
                if kind == _ERROR:
                    code = -int(struct.unpack_from("=i", data, offset + 16)[0])
                    raise OSError(code, os.strerror(code))
                if kind == _DONE:
                    return found
                socket = _parse(data, offset, offset + length)
                if socket is not None:
                    found.append(socket)
                offset += (length + 3) & ~3


def _parse(data: bytes, start: int, end: int) -> Bound | None:
    socket_inode = int(struct.unpack_from("=I", data, start + 20)[0])
    file: tuple[int, int] | None = None
    name = b""
    at = start + 32
    while at + 4 <= end:
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            break
        if kind == _ATTRIBUTE_FILE:
            inode, device = struct.unpack_from("=II", data, at + 4)
            file = (int(inode), int(device))
        elif kind == _ATTRIBUTE_NAME:
            name = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return Bound(socket_inode, file, name) if name or file else None


def file_key(fd: int) -> tuple[int, int]:
    """Inode and device of an open file as `Bound.file` spells them.

    The device is the file system's own; `st_dev` differs on overlayfs and btrfs.
    """
    inode = os.fstat(fd).st_ino
    mount_id = _field(f"/proc/self/fdinfo/{fd}", "mnt_id:")
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            words = line.split(None, 3)
            if words[0] == mount_id:
                major, minor = words[2].split(":")
                return inode & _ALL, int(major) << 20 | int(minor)
    raise OSError(2, f"mount {mount_id} is not listed")


def _field(path: str, name: str) -> str:
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(name):
                return line.split()[1]
    raise OSError(2, f"{path} has no {name}")
