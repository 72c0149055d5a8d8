"""The helper process: confines itself as its recipe says, then turns out one command after another.

Run as `python -I -S -c …` (see `helper.py`) with its socket as standard input. It keeps one init ready: a child already
in a pid namespace of its own, waiting for a job. It holds no secret and knows nothing of the agent but that socket.
"""

from __future__ import annotations

import _socket
import gc
import marshal
import os
import resource
import select

from codex_kernel.sandbox.inside import namespaces, wire
from codex_kernel.sandbox.inside import syscalls as sys
from codex_kernel.sandbox.inside.command import Restrictions
from codex_kernel.sandbox.inside.init import Init
from codex_kernel.sandbox.inside.unix_diag import UnixDiag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from codex_kernel.sandbox.inside.shapes import Job, Recipe

_SIGKILL = 9
_PID_MAX_PER_NAMESPACE = (6, 14)
_SMALLEST_PID_MAX = 301
_WAITING, _TAKEN = b"w", b"t"


class Helper:
    """The recipe in force, and the children that use it."""

    def __init__(self, recipe: Recipe) -> None:
        """Confine this process and make what every command needs.

        Raises:
            OSError: A layer cannot be had.
        """
        self.recipe = recipe
        if recipe["confined"]:
            _be_sacrificed_first()
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
        namespaces.pin(recipe["pins"])
        view = recipe["view"]
        if view is not None:
            namespaces.enter(view)
        self.restrictions = Restrictions(recipe, descriptors)
        self.diag = UnixDiag() if recipe["unix"] else None
        if recipe["confined"]:
            sys.empty_bounding_set()

    def spare(self, socket: _socket.socket, report: int) -> int:
        """A child that waits for a job on `socket` and then runs it; its pid.

        Args:
            socket: Shared with every other spare; whoever receives a job runs it.
            report: A pipe that is told `_WAITING`, then `_TAKEN`, or what went wrong.
        """
        pid = sys.clone(sys.CLONE_NEWPID | sys.CLONE_NEWNS) if self.recipe["pid_namespace"] else os.fork()
        if pid == 0:
            self._be_init(socket, report)
        return pid

    def _be_init(self, socket: _socket.socket, report: int) -> NoReturn:
        try:
            if self.recipe["pid_namespace"]:
                sys.prctl(sys.PR_SET_PDEATHSIG, _SIGKILL)
                self._mount_proc()
            else:
                sys.prctl(sys.PR_SET_CHILD_SUBREAPER, 1)
            os.write(report, _WAITING)
            data, fds = wire.receive(socket)
            if data:
                socket.close()
                os.write(report, _TAKEN)
                os.close(report)
                job: Job = marshal.loads(data)  # noqa: S302 - from the agent, never from a command
                Init(self.recipe, self.restrictions, self.diag).run(job, fds)
        except OSError as error:
            _complain(report, str(error))
        except BaseException as error:
            _complain(report, repr(error))
        os._exit(0)

    def _mount_proc(self) -> None:
        """Processes of this namespace only, nothing in it writable."""
        flags = sys.MS_NOSUID | sys.MS_NODEV | sys.MS_NOEXEC
        most = self.recipe["limits"]["processes"]
        if os.geteuid() == 0 and most is not None and _kernel() >= _PID_MAX_PER_NAMESPACE:
            # The kernel exempts root from RLIMIT_NPROC; since 6.14 the namespace has a limit of its own.
            sys.mount("proc", "/proc", "proc", flags)
            fd = os.open("/proc/sys/kernel/pid_max", os.O_WRONLY | os.O_CLOEXEC)
            os.write(fd, str(max(most, _SMALLEST_PID_MAX)).encode())
            os.close(fd)
            top = sys.open_path("/proc")
            sys.set_attributes(top, add=sys.ATTR_RDONLY, recursive=False)
            os.close(top)
        else:
            sys.mount("proc", "/proc", "proc", flags | sys.MS_RDONLY)


def _be_sacrificed_first() -> None:
    """When memory runs out, the kernel ends commands before the user's programs."""
    fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, b"500")
    finally:
        os.close(fd)


def _complain(report: int, text: str) -> None:
    try:
        os.write(report, text.encode("utf-8", "replace")[:400])
    except OSError:
        os.write(2, text.encode("utf-8", "replace"))  # the job was taken already; its control socket closes


def _kernel() -> tuple[int, int]:
    major, minor, *_ = os.uname().release.split(".")
    return int(major), int("".join(digit for digit in minor if digit.isdigit()) or 0)


class _Spare:
    """The child in waiting, as its parent sees it."""

    def __init__(self, helper: Helper, socket: _socket.socket) -> None:
        self.report, inlet = os.pipe2(os.O_CLOEXEC)
        self.pid = helper.spare(socket, inlet)
        os.close(inlet)
        self.pidfd = os.pidfd_open(self.pid)


def serve(socket: _socket.socket, helper: Helper) -> None:
    """Keep a spare ready until the agent closes the socket; collect the children that end.

    Raises:
        OSError: No spare can be made.
    """
    gc.freeze()
    gc.disable()
    poll = select.poll()
    poll.register(socket.fileno(), 0)
    children: dict[int, int] = {}
    ready = False
    while True:
        spare = _Spare(helper, socket)
        children[spare.pidfd] = spare.pid
        poll.register(spare.pidfd, select.POLLIN)
        poll.register(spare.report, select.POLLIN)
        taken = False
        while not taken:
            for fd, _ in poll.poll():
                if fd == socket.fileno():
                    return
                if fd == spare.report:
                    said = os.read(fd, 512)
                    if said[:1] == _WAITING and not ready:
                        ready = True
                        socket.send(wire.READY)
                    taken = taken or said in (_TAKEN, _WAITING + _TAKEN, b"")
                    if not taken and said != _WAITING:
                        raise OSError(said.removeprefix(_WAITING).decode("utf-8", "replace"))
                elif fd in children:
                    os.waitpid(children.pop(fd), 0)
                    poll.unregister(fd)
                    os.close(fd)
        poll.unregister(spare.report)
        os.close(spare.report)


def main() -> int:
    """Take the recipe, report, serve."""
    sys.call("close_range", 3, 0x7FFFFFFF, 0)
    socket = _socket.socket(fileno=os.dup(0))
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.close(null)
    sys.reset_signals()
    os.chdir("/")
    data, _ = wire.receive(socket)
    if not data:
        return 0
    try:
        recipe: Recipe = marshal.loads(data)  # noqa: S302 - from the agent
        serve(socket, Helper(recipe))
    except OSError as error:
        kind = b"replaced" if isinstance(error, namespaces.Replaced) else b"refused"
        socket.send(wire.FAILED + kind + b"\0" + str(error).encode("utf-8", "replace"))
        return 1
    return 0
