"""`python -m tests.bench`: run the scenarios, contestants interleaved, and write the results."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench import contestants, report
from tests.bench.contestants import Contestant
from tests.bench.measure import SCRATCH, Bench, FailedRunError
from tests.bench.report import Outcome
from tests.bench.scenarios import SCENARIOS, Round, Scenario
from tests.support.peers import PeerMissingError

ROOT = Path(__file__).parents[2]


def play(bench: Bench, scenario: Scenario, competing: Sequence[Contestant], n: int, *, quick: bool) -> Outcome:
    """All rounds of a scenario; in each round everybody has one turn, and another one begins each time."""
    competing = [contestant for contestant in competing if contestant.name not in scenario.without]
    figures: dict[str, list[dict[str, float]]] = {contestant.name: [] for contestant in competing}
    failures: dict[str, str] = {}
    before = os.getloadavg()[0]
    for number in range(scenario.warm_up + n):
        for place in range(len(competing)):
            contestant = competing[(number + place) % len(competing)]
            if contestant.name in failures:
                continue
            try:
                measured = scenario.measure(Round(bench, contestant, number, quick))
            except FailedRunError as error:
                failures[contestant.name] = str(error)
                continue
            if number >= scenario.warm_up:
                figures[contestant.name].append(measured)
    return Outcome(scenario, figures, failures, (before, os.getloadavg()[0]))


def find(names: Sequence[str], command: Path) -> list[Contestant]:
    """The contestants by name; one that is missing is an error, never left out."""
    makers = {"ours": lambda: contestants.ours(command), "0.27": contestants.august, "0.169": contestants.november}
    return [makers[name]() for name in names]


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 1 when somebody is missing or failed a scenario."""
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure this project and its peers.")
    parser.add_argument("--command", type=Path, default=ROOT / ".venv-bench/bin/codex", help="our codex")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument(
        "--contestants", nargs="+", choices=("ours", "0.27", "0.169"), default=["ours", "0.27", "0.169"]
    )
    parser.add_argument("--n", type=int, help="rounds of every scenario instead of its own number")
    parser.add_argument("--quick", action="store_true", help="small scripts and few rounds: does everything work?")
    parser.add_argument("--results", type=Path, help="where to write (default: RESULTS.md here; --quick: stdout only)")
    parser.add_argument(
        "--scratch", type=Path, default=SCRATCH, metavar="DIR", help=f"homes and files go here ({SCRATCH})"
    )
    args = parser.parse_args(argv)
    try:
        competing = find(args.contestants, args.command)
    except (PeerMissingError, OSError) as error:
        print(f"python -m tests.bench: {error}", file=sys.stderr)
        return 1
    outcomes: list[Outcome] = []
    default = None if args.quick or args.only != names else Path(__file__).with_name("RESULTS.md")
    with Bench(args.scratch) as bench:
        for scenario in SCENARIOS:
            if scenario.name in args.only:
                n = args.n or (scenario.quick_n if args.quick else scenario.n)
                outcomes.append(play(bench, scenario, competing, n, quick=args.quick))
                print(report.section(outcomes[-1], args.contestants) + "\n", flush=True)
                if results := args.results or default:
                    report.write(results, competing, outcomes, bench.scratch, quick=args.quick)
    return int(any(outcome.failures for outcome in outcomes))


if __name__ == "__main__":
    raise SystemExit(main())
