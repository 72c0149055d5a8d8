"""What confining costs: `/bin/true` through our helper and through both upstream releases, in turn, and the helper's
memory: `python -m tests.bench.sandbox [--n N]`."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from codex_kernel.config.types import Config, ModelProvider
from codex_kernel.sandbox.interface import Command, Sandbox
from codex_kernel.sandbox.launcher import make_sandbox
from codex_protocol.policy import WorkspaceWrite
from tests.support.peers import PeerMissingError, august, november

ROOT = Path(__file__).parents[2]
TRUE = "/bin/true"
POLICY = WorkspaceWrite()
IN_A_ROW = 200
AT_ONCE = 16


class Place:
    """A home and a workspace of their own, not below the temporary directory: the newer release avoids that."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="codex-bench-", dir="/var/tmp")).resolve()
        self.home, self.work = self.folder / "home", self.folder / "work"
        self.home.mkdir(mode=0o700)
        self.work.mkdir()
        subprocess.run(["git", "init", "-q", self.work], check=True)
        (self.home / "config.toml").write_text('sandbox_mode = "workspace-write"\n', encoding="utf-8")
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder), "CODEX_HOME": str(self.home)}

    def sandbox(self) -> Sandbox:
        """As a thread makes it."""
        config = Config(
            codex_home=self.home,
            cwd=self.work,
            model="m",
            model_provider="p",
            provider=ModelProvider(name="p"),
            sandbox_policy=POLICY,
        )
        runtime = self.home / "workbench" / "run"
        runtime.mkdir(mode=0o700, parents=True)
        return make_sandbox(config, self.home, runtime)

    def command(self) -> Command:
        """The smallest there is."""
        return Command(argv=(TRUE,), cwd=self.work, env=self.env, policy=POLICY, workspace=self.work)


async def as_a_turn(sandbox: Sandbox, command: Command) -> None:
    """One command with its output read to the end, as the shell tool runs it."""
    process = await sandbox.start(command)
    try:
        async for _ in process.output():
            pass
        ended = await process.wait()
    finally:
        await process.aclose()
    if ended.code != 0:
        raise SystemExit(f"{TRUE} ended with {ended.code}")


def as_a_process(place: Place, *argv: str) -> Callable[[], Awaitable[None]]:
    """One process of a launcher, its output thrown away."""

    async def once() -> None:
        done = subprocess.run(
            argv, cwd=place.work, env=place.env, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if done.returncode != 0:
            raise SystemExit(f"{argv[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-300:]}")

    return once


async def timed(what: Callable[[], Awaitable[None]]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    await what()
    return (time.perf_counter() - began) * 1000


def memory_kb(pid: int) -> tuple[int, int]:
    """Resident and proportional size."""
    fields: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()[1:]:
        name, amount, *_ = line.split()
        fields[name.rstrip(":")] = int(amount)
    return fields["Rss"], fields["Pss"]


def helper_pid() -> int:
    """The one child that is kept."""
    me = os.getpid()
    return next(int(pid) for pid in Path(f"/proc/{me}/task/{me}/children").read_text("ascii").split())


async def measure(n: int, ours: Path) -> None:
    """Print a table."""
    place = Place()
    sandbox, command = place.sandbox(), place.command()
    # The newer release takes its policy from the settings, the older one from the flag.
    contestants: dict[str, Callable[[], Awaitable[None]]] = {
        "the command alone": as_a_process(place, TRUE),
        "ours, through a running helper": lambda: as_a_turn(sandbox, command),
        "0.27 `debug landlock`": as_a_process(place, str(august().command), "debug", "landlock", "--full-auto", TRUE),
        "0.169 `sandbox`": as_a_process(place, str(november().command), "sandbox", "--", TRUE),
        "ours, `codex sandbox`": as_a_process(place, str(ours), "sandbox", "-s", "workspace-write", "--", TRUE),
    }
    try:
        first = await timed(lambda: as_a_turn(sandbox, command))
        figures: dict[str, list[float]] = {name: [] for name in contestants}
        names = list(contestants)
        load = os.getloadavg()[0]
        for number in range(n + 2):  # two to warm up
            for place_in_round in range(len(names)):
                name = names[(number + place_in_round) % len(names)]
                took = await timed(contestants[name])
                if number >= 2:
                    figures[name].append(took)
        row = await timed(lambda: _in_a_row(sandbox, command))
        many = await timed(lambda: _at_once(sandbox, command))
        rss, pss = memory_kb(helper_pid())
    finally:
        await sandbox.aclose()
        shutil.rmtree(place.folder, ignore_errors=True)
    medians = {name: statistics.median(values) for name, values in figures.items()}
    mine = medians["ours, through a running helper"]
    print(f"n={n}, load {load:.2f} before, {os.getloadavg()[0]:.2f} after; milliseconds\n")
    print("| | median | least | ours / it | target |\n|---|---|---|---|---|")
    targets = {"0.27 `debug landlock`": 1.0, "0.169 `sandbox`": 0.15}
    for name, value in medians.items():
        ratio = mine / value
        target = f"<= {targets[name]}: {'met' if ratio <= targets[name] else 'missed'}" if name in targets else ""
        print(f"| {name} | {value:.1f} | {min(figures[name]):.1f} | {ratio:.2f} | {target} |")
    over = mine - medians["the command alone"]
    print(f"\nover the command itself: {over:.1f} ms (<= 10: {'met' if over <= 10 else 'missed'})")
    print(f"first command, with probe and start of the helper: {first:.0f} ms")
    print(f"{IN_A_ROW} in a row: {row / IN_A_ROW:.1f} ms each; with {AT_ONCE} at once: {many / IN_A_ROW:.1f} ms each")
    fits = "met" if rss <= 12 * 1024 else "missed"
    print(f"helper: {rss / 1024:.1f} MB resident (<= 12: {fits}), {pss / 1024:.1f} MB of its own")


async def _in_a_row(sandbox: Sandbox, command: Command) -> None:
    for _ in range(IN_A_ROW):
        await as_a_turn(sandbox, command)


async def _at_once(sandbox: Sandbox, command: Command) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with gate:
            await as_a_turn(sandbox, command)

    await asyncio.gather(*(one() for _ in range(IN_A_ROW)))


def main() -> int:
    """1 when a peer is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sandbox", description=__doc__)
    parser.add_argument("--n", type=int, default=31, help="rounds; each has every contestant once")
    default = ROOT / ".venv-bench/bin/codex"
    parser.add_argument("--command", type=Path, default=default if default.exists() else None, help="our codex")
    args = parser.parse_args()
    command = args.command or Path(sys.executable).with_name("codex")
    try:
        asyncio.run(measure(args.n, command))
    except PeerMissingError as error:
        print(f"python -m tests.bench.sandbox: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
