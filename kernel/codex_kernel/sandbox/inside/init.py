"""One command's init: starts it, answers for its sockets, watches what it uses, ends its whole tree, says how it went.

With a pid namespace it is process 1 there, so that its own end ends everything; without one it adopts orphans and
hunts them down.
"""

from __future__ import annotations

import _socket
import os
import select
import struct
import time

from codex_kernel.sandbox.inside import command, terminal, tree, wire
from codex_kernel.sandbox.inside.unix_connect import TICK_MS, Broker
from codex_kernel.sandbox.inside.unix_diag import UnixDiag
from codex_kernel.sandbox.inside.watch import INTERVAL_S, Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codex_kernel.sandbox.inside.shapes import Job, Recipe

_SIGINT = 2
_MIN_ERROR_BYTES = 8
_LAST_WORDS_S = 0.25
"""What the command's own end lets end (`> >(tee log)`, a writer whose reader has gone) gets so long to do it."""
_MOST_NAMES = 20


class Init:
    """Runs one job to its end; `run` returns when nothing of the tree is left but this process."""

    def __init__(self, recipe: Recipe, restrictions: command.Restrictions, diag: UnixDiag | None) -> None:
        self._recipe = recipe
        self._restrictions = restrictions
        self._diag = diag
        self._whole_namespace = recipe["pid_namespace"]
        self._broker: Broker | None = None
        self._listener_socket: _socket.socket | None = None
        self._poll = select.poll()
        self._control: _socket.socket
        self._errors = -1
        self._main = 0
        self._main_fd = -1

    def run(self, job: Job, fds: list[int]) -> None:
        """Run the command; `fds` as `Job` lists them."""
        self._control = _socket.socket(fileno=fds[0])
        try:
            master = self._start(job, fds[1:])
        except OSError as error:
            self._tell(wire.pack_failure(wire.AT_TERMINAL, error.errno or 5, str(error)))
            return
        if not self._await_start(master):
            tree.end_all(whole_namespace=self._whole_namespace)
            return
        status, killed = self._attend()
        left: list[str] = []
        if status is not None:
            left = tree.outliving(_LAST_WORDS_S, self._control.fileno(), whole_namespace=self._whole_namespace)
        tree.end_all(whole_namespace=self._whole_namespace)
        notes = [*(self._broker.notes if self._broker else []), *([killed] if killed else [])]
        notes += [f"left:{name}" for name in left[:_MOST_NAMES]]
        signal = os.WTERMSIG(status) if status is not None and os.WIFSIGNALED(status) else 0
        code = 137 if status is None else 128 + signal if signal else os.WEXITSTATUS(status)
        self._tell(wire.pack_exit(code, signal or (9 if status is None else 0), notes))

    def _start(self, job: Job, fds: list[int]) -> int | None:
        """Fork the command; the terminal's master when it has one."""
        master = None
        if job["pty"]:
            master, slave = terminal.open_terminal(job["rows"], job["columns"])
            stdio = (slave, slave, slave)
        else:
            stdin = fds[2] if job["stdin"] else os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
            stdio = (stdin, fds[0], fds[1])
        self._errors, error_inlet = os.pipe2(os.O_CLOEXEC)
        inside: _socket.socket | None = None
        if self._restrictions.filter is not None and self._recipe["unix"]:
            self._listener_socket, inside = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        self._main = os.fork()
        if self._main == 0:
            command.become(job, self._restrictions, stdio, error_inlet, inside.fileno() if inside else None)
        self._main_fd = os.pidfd_open(self._main)
        if inside is not None:
            inside.close()
        for fd in {*stdio, error_inlet}:
            os.close(fd)
        return master

    def _await_start(self, master: int | None) -> bool:
        """Wait for execve and report it; False when it failed or nobody wants it any more."""
        poll = select.poll()
        for fd in (self._errors, self._control.fileno()):
            poll.register(fd, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if self._control.fileno() in ready and self._ordered_to_end():
                return False
            if self._errors in ready:
                break
        report = os.read(self._errors, 512)
        os.close(self._errors)
        if len(report) >= _MIN_ERROR_BYTES:
            stage, error = struct.unpack_from("<ii", report)
            self._tell(wire.pack_failure(stage, error, report[8:].decode("utf-8", "replace")))
            return False
        if self._listener_socket is not None and self._diag is not None:
            _, listeners = wire.receive_raw(self._listener_socket)
            self._listener_socket.close()
            if listeners:
                private = self._recipe["private_network"]
                self._broker = Broker(listeners[0], self._diag, private_network=private)
                self._poll.register(listeners[0], select.POLLIN)
        self._tell(wire.STARTED, [] if master is None else [master])
        if master is not None:
            os.close(master)
        return True

    def _attend(self) -> tuple[int | None, str | None]:
        """Serve the tree until its first process ends; wait status (None: ended by us) and complaint."""
        shared = "/dev/shm" if self._recipe["view"] is not None else None  # noqa: S108 - the sandbox's own
        watch = Watch(self._recipe["limits"], shared_memory=shared)
        control = self._control.fileno()
        self._poll.register(control, select.POLLIN)
        self._poll.register(self._main_fd, select.POLLIN)
        look_at = time.monotonic() + INTERVAL_S
        while True:
            broker = self._broker
            wait_ms = max(0.0, look_at - time.monotonic()) * 1000
            if broker is not None and broker.waiting:
                wait_ms = min(wait_ms, TICK_MS)
            for fd, events in self._poll.poll(wait_ms):
                if fd == self._main_fd:
                    return tree.reap(self._main), None
                if fd == control:
                    if self._ordered_to_end():
                        return None, None
                elif broker is not None and events & select.POLLIN:
                    broker.answer()
                else:
                    self._poll.unregister(fd)
            if broker is not None and broker.waiting:
                broker.tick()
            if time.monotonic() >= look_at:
                status = tree.reap(self._main)
                if status is not None:
                    return status, None
                if watch.limited:
                    complaint = watch.complaint(tree.descendants(whole_namespace=self._whole_namespace))
                    if complaint is not None:
                        return None, complaint
                look_at = time.monotonic() + INTERVAL_S

    def _ordered_to_end(self) -> bool:
        """Obey one message of the agent; True when the tree is to end."""
        try:
            message = self._control.recv(64)
        except OSError:
            return True
        if message == wire.INTERRUPT:
            try:
                os.killpg(self._main, _SIGINT)
            except OSError:
                return False
            return False
        return True

    def _tell(self, message: bytes, fds: list[int] | None = None) -> None:
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack("i", fd)) for fd in fds or []]
        try:
            self._control.sendmsg([message], rights)
        except OSError:
            return  # the agent has gone; our end is all it can ask for
