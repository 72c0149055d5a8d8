"""How a kernel is asked of the fork server: one JSON line each way over a socket of the user's own.

The kernel inherits the connection. While it lives the connection is open: its end tells the owner that the kernel has
ended, and the owner's end tells a kernel that does not stay that nobody needs it.
"""

from __future__ import annotations

import hashlib
import sys

import msgspec

from codex_protocol.errors import UsageError
from codex_protocol.kernel_options import KernelOptions
from codex_protocol.version import VERSION

MAX_LINE_BYTES = 16 << 20


class ForkRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A kernel to start, in the surroundings of the command that wants it."""

    connection_file: str
    """Absolute; exists."""
    own_file: bool = False
    """The kernel removes it at its end."""
    cwd: str
    env: dict[str, str]
    umask: int
    options: KernelOptions = KernelOptions()
    """Of the thread; what stands in `env` under `OPTIONS_VARIABLE` counts when these are the defaults."""


class ForkReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """It listens, or why it does not."""

    pid: int = 0
    error: str | None = None


def server_name(home_root: str, executable: str = sys.executable) -> str:
    """Name of the server's socket: one per home, release and interpreter."""
    facts = "\0".join((home_root, VERSION, executable))
    return f"fork-{hashlib.sha256(facts.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"


def encode_line(message: ForkRequest | ForkReply) -> bytes:
    """One line with its end."""
    return msgspec.json.encode(message) + b"\n"


def decode_fork_request(line: bytes) -> ForkRequest:
    """The request on a line.

    Raises:
        UsageError: It is none.
    """
    try:
        return msgspec.json.decode(line, type=ForkRequest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"not a request for a kernel: {error}") from error


def decode_fork_reply(line: bytes) -> ForkReply:
    """The reply on a line.

    Raises:
        UsageError: It is none.
    """
    try:
        return msgspec.json.decode(line, type=ForkReply)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the fork server's reply was not understood: {error}") from error
