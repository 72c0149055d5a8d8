"""connect(2) on behalf of commands: AF_UNIX reaches the command's own servers and nothing else.

The kernel hands every `connect` of the tree to the init. The address is copied once, the path opened once, the file
compared with the sockets bound inside, and the caller's own socket connected through the descriptor that was checked.
Nothing is ever continued in the caller: between check and use it could swap memory, links or descriptors.
"""

from __future__ import annotations

import _socket
import ctypes
import fcntl
import os
import stat
import struct

from codex_kernel.sandbox.inside import syscalls as sys
from codex_kernel.sandbox.inside.unix_diag import UnixDiag, file_key

_RECEIVE, _SEND, _ID_VALID = 0xC0502100, 0xC0182101, 0x40082102
_NOTIFICATION_BYTES = 80
_PIDFD_THREAD = 0x80
_EPERM, _ENOENT, _EIO, _EAGAIN, _EFAULT, _EINVAL = 1, 2, 5, 11, 14, 22
_EALREADY, _ECONNREFUSED, _EINPROGRESS, _ENETUNREACH = 114, 111, 115, 101
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_SO_DOMAIN, _SOL_SOCKET, _SO_PEERCRED = 39, 1, 17
_MAX_ADDRESS = 128
_MAX_HELD = 256
_MAX_RETRIES_A_TICK = 32
_MAX_NOTES = 8
_DNS_PORT = 53
_SMALLEST_ADDRESS = {b"\2\0": 8, b"\12\0": 24}
"""Bytes of an internet address by its family as it begins."""
_NEVER = 1000

TICK_MS = 4

_libc = ctypes.CDLL(None, use_errno=True)


class _Held:
    """A connect that waits because the server's backlog is full."""

    __slots__ = ("address", "fd", "id", "keep")

    def __init__(self, id: int, fd: int, address: bytes, keep: list[int]) -> None:
        self.id = id
        self.fd = fd
        self.address = address
        self.keep = keep

    def drop(self) -> None:
        for fd in self.keep:
            os.close(fd)


class Broker:
    """Answers the notifications of one filter."""

    def __init__(self, listener: int, diag: UnixDiag, *, private_network: bool) -> None:
        """Own `listener`, the descriptor seccomp gave; `diag` belongs to the same network namespace."""
        self.listener = listener
        self.notes: list[str] = []
        """What was refused or unreachable, as `unix:PATH` or `net:ADDRESS`."""
        self._diag = diag
        self._private_network = private_network
        self._own: dict[tuple[int, int], int] = {}
        self._held: list[_Held] = []

    @property
    def waiting(self) -> bool:
        """Whether `tick` has something to do."""
        return bool(self._held)

    def answer(self) -> None:
        """Take one notification and answer it, or hold it."""
        try:
            data = fcntl.ioctl(self.listener, _RECEIVE, bytes(_NOTIFICATION_BYTES))
        except OSError:
            return  # the caller was killed meanwhile
        id, tid, _, _, _, _, socket_fd, pointer, length = struct.unpack_from("=QIIiIQQQQ", data)
        keep: list[int] = []
        try:
            self._connect(id, tid, socket_fd & 0xFFFFFFFF, pointer, length & 0xFFFFFFFF, keep)
        except OSError as error:
            self._reply(id, error.errno or _EPERM)
        except ValueError:
            self._reply(id, _EINVAL)  # an address like none we know must not end the whole tree
        finally:
            for fd in keep:
                os.close(fd)

    def tick(self) -> None:
        """Try some of the held connects again; drop those whose caller has gone."""
        for held in self._held[:_MAX_RETRIES_A_TICK]:
            self._held.remove(held)
            if not self._valid(held.id) or self._attempt(held.id, held.fd, held.address):
                held.drop()
            else:
                self._held.append(held)

    def _connect(self, id: int, tid: int, number: int, pointer: int, length: int, keep: list[int]) -> None:
        pidfd = _pidfd_of_thread(tid)
        keep.append(pidfd)
        fd = sys.call("pidfd_getfd", pidfd, number, 0)
        keep.append(fd)
        if length > _MAX_ADDRESS:
            raise OSError(_EINVAL, "the address is too long")
        address = _read_memory(tid, pointer, length)
        if _domain(fd) != _AF_UNIX:
            if not self._valid(id):
                return
        elif length > 2 and address[:2] == b"\1\0":
            address = self._checked(id, tid, address, keep)
            if not address:
                return
        if not self._attempt(id, fd, address):
            if len(self._held) >= _MAX_HELD:
                raise OSError(_EAGAIN, "too many connects wait")
            self._held.append(_Held(id, fd, address, keep[:]))
            keep.clear()

    def _checked(self, id: int, tid: int, address: bytes, keep: list[int]) -> bytes:
        """An address that can only mean a socket of our own; empty when the caller has gone.

        Raises:
            OSError: It means something else.
        """
        if address[2] == 0:
            if not self._private_network and not self._own_abstract(address[2:]):
                self._note("unix:@" + os.fsdecode(address[3:].split(b"\0")[0]))
                raise OSError(_ECONNREFUSED, "not ours")
            return address if self._valid(id) else b""
        path = _without_proc_self(address[2:].split(b"\0")[0], tid)
        cwd = os.open(f"/proc/{tid}/cwd", os.O_PATH | os.O_CLOEXEC)
        keep.append(cwd)
        pinned = os.open(path, os.O_PATH | os.O_CLOEXEC, dir_fd=cwd)
        keep.append(pinned)
        if not self._valid(id):
            return b""
        if not self._is_own(pinned):
            if not stat.S_ISSOCK(os.fstat(pinned).st_mode):
                raise OSError(_ECONNREFUSED, "no socket")
            self._note("unix:" + os.readlink(f"/proc/self/fd/{pinned}"))
            raise OSError(_EPERM, "not ours")
        return b"\1\0/proc/self/fd/%d\0" % pinned

    def _is_own(self, fd: int) -> bool:
        """Whether a server inside has bound this file; the answer is kept while the file exists, which pins it."""
        found = os.fstat(fd)
        key = (found.st_dev, found.st_ino)
        if key in self._own:
            return True
        if not stat.S_ISSOCK(found.st_mode):
            return False
        for old, pin in list(self._own.items()):
            if os.fstat(pin).st_nlink == 0:
                os.close(pin)
                del self._own[old]
        wanted = file_key(fd)
        matches = [socket.socket_inode for socket in self._diag.bound() if socket.file == wanted]
        if not matches or not (self._private_network or _held_inside(matches)):
            return False
        self._own[key] = os.dup(fd)
        return True

    def _own_abstract(self, name: bytes) -> bool:
        matches = [socket.socket_inode for socket in self._diag.bound() if socket.name == name]
        return bool(matches) and _held_inside(matches)

    def _attempt(self, id: int, fd: int, address: bytes) -> bool:
        """Connect without blocking; True when the caller has its answer."""
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        blocking = not flags & os.O_NONBLOCK
        if blocking:
            fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        error = _connect_now(fd, address)
        if error == _EINPROGRESS and blocking:
            error = _connect_now(fd, address)  # loopback TCP is connected by now
        if blocking:
            fcntl.fcntl(fd, fcntl.F_SETFL, flags)
        if blocking and error in (_EAGAIN, _EINPROGRESS, _EALREADY):
            return False
        self._note_network(address, error)
        if error == 0 and not self._private_network and address[:3] == b"\1\0\0" and not _peer_is_inside(fd):
            _socket.socket(fileno=os.dup(fd)).shutdown(2)
            error = _ECONNREFUSED
        self._reply(id, error)
        return True

    def _note_network(self, address: bytes, error: int) -> None:
        if not self._private_network or len(address) < _SMALLEST_ADDRESS.get(address[:2], _NEVER):
            return
        family = struct.unpack_from("=H", address)[0]
        port = struct.unpack_from("!H", address, 2)[0]
        if not (error == _ENETUNREACH or port == _DNS_PORT):
            return
        host = address[4:8] if family == _AF_INET else address[8:24]
        self._note(f"net:{_socket.inet_ntop(family, host)}:{port}")

    def _note(self, note: str) -> None:
        if note not in self.notes and len(self.notes) < _MAX_NOTES:
            self.notes.append(note)

    def _valid(self, id: int) -> bool:
        try:
            fcntl.ioctl(self.listener, _ID_VALID, struct.pack("=Q", id))
        except OSError:
            return False
        return True

    def _reply(self, id: int, error: int) -> None:
        try:
            fcntl.ioctl(self.listener, _SEND, struct.pack("=QqiI", id, 0, -error, 0))
        except OSError as failure:
            if failure.errno != _ENOENT:  # the caller has gone
                raise


