"""The words agent, helper and init exchange over their sockets; both sides import this file.

Helper socket (SOCK_SEQPACKET, one datagram a message):
    agent -> helper   a recipe (first message), then jobs; marshalled, in the message or in a memfd sent along
    helper -> agent   READY, or FAILED + reason
Control socket of one command (SOCK_SEQPACKET; its closing on either side ends the command):
    init -> agent     STARTED [+ terminal], or NOT_STARTED + stage + errno, later EXITED + status + notes
    agent -> init     INTERRUPT, KILL
"""

from __future__ import annotations

import _socket
import marshal
import os
import struct

TYPE_CHECKING = False  # typing costs a third of the helper's start
if TYPE_CHECKING:
    from codex_kernel.sandbox.inside.shapes import Job, Recipe

READY, FAILED = b"R", b"F"
STARTED, NOT_STARTED, EXITED = b"S", b"N", b"X"
INTERRUPT, KILL = b"I", b"K"

AT_DIRECTORY, AT_PROGRAM, AT_CONFINEMENT, AT_TERMINAL = 1, 2, 3, 4
"""Where a command failed to start."""

INLINE_BYTES = 60_000
MESSAGE_BYTES = 1 << 16
MAX_FDS = 8


def send(socket: _socket.socket, message: Recipe | Job, fds: list[int]) -> None:
    """Send one message; a large one travels in a memfd put before `fds`.

    Raises:
        BlockingIOError: The socket is full.
    """
    data = marshal.dumps(message)  # pyright: ignore[reportArgumentType] - a TypedDict is a dict
    if len(data) <= INLINE_BYTES:
        socket.sendmsg([b"m", data], _rights(fds))
        return
    memory = os.memfd_create("message", os.MFD_CLOEXEC)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(memory, left) :]
        socket.sendmsg([b"M"], _rights([memory, *fds]))
    finally:
        os.close(memory)


def receive(socket: _socket.socket) -> tuple[bytes, list[int]]:
    """The marshalled message and its descriptors; both empty when the other side has closed."""
    data, fds = receive_raw(socket)
    if data[:1] != b"M":
        return data[1:], fds
    memory = fds.pop(0)
    try:
        size = os.fstat(memory).st_size
        return os.pread(memory, size, 0), fds
    finally:
        os.close(memory)


def receive_raw(socket: _socket.socket) -> tuple[bytes, list[int]]:
    """One datagram and its descriptors, not inherited by programs."""
    data, ancillary, _, _ = socket.recvmsg(
        MESSAGE_BYTES, _socket.CMSG_SPACE(MAX_FDS * 4) + 64, _socket.MSG_CMSG_CLOEXEC
    )
    fds: list[int] = []
    for level, kind, payload in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            count = len(payload) // 4
            fds.extend(struct.unpack(f"{count}i", payload[: count * 4]))
    return data, fds


def _rights(fds: list[int]) -> list[tuple[int, int, bytes]]:
    return [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))] if fds else []


def pack_exit(code: int, signal: int, notes: list[str]) -> bytes:
    """EXITED with its facts."""
    tail = "\0".join(notes).encode("utf-8", "surrogateescape")[: MESSAGE_BYTES - 16]
    return EXITED + struct.pack("<ii", code, signal) + tail


def unpack_exit(message: bytes) -> tuple[int, int, list[str]]:
    """Code, signal (0 for none) and notes of an EXITED message."""
    code, signal = struct.unpack_from("<ii", message, 1)
    tail = message[9:].decode("utf-8", "surrogateescape")
    return code, signal, tail.split("\0") if tail else []


def pack_failure(stage: int, error: int, detail: str) -> bytes:
    """NOT_STARTED with its facts."""
    return NOT_STARTED + struct.pack("<ii", stage, error) + detail.encode("utf-8", "replace")


def unpack_failure(message: bytes) -> tuple[int, int, str]:
    """Stage, error number and detail of a NOT_STARTED message."""
    stage, error = struct.unpack_from("<ii", message, 1)
    return stage, error, message[9:].decode("utf-8", "replace")
