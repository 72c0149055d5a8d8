"""Makes the sandbox this system has, and the plan a person can look at."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from codex_kernel.config.types import Config
from codex_kernel.sandbox.deny import DeniedPaths
from codex_kernel.sandbox.host import RealHost
from codex_kernel.sandbox.interface import Sandbox
from codex_kernel.sandbox.layers import ALL_LAYERS, Layer
from codex_kernel.sandbox.plan import Confinement, Places, plan
from codex_kernel.sandbox.roots import Roots
from codex_protocol.policy import DangerFullAccess


def make_sandbox(
    config: Config,
    home_root: Path,
    runtime_dir: Path,
    *,
    private_dirs: Sequence[Path] = (),
    lowest_rung: int | None = None,
    layers: frozenset[Layer] = ALL_LAYERS,
) -> Sandbox:
    """The sandbox for a thread with this configuration; nothing is started or probed yet.

    Args:
        config: Of the thread.
        home_root: `$CODEX_HOME`: hidden from commands but for skills and prompts, and never writable.
        runtime_dir: Hidden; also where trials run and placeholders are recorded.
        private_dirs: Other directories of ours to hide.
        lowest_rung: For tests: no rung above this number is tried.
        layers: For tests: what may be used at all.
    """
    places = _places(config, home_root, runtime_dir, private_dirs)
    cwd = os.path.realpath(config.cwd)
    if sys.platform == "win32":
        from codex_kernel.sandbox.unsupported import NoSandbox

        return NoSandbox(places, config.sandbox, _host(), cwd)
    from codex_kernel.sandbox.local import LocalSandbox

    return LocalSandbox(places, config.sandbox, _host(), cwd, Path(runtime_dir), lowest_rung=lowest_rung, layers=layers)


def plan_of(
    config: Config, home_root: Path, runtime_dir: Path, *, private_dirs: Sequence[Path] = ()
) -> Confinement | None:
    """What commands of a thread with this configuration may touch as things stand; None with full access.

    Nothing is made or started. Arguments as for `make_sandbox`.
    """
    policy = config.sandbox_policy
    if isinstance(policy, DangerFullAccess):
        return None
    host = _host()
    workspace = os.path.realpath(config.cwd)
    denied = DeniedPaths(config.sandbox.deny_read, workspace, host).paths()
    places = _places(config, home_root, runtime_dir, private_dirs)
    roots = Roots(host).of(policy, workspace)
    return plan(policy, workspace, places, config.sandbox, host, roots=roots, denied=denied)


def _places(config: Config, home_root: Path, runtime_dir: Path, private_dirs: Sequence[Path]) -> Places:
    return Places(
        home=os.path.realpath(home_root),
        private=tuple(dict.fromkeys(os.path.realpath(path) for path in (runtime_dir, *private_dirs))),
        code=_own_code(),
        trusted=tuple(map(str, config.trusted_directories)),
    )


def _host() -> RealHost:
    return RealHost(user_home=os.path.expanduser("~"), temp_dir=os.environ.get("TMPDIR") or None)


def _own_code() -> tuple[str, ...]:
    """What the agent is loaded from: a command that could change it would run outside the sandbox next time."""
    import msgspec

    found = [os.path.dirname(os.path.dirname(str(msgspec.__file__)))]
    if sys.prefix != sys.base_prefix:
        found.append(sys.prefix)
    root = Path(__file__).parents[2]
    found += [str(path) for path in root.iterdir() if path.name.startswith("codex_")]
    page = importlib.util.find_spec("codex_app")  # elsewhere where the sources are used in place
    found += list(page.submodule_search_locations or ()) if page is not None else []
    return tuple(dict.fromkeys(os.path.realpath(path) for path in found))
