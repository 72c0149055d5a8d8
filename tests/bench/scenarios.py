"""What is measured: each scenario drives one contestant through a script once and returns its figures.

Commands run unconfined unless the scenario says otherwise, so that the agent is measured and not the sandbox.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median

from tests.bench.contestants import Contestant
from tests.bench.interrupt import interrupt_ms
from tests.bench.measure import Bench, FailedRunError, Run
from tests.support.replies import Reply, says

UNCONFINED = "--dangerously-bypass-approvals-and-sandbox"
DONE = says("Done.")
FIFTY_MB = 50_000_000


@dataclass(frozen=True)
class Round:
    """One measurement to make."""

    bench: Bench
    contestant: Contestant
    number: int
    """Counted from 0; warm-up rounds come first and are thrown away."""
    quick: bool

    def exec(self, purpose: str, script: list[Reply], *options: str, prompt: tuple[str, ...] = ("go",)) -> Run:
        """One start of `exec` that plays the whole script."""
        return self.bench.run(
            self.contestant,
            [self.contestant.argv(*options, prompt=prompt)],
            script,
            home=self.bench.home(self.contestant, purpose),
            work=self.bench.workspace(self.contestant, purpose.partition("#")[0]),
            requests=len(script),
        )


@dataclass(frozen=True)
class Scenario:
    """A group of rows of the results."""

    name: str
    title: str
    measure: Callable[[Round], dict[str, float]]
    """Figures by the name of their row, the unit included."""
    n: int
    quick_n: int = 3
    warm_up: int = 1
    targets: Mapping[str, float] = field(default_factory=dict)
    """Upper bounds of the ratio to 0.169, by row."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """Upper bounds of our own figure, by row."""
    without: tuple[str, ...] = ()
    """Contestants that have no such thing."""


def cold(round: Round) -> dict[str, float]:
    run = round.exec("cold", [DONE], "--json")
    return {
        "wall, ms": run.wall_ms,
        "time to first request, ms": run.first_request_ms,
        "CPU, ms": run.cpu_ms,
        "peak RSS, MB": run.rss_mb,
        "last byte to exit, ms": run.tail_ms,
        "written to disk, MB": run.written_mb,
        "processes left behind": run.left,
    }


def virgin(round: Round) -> dict[str, float]:
    run = round.exec(f"virgin#{round.number}", [DONE], "--json")
    return {"wall, ms": run.wall_ms, "time to first request, ms": run.first_request_ms}


def _turns(contestant: Contestant, script: str, count: int) -> list[Reply]:
    return [*(Reply(items=[contestant.shell_call(script)]) for _ in range(count)), DONE]


def _per_turn(run: Run) -> dict[str, float]:
    turns = len(run.requests) - 1
    return {"gap per turn, ms": median(run.gaps_ms()), "CPU per turn, ms": run.cpu_ms / turns, "wall, ms": run.wall_ms}


def loop(round: Round) -> dict[str, float]:
    script = _turns(round.contestant, "true", 10 if round.quick else 50)
    return _per_turn(round.exec("loop", script, "--json", UNCONFINED))


def sandbox_loop(round: Round) -> dict[str, float]:
    script = _turns(round.contestant, "true", 5 if round.quick else 20)
    return _per_turn(round.exec("sandbox", script, "--json", "-s", "workspace-write"))


@cache
def _many_deltas(chunk_bytes: int | None) -> Reply:
    return says("word " * 20_000, delta_chars=5, chunk_bytes=chunk_bytes)


def _deltas(round: Round, *options: str, chunk_bytes: int | None = 8192) -> dict[str, float]:
    run = round.exec("deltas", [_many_deltas(chunk_bytes)], *options)
    if run.stdout.count("word") < 20_000:
        raise FailedRunError(f"{round.contestant.name}: the answer is not on stdout")
    return {
        "first byte to exit, ms": run.from_first_byte_ms,
        "CPU of the whole run, ms": run.cpu_ms,
        "peak RSS, MB": run.rss_mb,
    }


def deltas_json(round: Round) -> dict[str, float]:
    return _deltas(round, "--json")


def deltas_human(round: Round) -> dict[str, float]:
    return _deltas(round)


def deltas_single(round: Round) -> dict[str, float]:
    return _deltas(round, "--json", chunk_bytes=None)


def output(round: Round) -> dict[str, float]:
    script = f"yes 'one line of output, sixty-four bytes long with its line end....' | head -c {FIFTY_MB}"
    run = round.exec("output", _turns(round.contestant, script, 1), "--json", UNCONFINED)
    back = next(iter(run.requests[-1].outputs().values()))
    return {
        "gap, ms": run.gaps_ms()[0],
        "CPU of the whole run, ms": run.cpu_ms,
        "peak RSS, MB": run.rss_mb,
        "characters sent back to the model": len(back if isinstance(back, str) else str(back)),
    }


def _numbered(count: int, changed: range) -> str:
    return "".join(f"{'changed' if line in changed else 'line'} {line}\n" for line in range(count))


def _patch_of_500_hunks(work: Path) -> tuple[str, dict[Path, str]]:
    """Write 200 files; the patch that changes 2 or 3 places in each, and what the files hold afterwards."""
    text, after = ["*** Begin Patch\n"], {}
    for number in range(200):
        file = work / f"file_{number:03}.txt"
        places = range(10, 10 + 20 * (2 + number % 2), 20)
        file.write_text(_numbered(80, range(0)), encoding="utf-8")
        text.append(f"*** Update File: {file.name}\n")
        text += [f"@@\n line {at - 1}\n-line {at}\n+changed {at}\n line {at + 1}\n" for at in places]
        after[file] = _numbered(80, places)
    return "".join([*text, "*** End Patch\n"]), after


def patch(round: Round) -> dict[str, float]:
    at_once, later = _patched(round, thought_s=0), _patched(round, thought_s=2)
    return {
        "gap, ms": at_once.gaps_ms()[0],
        "gap when the model thought for 2 seconds, ms": later.gaps_ms()[0],
        "wall, ms": at_once.wall_ms,
        "CPU of the whole run, ms": at_once.cpu_ms,
    }


def _patched(round: Round, *, thought_s: float) -> Run:
    work = round.bench.workspace(round.contestant, "patch")
    text, after = _patch_of_500_hunks(work)
    answer = Reply(items=[round.contestant.patch_call(text)], delay_s=thought_s)
    run = round.exec("patch", [answer, DONE], "--json", UNCONFINED)
    wrong = [file.name for file, wanted in after.items() if file.read_text("utf-8") != wanted]
    if wrong:
        raise FailedRunError(f"{round.contestant.name}: {len(wrong)} of 200 files are not as the patch says")
    return run


def _many_turns(round: Round) -> int:
    return 30 if round.quick else 300


def turns(round: Round) -> dict[str, float]:
    purpose = f"turns#{round.number}"
    script = _turns(round.contestant, "printf %01000d 7", _many_turns(round))
    run = round.exec(purpose, script, "--json", UNCONFINED)
    home = round.bench.home(round.contestant, purpose)
    gaps = run.gaps_ms()
    tenth = len(gaps) // 10
    return {
        "gap in the first tenth, ms": median(gaps[:tenth]),
        "gap in the last tenth, ms": median(gaps[-tenth:]),
        "wall, ms": run.wall_ms,
        "CPU of the whole run, ms": run.cpu_ms,
        "peak RSS, MB": run.rss_mb,
        "sent to the model, MB": sum(len(request.body) for request in run.requests) / 1e6,
        "last request, MB": len(run.requests[-1].body) / 1e6,
        "kept in CODEX_HOME, MB": sum(path.stat().st_size for path in home.rglob("*") if path.is_file()) / 1e6,
        "written to disk, MB": run.written_mb,
    }


def eight(round: Round) -> dict[str, float]:
    contestant = round.contestant
    run = round.bench.run(
        contestant,
        [contestant.argv("--json")] * 8,
        lambda _: DONE,
        home=round.bench.home(contestant, "eight"),
        work=round.bench.workspace(contestant, "eight"),
        requests=8,
    )
    return {"wall, ms": run.wall_ms, "CPU, ms": run.cpu_ms, "sum of peak RSS, MB": run.rss_mb}


def resume(round: Round) -> dict[str, float]:
    home = round.bench.home(round.contestant, "turns#0")
    if not (home / "sessions").exists():
        turns(Round(round.bench, round.contestant, 0, round.quick))
    prompt = tuple(round.contestant.resume(home, "go on"))
    run = round.exec("turns#0", [DONE], "--json", prompt=prompt)
    asked = len(run.requests[0].outputs())
    if asked < _many_turns(round):
        raise FailedRunError(f"{round.contestant.name}: {asked} outputs in the resumed history")
    return {
        "wall, ms": run.wall_ms,
        "time to first request, ms": run.first_request_ms,
        "CPU, ms": run.cpu_ms,
        "peak RSS, MB": run.rss_mb,
    }


def interrupt(round: Round) -> dict[str, float]:
    return {"interrupt to turn_aborted, ms": interrupt_ms(round.bench, round.contestant)}


SCENARIOS = (
    Scenario(
        "cold",
        "Cold start: one prompt, one answer, no tools",
        cold,
        n=15,
        targets={"wall, ms": 0.8, "CPU, ms": 0.8, "peak RSS, MB": 0.4},
    ),
    Scenario("virgin", "The same in an empty `CODEX_HOME`", virgin, n=7, warm_up=0),
    Scenario("loop", "50 turns that run `true`", loop, n=5, quick_n=1, targets={"gap per turn, ms": 0.25}),
    Scenario("sandbox", "20 turns that run `true` in the sandbox (workspace-write)", sandbox_loop, n=5, quick_n=1),
    Scenario(
        "deltas-json",
        "20,000 deltas in 8 kB chunks, `--json`",
        deltas_json,
        n=7,
        targets={"first byte to exit, ms": 0.5},
    ),
    Scenario(
        "deltas-human",
        "20,000 deltas in 8 kB chunks, output for people",
        deltas_human,
        n=7,
        targets={"first byte to exit, ms": 0.5},
    ),
    Scenario("deltas-single", "20,000 deltas, one write each, `--json`", deltas_single, n=5),
    Scenario("output", "One command that prints 50 MB", output, n=5, quick_n=1, targets={"peak RSS, MB": 0.3}),
    Scenario("patch", "A patch of 500 hunks in 200 files", patch, n=5, quick_n=1, targets={"gap, ms": 0.6}),
    Scenario(
        "turns",
        "300 turns of 1 kB output each",
        turns,
        n=3,
        quick_n=1,
        warm_up=0,
        targets={"wall, ms": 0.3, "written to disk, MB": 0.05},
    ),
    Scenario(
        "eight",
        "8 processes at once in one home",
        eight,
        n=7,
        targets={"wall, ms": 0.6, "CPU, ms": 0.6},
    ),
    Scenario("resume", "Resume of a thread of 300 turns", resume, n=7, targets={"wall, ms": 0.6}),
    Scenario(
        "interrupt",
        "Interrupt while a command runs (`codex proto`)",
        interrupt,
        n=15,
        limits={"interrupt to turn_aborted, ms": 100},
        without=("0.169",),
    ),
)
