"""Where a kernel listens: the connection file, and the five sockets it asks for.

Source: Jupyter "Kernel connection files"; CurveZMQ keys as jupyter_client 8.10 writes them.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
from pathlib import Path
from typing import Any

import msgspec
import zmq

from codex_protocol.errors import CodexError
from codex_protocol.wire import MAX_MESSAGE_BYTES

CHANNELS = ("shell", "control", "iopub", "stdin", "hb")
_KINDS = {
    "shell": zmq.ROUTER,
    "control": zmq.ROUTER,
    "iopub": zmq.XPUB,
    "stdin": zmq.ROUTER,
    "hb": zmq.ROUTER,
}
_IOPUB_BACKLOG = 20_000
"""Messages kept for a subscriber that does not read; what comes after is lost to it, and rich clients see the gap."""


class Connection(msgspec.Struct, kw_only=True):
    """What a connection file says. A port of 0 means: take one, and say so in the file."""

    transport: str = "tcp"
    ip: str = "127.0.0.1"
    shell_port: int = 0
    control_port: int = 0
    iopub_port: int = 0
    stdin_port: int = 0
    hb_port: int = 0
    key: str = ""
    signature_scheme: str = "hmac-sha256"
    kernel_name: str = ""
    curve_publickey: str | None = None
    curve_secretkey: str | None = None


def read_connection(file: Path) -> Connection:
    """What the connection file says.

    Raises:
        CodexError: It cannot be read, or asks for a transport we do not have.
    """
    try:
        connection = msgspec.json.decode(file.read_bytes(), type=Connection)
    except OSError as error:
        raise CodexError(f"the connection file {file} cannot be read: {error.strerror or error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CodexError(f"{file} is no connection file of Jupyter: {error}") from error
    if connection.transport not in ("tcp", "ipc"):
        raise CodexError(f"{file} asks for transport {connection.transport!r}; there are tcp and ipc")
    return connection


class Sockets:
    """The five sockets, bound. Closed by `close`, which also removes what ipc left in the file system."""

    def __init__(self, connection: Connection, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Bind them.

        Raises:
            CodexError: An address is in use or cannot be had.
        """
        self._connection = connection
        self._files: list[str] = []
        self.changed = False
        """A port was taken where the file had none: it has to be written again."""
        self._sockets: dict[str, zmq.Socket[bytes]] = {}
        try:
            for name in CHANNELS:
                self._sockets[name] = self._bind(context, name)
        except zmq.ZMQError as error:
            self.close()
            raise CodexError(
                f"the kernel cannot listen on {connection.transport}://{connection.ip}: {error}"
            ) from error
        self.shell, self.control, self.iopub, self.stdin, _ = (self._sockets[name] for name in CHANNELS)

    def _bind(self, context: zmq.Context[zmq.Socket[bytes]], name: str) -> zmq.Socket[bytes]:
        socket = context.socket(_KINDS[name])
        connection = self._connection
        socket.linger = 1000
        socket.setsockopt(zmq.MAXMSGSIZE, 4 * MAX_MESSAGE_BYTES)  # past this the peer is cut off
        if name == "iopub":
            socket.setsockopt(zmq.SNDHWM, _IOPUB_BACKLOG)
            socket.setsockopt(zmq.XPUB_VERBOSE, 1)  # every subscriber is welcomed, not the first of a topic alone
        else:
            socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        if connection.curve_secretkey and connection.curve_publickey:
            socket.setsockopt(zmq.CURVE_SERVER, 1)
            socket.setsockopt(zmq.CURVE_SECRETKEY, connection.curve_secretkey.encode())
            socket.setsockopt(zmq.CURVE_PUBLICKEY, connection.curve_publickey.encode())
        field = f"{name}_port"
        port: int = getattr(connection, field)
        if connection.transport == "ipc":
            port = port or CHANNELS.index(name) + 1
            path = f"{connection.ip}-{port}"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # a kernel that was killed left it
            socket.bind(f"ipc://{path}")
            self._files.append(path)
        elif port:
            socket.bind(f"tcp://{_bracketed(connection.ip)}:{port}")
        else:
            port = socket.bind_to_random_port(f"tcp://{_bracketed(connection.ip)}")
        if port != getattr(connection, field):
            setattr(connection, field, port)
            self.changed = True
        return socket

    def take_heartbeat(self) -> zmq.Socket[bytes]:
        """The heartbeat's socket; the caller closes it."""
        return self._sockets.pop("hb")

    def close(self) -> None:
        """Close them; what was sent in the last second may still leave."""
        for socket in self._sockets.values():
            socket.close()
        for path in self._files:
            with contextlib.suppress(OSError):
                os.unlink(path)


def is_plain_tcp(connection: Connection) -> bool:
    """Whether other users of this machine, or others on the network, can read what the kernel says."""
    return connection.transport == "tcp" and not connection.curve_secretkey


def write_connection(file: Path, connection: Connection) -> None:
    """Write the file anew, keeping what others put into it; readable by us alone.

    Raises:
        CodexError: It cannot be written.
    """
    try:
        known: dict[str, Any] = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
        fresh = {key: value for key, value in msgspec.to_builtins(connection).items() if value is not None}
        descriptor = os.open(file, os.O_WRONLY | os.O_TRUNC | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(msgspec.json.encode({**known, **fresh}))
    except OSError as error:
        raise CodexError(f"the connection file {file} cannot be written: {error.strerror or error}") from error


def _bracketed(ip: str) -> str:
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(ip).version == 6:
            return f"[{ip}]"
    return ip
