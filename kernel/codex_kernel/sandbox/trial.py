"""Whether layers confine on this machine: the whole sequence is carried out once, in a throw-away child.

That a single step works proves nothing: Ubuntu lets `unshare` succeed and refuses the mounts after it.
"""

from __future__ import annotations

import _socket
import contextlib
import os
import signal

from codex_kernel.sandbox import bubblewrap
from codex_kernel.sandbox.helper import failure, spawn
from codex_kernel.sandbox.inside import wire
from codex_kernel.sandbox.inside.shapes import Job
from codex_kernel.sandbox.layers import Layer
from codex_kernel.sandbox.plan import Confinement
from codex_kernel.sandbox.recipe import confined_recipe

_TRY_S = 10
_SCRIPT = """
echo x >"$1/inside/new" || exit 3
if { echo x >"$1/outside/new"; } 2>/dev/null; then exit 4; fi
if { echo x >"$1/inside/sealed/new"; } 2>/dev/null; then exit 5; fi
"""
_SAID = {
    3: "a writable directory was not writable",
    4: "a write outside the roots went through",
    5: "a write to a protected directory went through",
}


def try_layers(folder: str, layers: frozenset[Layer], bwrap: str | None) -> str | None:
    """Run one command under `layers`; None when it was confined, else the reason."""
    _furnish(folder)
    has_mounts = Layer.NAMESPACES in layers
    plan = _trial_plan(folder)
    code, reason = _run(plan, layers, bwrap, _trial_argv(folder))
    if reason is not None:
        return reason
    if code == 5 and not has_mounts:
        return None  # the lower rung says that it cannot protect what lies inside a root
    return None if code == 0 else _SAID.get(code, f"the trial command ended with status {code}")


def try_seatbelt(folder: str) -> str | None:
    """The same through macOS's own tool."""
    import subprocess

    from codex_kernel.sandbox import seatbelt

    _furnish(folder)
    argv = seatbelt.command_line(_trial_plan(folder), _trial_argv(folder))
    try:
        ended = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TRY_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if ended.returncode != 0:
        return _SAID.get(ended.returncode, f"sandbox-exec ended with status {ended.returncode}")
    return None


def _furnish(folder: str) -> None:
    for name in ("inside", "outside", "inside/sealed"):
        os.makedirs(f"{folder}/{name}", exist_ok=True)


def _trial_argv(folder: str) -> list[str]:
    return ["/bin/sh", "-c", _SCRIPT, "sh", folder]


def try_filter_only(folder: str) -> str | None:
    """The same with the filter of system calls alone."""
    code, reason = _run(_trial_plan(folder), frozenset({Layer.SECCOMP}), None, ["/bin/sh", "-c", "exit 0"])
    return reason if code == 0 else reason or f"the trial command ended with status {code}"


def _trial_plan(folder: str) -> Confinement:
    roots = tuple(path for path in (f"{folder}/inside",) if os.path.isdir(path))
    return Confinement(
        roots=roots,
        identities=tuple((found.st_dev, found.st_ino) for found in map(os.lstat, roots)),
        read_only=tuple(path for path in (f"{folder}/inside/sealed",) if os.path.isdir(path)),
        placeholders=(),
        masks=(),
        network=False,
        memory_bytes=1 << 40,
        shm_bytes=1 << 20,
        processes=1024,
        file_bytes=None,
        free_disk_bytes=None,
        disks=(),
    )


def _run(plan: Confinement, layers: frozenset[Layer], bwrap: str | None, argv: list[str]) -> tuple[int, str | None]:
    """Exit status and, when the command did not come to run, why."""
    recipe = confined_recipe(plan, layers, inside_bwrap=bwrap is not None)
    try:
        pid, socket = spawn(bubblewrap.prefix(bwrap, plan) if bwrap is not None else ())
    except OSError as error:
        return -1, str(error)
    control, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        socket.settimeout(_TRY_S)
        control.settimeout(_TRY_S)
        wire.send(socket, recipe, [])
        answer = socket.recv(wire.MESSAGE_BYTES)
        if answer != wire.READY:
            return -1, str(failure(answer))
        job = Job(
            argv=[os.fsencode(word) for word in argv],
            cwd=b"/",
            env={b"PATH": b"/usr/bin:/bin"},
            pty=False,
            rows=0,
            columns=0,
            stdin=False,
        )
        wire.send(socket, job, [theirs.fileno(), null, null])
        theirs.close()
        message = control.recv(wire.MESSAGE_BYTES)
        if message[:1] == wire.NOT_STARTED:
            return -1, wire.unpack_failure(message)[2]
        message = control.recv(wire.MESSAGE_BYTES)
        return (wire.unpack_exit(message)[0], None) if message[:1] == wire.EXITED else (-1, "the trial was killed")
    except OSError as error:
        return -1, str(error)
    finally:
        for end in (control, theirs, socket):
            end.close()
        os.close(null)
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.waitpid(pid, 0)
