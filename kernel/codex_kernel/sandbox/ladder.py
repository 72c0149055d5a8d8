"""Which rung this machine reaches: what was found since boot, else what `trial.py` finds."""

# Annotations are no strings here: msgspec would have to read them back, in every start.

import contextlib
import os
import sys
import time
from pathlib import Path

import msgspec

from codex_kernel.sandbox import bubblewrap
from codex_kernel.sandbox.layers import ALL_LAYERS, Layer

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

    from codex_kernel.sandbox.trial import try_filter_only, try_layers

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
            why_not = try_layers(folder, layers, bwrap)
            if why_not is None:
                return Rung(number=number, layers=layers, bwrap=bwrap, reasons=tuple(reasons))
            reasons.append(why_not)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if try_filter_only(folder) is None and forced < NOTHING.number:
        return Rung(number=4, layers=frozenset({Layer.SECCOMP}), reasons=tuple(reasons))
    return Rung(number=NOTHING.number, layers=frozenset(), reasons=tuple(reasons))


def _probe_seatbelt(folder: str, forced: int) -> Rung:
    """The same trial through macOS's own tool."""
    if forced > SEATBELT:
        return NOTHING
    from codex_kernel.sandbox.trial import try_seatbelt

    why_not = try_seatbelt(folder)
    if why_not is not None:
        return msgspec.structs.replace(NOTHING, reasons=(why_not,))
    return Rung(number=SEATBELT, layers=frozenset(), seatbelt=True)


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
