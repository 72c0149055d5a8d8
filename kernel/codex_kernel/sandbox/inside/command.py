"""The child that becomes the command: from a fork of the init to execve, in the one order that works.

Landlock forbids mounting afterwards; seccomp comes after everything it denies; capabilities go last.
"""

from __future__ import annotations

import _socket
import fcntl
import os
import resource
import struct
import termios

from codex_kernel.sandbox.inside import landlock, seccomp, wire
from codex_kernel.sandbox.inside import syscalls as sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codex_kernel.sandbox.inside.shapes import Job, Limits, Recipe

_ERRORS, _RULES, _LISTENER = 3, 4, 5
_FIRST_UNUSED = 6
_SCRATCH = 64


class Restrictions:
    """Rule set and filter, made once by the helper and used by every command."""

    def __init__(self, recipe: Recipe, descriptors: tuple[int, int]) -> None:
        """Make what the recipe asks for.

        Args:
            recipe: How to confine.
            descriptors: The user's own limit of open files, which the helper may have raised for itself.

        Raises:
            OSError: The kernel lacks a layer the recipe asks for.
        """
        self.confined = recipe["confined"]
        self.limits = recipe["limits"]
        self.descriptors = descriptors
        self.ruleset: int | None = None
        self.filter: seccomp.Installable | None = None
        if recipe["landlock"]:
            self.ruleset = landlock.make_ruleset(recipe["writable"], recipe["devices"], tcp=recipe["inet"])
        if recipe["seccomp"]:
            program = seccomp.build(inet=recipe["inet"], unix=recipe["unix"], namespaces=recipe["private_ipc"])
            self.filter = seccomp.Installable(program.packed(), listener=recipe["unix"])


def become(
    job: Job, restrictions: Restrictions, stdio: tuple[int, int, int], errors: int, listener_socket: int | None
) -> None:
    """Turn this process into the command; does not return.

    Args:
        job: What to run.
        restrictions: What it may not do.
        stdio: The three descriptors it gets; the same terminal three times with a pty.
        errors: A pipe that closes at execve, or is told stage and error number.
        listener_socket: Where the filter's listener is sent; None without one.
    """
    stage = wire.AT_CONFINEMENT
    try:
        os.setsid()
        errors, ruleset, outlet = _arrange(stdio, errors, restrictions.ruleset, listener_socket)
        if job["pty"]:
            stage = wire.AT_TERMINAL
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        stage = wire.AT_DIRECTORY
        os.chdir(job["cwd"])
        stage = wire.AT_CONFINEMENT
        sys.reset_signals()
        if restrictions.confined:
            resource.setrlimit(resource.RLIMIT_NOFILE, restrictions.descriptors)
            _limit(restrictions.limits)
            _confine(restrictions, ruleset, outlet)
        stage = wire.AT_PROGRAM
        argv = job["argv"]
        os.execvpe(argv[0], argv, job["env"])  # noqa: S606 - the one place that starts programs
    except OSError as error:
        os.write(errors, struct.pack("<ii", stage, error.errno or 5) + str(error).encode("utf-8", "replace")[:200])
    except BaseException as error:
        os.write(errors, struct.pack("<ii", wire.AT_CONFINEMENT, 5) + repr(error).encode()[:200])
    os._exit(127)


def _arrange(
    stdio: tuple[int, int, int], errors: int, ruleset: int | None, outlet: int | None
) -> tuple[int, int | None, int | None]:
    """Standard streams at 0 to 2, what is still needed right behind, everything else closed."""
    keep = [*stdio, errors, ruleset, outlet]
    high = [None if fd is None else fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _SCRATCH) for fd in keep]
    for number, fd in enumerate(high):
        if fd is not None:
            os.dup2(fd, number, inheritable=number < _ERRORS)
    sys.call("close_range", _FIRST_UNUSED, 0x7FFFFFFF, 0)
    for number, fd in ((_RULES, high[4]), (_LISTENER, high[5])):
        if fd is None:
            try:
                os.close(number)
            except OSError:
                continue
    return _ERRORS, None if ruleset is None else _RULES, None if outlet is None else _LISTENER


def _limit(limits: Limits) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, value in (
        (resource.RLIMIT_NPROC, limits["rlimit_processes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
    ):
        if value is None:
            continue
        _, hard = resource.getrlimit(kind)
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (ceiling, ceiling))


def _confine(restrictions: Restrictions, ruleset: int | None, outlet: int | None) -> None:
    sys.prctl(sys.PR_SET_NO_NEW_PRIVS, 1)
    if ruleset is not None:
        landlock.restrict_self(ruleset)
    if restrictions.filter is not None:
        listener = restrictions.filter.install()
        if listener is not None and outlet is not None:
            socket = _socket.socket(fileno=outlet)
            socket.sendmsg([b"l"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack("i", listener))])
            socket.detach()
    sys.drop_capabilities()
