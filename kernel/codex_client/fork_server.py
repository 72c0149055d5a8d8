"""Kernels from the fork server: asked for in the surroundings of the caller, there in some 30 ms.

The server is started with the first request: the caller binds its socket and hands it over, so that nobody waits or
polls. Nothing of `codex_kernel` is imported here; it is started by its name.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import socket
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from codex_protocol.errors import ThreadError, UsageError
from codex_protocol.fork import ForkRequest, decode_fork_reply, encode_line, server_name
from codex_protocol.kernel_options import KernelOptions
from codex_store.home import Home, find_home

_START_S = 30.0
_MAX_LOG_BYTES = 5 << 20
_BACKLOG = 64
LOG = "kernels.log"
"""In the home's log folder: what kernels and their server have to say."""
_MODULE = "codex_kernel.jupyter.fork_server"


class StartedKernel(msgspec.Struct, eq=False):
    """A kernel that listens. It ends with `close`, unless it stays."""

    pid: int
    connection_file: Path
    connection: dict[str, Any]
    """The file's content."""
    owner: socket.socket
    """Open while the kernel lives; readable, without data, once it has ended."""

    def ended(self) -> bool:
        """Whether the kernel has ended."""
        try:
            return self.owner.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        """Need it no longer: one that does not stay ends."""
        self.owner.close()


def start_kernel(
    options: KernelOptions | None = None,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | str | None = None,
    umask: int | None = None,
    executable: str = sys.executable,
) -> StartedKernel:
    """A kernel on sockets in the runtime directory, forked; blocks until it listens.

    Args:
        options: How it opens its thread.
        env: What its commands see; None: ours.
        cwd: Where it works; None: our directory.
        umask: For what it writes; None: ours.
        executable: The interpreter that has `codex_kernel`.

    Raises:
        ThreadError: It could not be started.
        ConfigError: There is no usable home or runtime directory.
    """
    env = dict(os.environ if env is None else env)
    home = find_home(env)
    file, connection = new_connection_file(home)
    request = ForkRequest(
        connection_file=str(file),
        own_file=True,
        cwd=str(cwd or os.getcwd()),
        env=env,
        umask=current_umask() if umask is None else umask,
        options=options or KernelOptions(),
    )
    try:
        pid, owner = request_kernel(home, request, executable)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    return StartedKernel(pid, file, connection, owner)


def new_connection_file(home: Home) -> tuple[Path, dict[str, Any]]:
    """A connection file of our own: ipc in the runtime directory, which nobody else may enter."""
    name = f"k-{secrets.token_hex(5)}"
    address = home.socket_path(f"{name}-1").with_name(name)
    connection: dict[str, Any] = {
        "transport": "ipc",
        "ip": str(address),
        **{f"{channel}_port": n for n, channel in enumerate(("shell", "control", "iopub", "stdin", "hb"), 1)},
        "key": secrets.token_hex(32),
        "signature_scheme": "hmac-sha256",
        "kernel_name": "codex",
    }
    file = home.runtime_dir() / f"{name}.json"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(msgspec.json.encode(connection))
    return file, connection


def request_kernel(home: Home, request: ForkRequest, executable: str = sys.executable) -> tuple[int, socket.socket]:
    """Process id and connection of a kernel that listens where `request` says; blocks until it does.

    Raises:
        ThreadError: It could not be started; says why.
    """
    name = server_name(str(home.root), executable)
    path = home.socket_path(f"{name}.sock")
    with _locked(home.runtime_dir() / f"{name}.lock"):
        owner = _connect(path)
        if owner is None:
            _start_server(path, home, executable, request.env)
            owner = _connect(path)
    if owner is None:
        raise ThreadError(f"the fork server does not answer on {path}")
    try:
        owner.settimeout(_START_S)
        owner.sendall(encode_line(request))
        pid = _pid(owner)
        owner.setblocking(False)
        return pid, owner
    except OSError as error:
        owner.close()
        raise ThreadError(f"the kernel could not be started: {error}") from error
    except BaseException:
        owner.close()
        raise


def _pid(owner: socket.socket) -> int:
    data = bytearray()
    while not data.endswith(b"\n"):
        piece = owner.recv(4096)
        if not piece:
            raise ThreadError("the kernel ended before it listened; CODEX_LOG=debug and the log folder say more")
        data += piece
    try:
        reply = decode_fork_reply(bytes(data))
    except UsageError as error:
        raise ThreadError(str(error)) from error
    if reply.error is not None:
        raise ThreadError(reply.error)
    return reply.pid


def _connect(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    return connection


def _start_server(path: Path, home: Home, executable: str, env: Mapping[str, str]) -> None:
    """Bind and listen here, so that requests wait in the socket while the server starts."""
    import subprocess

    path.unlink(missing_ok=True)
    home.log.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        if (home.log / LOG).stat().st_size > _MAX_LOG_BYTES:
            os.replace(home.log / LOG, home.log / f"{LOG}.1")
    log = os.open(home.log / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with socket.socket(socket.AF_UNIX) as listener:
        old = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(old)
        listener.listen(_BACKLOG)
        try:
            subprocess.run(  # the server goes into the background by itself
                [executable, "-P", "-m", _MODULE, str(listener.fileno()), str(home.root)],
                pass_fds=(listener.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=dict(env),
                start_new_session=True,
                check=True,
            )
        except OSError as error:
            raise ThreadError(f"the fork server could not be started with {executable}: {error.strerror}") from error
        except subprocess.CalledProcessError as error:
            raise ThreadError(f"the fork server could not be started; {home.log / LOG} says why") from error
        finally:
            os.close(log)


@contextlib.contextmanager
def _locked(file: Path) -> Generator[None]:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def current_umask() -> int:
    """This process's umask; it can be read by setting it alone."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
