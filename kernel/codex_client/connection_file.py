"""What stands in a connection file, as a client uses it: where a kernel listens, and the key of its messages.

Source: Jupyter "Kernel connection files"; CurveZMQ keys as jupyter_client 8.10 writes them. The kernel's side is
`codex_kernel/jupyter/connection.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from codex_protocol.errors import UsageError
from codex_protocol.wire import Wire, WireError

if TYPE_CHECKING:
    import zmq.asyncio


def read_connection_file(file: Path) -> dict[str, Any]:
    """What stands in it.

    Raises:
        UsageError: It cannot be read, or is no connection file.
    """
    try:
        info = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise UsageError(f"the connection file {file} cannot be read: {error.strerror or error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is no connection file of Jupyter: {error}") from error
    if not all(name in info for name in ("ip", "control_port", "iopub_port")):
        raise UsageError(f"{file} is no connection file of Jupyter: addresses are missing")
    return info


def wire_of(info: Mapping[str, Any]) -> Wire:
    """How messages to that kernel are signed.

    Raises:
        UsageError: By a scheme that is not known.
    """
    try:
        return Wire(str(info.get("key", "")).encode(), str(info.get("signature_scheme", "hmac-sha256")))
    except WireError as error:
        raise UsageError(f"the connection file cannot be used: {error}") from error


def connected_socket(
    info: Mapping[str, Any], context: zmq.asyncio.Context, kind: int, channel: str
) -> zmq.asyncio.Socket:
    """A socket on its way to that kernel; it comes back by itself when the kernel does.

    Args:
        info: What stands in the connection file.
        context: Of pyzmq.
        kind: As `zmq.DEALER`.
        channel: As `control`.
    """
    import zmq

    socket = context.socket(kind)
    socket.linger = 0
    socket.reconnect_ivl = 10  # a kernel that is starting binds within milliseconds
    socket.reconnect_ivl_max = 500
    if server_key := info.get("curve_publickey"):
        public, secret = zmq.curve_keypair()
        socket.curve_publickey, socket.curve_secretkey = public, secret
        socket.curve_serverkey = str(server_key).encode()
    ip, port = info["ip"], info[f"{channel}_port"]
    socket.connect(f"ipc://{ip}-{port}" if info.get("transport") == "ipc" else f"tcp://{ip}:{port}")
    return socket
