"""`python -P -m codex_kernel.jupyter.fork_server FD HOME`: forks kernels that have everything imported already.

One per home, release and interpreter. It has no thread, no loop and no zmq context, so that a fork is whole. It ends
after ten minutes without a kernel. Whoever starts it hands it a listening socket (`codex_client/fork_server.py`).
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import logging
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path

from codex_kernel.jupyter import start
from codex_protocol.errors import CodexError, UsageError
from codex_protocol.fork import MAX_LINE_BYTES, ForkReply, ForkRequest, decode_fork_request, encode_line, server_name
from codex_render.log_lines import LogLines
from codex_store.home import Home

log = logging.getLogger(__name__)

EMPTY_S = 600.0
_READ_S = 5.0
_LOOK_S = 30.0
FIRST = (
    "asyncio",
    "zmq",
    "codex_kernel.jupyter.kernel",
    "codex_kernel.jupyter.handlers",
    "codex_kernel.jupyter.lifetime",
    "codex_kernel.jupyter.connection",
)
"""What a kernel needs to answer at all."""
LATER = (
    "codex_kernel.config.load",
    "codex_kernel.core.thread",
    "codex_kernel.core.turn",
    "codex_kernel.core.user_input",
    "codex_kernel.core.context",
    "codex_kernel.jupyter.cell_work",
    "codex_kernel.jupyter.slash_commands",
    "codex_kernel.jupyter.completion",
    "codex_kernel.jupyter.queries",
    "codex_kernel.sandbox.launcher",
    "codex_kernel.auth.manager",
    "codex_kernel.model.factory",
    "codex_kernel.model.demo",
    "codex_kernel.core.sampling",
    "codex_kernel.core.user_shell",
    "codex_store.rollout_reader",
    "codex_store.threads",
    "codex_render.markdown",
)
"""What a turn needs; imported one by one while nobody waits."""


class ForkServer:
    """Serves until it has been empty for long enough."""

    def __init__(self, listener: socket.socket, home: Home, *, empty_s: float = EMPTY_S) -> None:
        """Take over a listening socket; end after `empty_s` seconds without a kernel."""
        self._listener = listener
        self._home = home
        self._empty_s = empty_s
        self._name = server_name(str(home.root))
        self._kernels: set[int] = set()
        self._selector = selectors.DefaultSelector()
        self._later = list(LATER)
        self._wake = (-1, -1)

    def run(self) -> None:
        """Serve; returns when the server has ended, in a forked kernel never."""
        wake, alarm = self._wake = _pipe()
        signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _wake)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(wake, selectors.EVENT_READ)
        empty_since = time.monotonic()
        while True:
            ready = self._selector.select(0.0 if self._later else min(_LOOK_S, self._empty_s))
            if not ready and self._later:
                self._import_one()
            with contextlib.suppress(OSError):
                os.read(wake, 4096)
            self._reap()
            if any(key.fileobj is self._listener for key, _ in ready):
                self._accept()
            if self._kernels:
                empty_since = time.monotonic()
            elif time.monotonic() - empty_since > self._empty_s and self._end():
                return

    def _import_one(self) -> None:
        name = self._later.pop(0)
        try:
            importlib.import_module(name)
        except ImportError as error:
            log.warning("%s was not imported ahead of time: %s", name, error)
        if not self._later:
            gc.collect()
            gc.freeze()  # a collection in a kernel must not touch, and so copy, what all of them share

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection:
            try:
                if not _is_ours(connection):
                    return
                request = decode_fork_request(_read_line(connection))
            except (CodexError, OSError) as error:
                _tell(connection, ForkReply(error=str(error)))
                return
            gc.disable()
            pid = os.fork()
            if pid == 0:
                self._become_kernel(connection, request)
            gc.enable()
            self._kernels.add(pid)

    def _become_kernel(self, connection: socket.socket, request: ForkRequest) -> None:
        """In the child; never returns."""
        code = 1
        try:
            gc.enable()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._selector.close()
            self._listener.close()
            for descriptor in self._wake:
                os.close(descriptor)
            os.setsid()
            _name_process("codex-kernel")
            code = _run_kernel(connection, request)
        except BaseException as error:  # a fork must never go on as its parent
            log.exception("a kernel failed")
            _tell(connection, ForkReply(error=f"the kernel failed: {error}"))
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        for pid in tuple(self._kernels):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    continue
            self._kernels.discard(pid)

    def _end(self) -> bool:
        """Take the socket away, unless somebody is just asking for a kernel."""
        lock = os.open(self._home.runtime_dir() / f"{self._name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._selector.select(0):
                return False
            os.unlink(self._home.socket_path(f"{self._name}.sock"))
        except BlockingIOError:
            return False
        except FileNotFoundError:
            return True
        finally:
            os.close(lock)
        return True


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def _name_process(name: str) -> None:
    """What `ps` and `top` call it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name, encoding="ascii")


def _wake(number: int, frame: object) -> None:
    """The wake-up descriptor says it all."""


def _run_kernel(connection: socket.socket, request: ForkRequest) -> int:
    """The kernel, in the surroundings its owner has."""
    os.environ.clear()
    os.environ.update(request.env)
    time.tzset()
    os.umask(request.umask)
    try:
        os.chdir(request.cwd)
        options = request.options
        named = start.take_options(os.environ)
        options = named if options == type(options)() else options
    except OSError as error:
        _tell(connection, ForkReply(error=f"the directory {request.cwd} cannot be used: {error.strerror}"))
        return 1
    except UsageError as error:
        _tell(connection, ForkReply(error=str(error)))
        return 2
    connection.setblocking(False)
    try:
        return start.serve(
            Path(request.connection_file),
            options,
            owner=connection.fileno(),
            own_file=request.own_file,
            on_ready=lambda: _tell(connection, ForkReply(pid=os.getpid())),
        )
    except CodexError as error:
        _tell(connection, ForkReply(error=str(error)))
        return 1


def _read_line(connection: socket.socket) -> bytes:
    connection.settimeout(_READ_S)
    data = bytearray()
    while not data.endswith(b"\n"):
        piece = connection.recv(65536)
        if not piece:
            raise UsageError("the request for a kernel broke off")
        data += piece
        if len(data) > MAX_LINE_BYTES:
            raise UsageError("the request for a kernel is too long")
    return bytes(data)


def _tell(connection: socket.socket, reply: ForkReply) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(encode_line(reply))


def _is_ours(connection: socket.socket) -> bool:
    """The socket stands in a directory of ours alone; where the system tells who asks, it is checked too."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(credentials[4:8], sys.byteorder) == os.geteuid()


def main(argv: list[str]) -> int:
    """The exit code."""
    if len(argv) != 2 or not argv[0].isdigit():
        sys.stderr.write("the fork server is started by the client, not by hand\n")
        return 2
    if os.fork():
        os._exit(0)  # whoever started it has no child to wait for
    lines = logging.StreamHandler()
    lines.setFormatter(LogLines())
    logging.basicConfig(level=logging.WARNING, handlers=[lines])
    listener = socket.socket(fileno=int(argv[0]))
    home = Home(root=Path(argv[1]), xdg_runtime_dir=os.environ.get("XDG_RUNTIME_DIR") or None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in FIRST:
        importlib.import_module(name)
    ForkServer(listener, home).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