def _pidfd_of_thread(tid: int) -> int:
    try:
        return os.pidfd_open(tid, _PIDFD_THREAD)
    except OSError as error:
        if error.errno != _EINVAL:
            raise
    with open(f"/proc/{tid}/status", encoding="utf-8", errors="replace") as lines:  # before Linux 6.9
        for line in lines:
            if line.startswith("Tgid:"):
                return os.pidfd_open(int(line.split()[1]))
    raise OSError(3, "the caller has gone")


class _IoVector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def _read_memory(pid: int, pointer: int, length: int) -> bytes:
    buffer = ctypes.create_string_buffer(max(length, 1))
    local = _IoVector(ctypes.addressof(buffer), length)
    remote = _IoVector(pointer, length)
    count = sys.call("process_vm_readv", pid, ctypes.addressof(local), 1, ctypes.addressof(remote), 1, 0)
    if count != length:
        raise OSError(_EFAULT, "the address cannot be read")
    return buffer.raw[:length]


def _domain(fd: int) -> int:
    socket = _socket.socket(_AF_UNIX, _socket.SOCK_STREAM, 0, fd)
    try:
        return socket.getsockopt(_SOL_SOCKET, _SO_DOMAIN)
    finally:
        socket.detach()


def _peer_is_inside(fd: int) -> bool:
    socket = _socket.socket(_AF_UNIX, _socket.SOCK_STREAM, 0, fd)
    try:
        return struct.unpack("=iII", socket.getsockopt(_SOL_SOCKET, _SO_PEERCRED, 12))[0] != 0
    except OSError:
        return False
    finally:
        socket.detach()


def _connect_now(fd: int, address: bytes) -> int:
    """The error number, 0 when connected."""
    if _libc.connect(fd, address, len(address)) == 0:
        return 0
    return ctypes.get_errno()


def _without_proc_self(path: bytes, tid: int) -> bytes:
    """The init would resolve /proc/self as itself."""
    for prefix in (b"/proc/self/", b"/proc/thread-self/"):
        if path.startswith(prefix):
            return b"/proc/%d/" % tid + path[len(prefix) :]
    return path


def _held_inside(sockets: list[int]) -> bool:
    """Whether a process of this pid namespace has one of these sockets open."""
    wanted = {f"socket:[{inode}]" for inode in sockets}
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in names:
            try:
                if os.readlink(f"/proc/{pid}/fd/{name}") in wanted:
                    return True
            except OSError:
                continue
    return False
