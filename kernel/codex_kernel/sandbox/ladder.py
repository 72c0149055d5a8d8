"""Which rung this machine reaches: every candidate carries out the whole sequence once, in a throw-away child.

That a single step works proves nothing: Ubuntu lets `unshare` succeed and refuses the mounts after it.
"""

from __future__ import annotations

import _socket
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import msgspec

from codex_kernel.sandbox import bubblewrap
from codex_kernel.sandbox.helper import failure, spawn
from codex_kernel.sandbox.inside import wire
from codex_kernel.sandbox.inside.shapes import Job
from codex_kernel.sandbox.plan import Confinement
from codex_kernel.sandbox.recipe import ALL_LAYERS, Layer, confined_recipe

_TRY_S = 10
_CACHE = "sandbox-probe.json"
_VERSION = 2
_DOUBT_S = 3600
"""How long a rung below the first is believed: what failed may have been a passing shortage."""
FORCED = "CODEX_SANDBOX_LOWEST_RUNG"
"""Environment variable: pretend that rungs above this number failed. It can only lower."""


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine can do."""

    number: int
    layers: frozenset[Layer]
    bwrap: str | None = None
    """The program that builds the namespaces, on rung 2."""
    seatbelt: bool = False
    """Whether it is macOS's own sandbox that confines, on rung 2."""
    reasons: tuple[str, ...] = ()
    """Why each higher rung failed, as the kernel put it."""
    found_at: float = 0.0
    """Seconds since the epoch."""


_CANDIDATES: tuple[tuple[int, frozenset[Layer], bool], ...] = (
    (1, ALL_LAYERS, False),
    (2, ALL_LAYERS, True),
    (3, frozenset({Layer.LANDLOCK, Layer.SECCOMP}), False),
    (4, frozenset({Layer.NAMESPACES, Layer.SECCOMP}), False),
)
SEATBELT = 2
"""The rung macOS's own sandbox counts as."""
NOTHING = Rung(number=5, layers=frozenset())


def find_rung(runtime_dir: Path, *, lowest: int | None = None, layers: frozenset[Layer] = ALL_LAYERS) -> Rung:
    """The highest rung that works here; takes some 60 ms unless it is known since boot.

    Args:
        runtime_dir: Where the answer is kept and the trial runs.
        lowest: Do not try rungs above this number.
        layers: What may be used; fewer than all for tests. The number is then that of the best rung all of whose
            layers are left.
    """
    forced = _forced(lowest)
    if layers != ALL_LAYERS:
        return _with_layers(layers, forced)
    known = _read(runtime_dir)
    key = str(forced)
    rung = known.get(key)
    if rung is None or (rung.number > 1 and not 0 <= time.time() - rung.found_at < _DOUBT_S):
        rung = msgspec.structs.replace(_probe(runtime_dir, forced), found_at=time.time())
        _write(runtime_dir, known | {key: rung})
    return rung


def forget(runtime_dir: Path) -> None:
    """The kept answer was wrong: the next `find_rung` tries again."""
    with contextlib.suppress(OSError):
        (runtime_dir / _CACHE).unlink()


def _forced(lowest: int | None) -> int:
    named = os.environ.get(FORCED, "")
    return max(lowest or 1, int(named) if named.isdigit() else 1)


def _with_layers(layers: frozenset[Layer], forced: int) -> Rung:
    for number, needed, with_bwrap in _CANDIDATES:
        if number >= forced and not with_bwrap and needed <= layers:
            return Rung(number=number, layers=layers)
    return Rung(number=4 if layers and forced < NOTHING.number else NOTHING.number, layers=layers)


def _probe(runtime_dir: Path, forced: int) -> Rung:
    if sys.platform not in ("linux", "darwin"):
        return NOTHING
    import shutil
    import tempfile

    reasons: list[str] = []
    runtime_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.path.realpath(tempfile.mkdtemp(prefix="probe-", dir=runtime_dir))
    try:
        if sys.platform == "darwin":
            return _probe_seatbelt(folder, forced)
        for number, layers, with_bwrap in _CANDIDATES:
            if number < forced:
                continue
            bwrap = bubblewrap.find() if with_bwrap else None
            if with_bwrap and bwrap is None:
                reasons.append("bubblewrap is not installed")
                continue
            why_not = _try(folder, layers, bwrap)
            if why_not is None:
                return Rung(number=number, layers=layers, bwrap=bwrap, reasons=tuple(reasons))
            reasons.append(why_not)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if _try_filter_only(folder) is None and forced < NOTHING.number:
        return Rung(number=4, layers=frozenset({Layer.SECCOMP}), reasons=tuple(reasons))
    return Rung(number=NOTHING.number, layers=frozenset(), reasons=tuple(reasons))


def _probe_seatbelt(folder: str, forced: int) -> Rung:
    """The same trial through macOS's own tool."""
    if forced > SEATBELT:
        return NOTHING
    import subprocess

    from codex_kernel.sandbox import seatbelt

    _furnish(folder)
    argv = seatbelt.command_line(_trial_plan(folder), _trial_argv(folder))
    try:
        ended = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TRY_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return msgspec.structs.replace(NOTHING, reasons=(str(error),))
    if ended.returncode != 0:
        why = _SAID.get(ended.returncode, f"sandbox-exec ended with status {ended.returncode}")
        return msgspec.structs.replace(NOTHING, reasons=(why,))
    return Rung(number=SEATBELT, layers=frozenset(), seatbelt=True)


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


def _try(folder: str, layers: frozenset[Layer], bwrap: str | None) -> str | None:
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


def _furnish(folder: str) -> None:
    for name in ("inside", "outside", "inside/sealed"):
        os.makedirs(f"{folder}/{name}", exist_ok=True)


def _trial_argv(folder: str) -> list[str]:
    return ["/bin/sh", "-c", _SCRIPT, "sh", folder]


def _try_filter_only(folder: str) -> str | None:
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


class _Cache(msgspec.Struct, frozen=True, kw_only=True):
    machine: str
    rungs: dict[str, Rung]


def _machine() -> str:
    """What the answer depends on: this boot, kernel, user and version of ours."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        boot = ""
    return f"{_VERSION} {boot} {os.uname().release} {os.geteuid()} {sys.executable} {bubblewrap.find()}"


def _read(runtime_dir: Path) -> dict[str, Rung]:
    try:
        kept = msgspec.json.decode((runtime_dir / _CACHE).read_bytes(), type=_Cache)
    except (OSError, msgspec.DecodeError):
        return {}
    return kept.rungs if kept.machine == _machine() else {}


def _write(runtime_dir: Path, rungs: dict[str, Rung]) -> None:
    fresh = runtime_dir / f"{_CACHE}.{os.getpid()}"
    with contextlib.suppress(OSError):
        fresh.write_bytes(msgspec.json.encode(_Cache(machine=_machine(), rungs=rungs)))
        os.replace(fresh, runtime_dir / _CACHE)
