"""The results as Markdown: medians, ratios, targets, and under which conditions they were measured."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.contestants import Contestant
from tests.bench.scenarios import Scenario

Figures = Mapping[str, Sequence[Mapping[str, float]]]
"""Per contestant, the figures of each round."""


@dataclass(frozen=True)
class Outcome:
    """What one scenario gave."""

    scenario: Scenario
    figures: Figures
    failures: Mapping[str, str]
    load: tuple[float, float]
    """One-minute load average before and after."""


def number(value: float) -> str:
    """Three significant digits, no exponent."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def section(outcome: Outcome, names: Sequence[str]) -> str:
    """One scenario: its rows, one column a contestant, then our ratio to each of the others."""
    scenario = outcome.scenario
    names = [name for name in names if name not in scenario.without]
    others = [name for name in names if name != "ours"] if "ours" in names else []
    head = ["", *names, *(f"ours / {name}" for name in others), "target"]
    rows = [_row(row, scenario, outcome.figures, names, others) for row in _row_names(outcome.figures)]
    rounds = ", ".join(f"{name} n={len(outcome.figures.get(name, ()))}" for name in names)
    lines = [f"## {scenario.title}", "", _line(head), _line(["---"] * len(head)), *map(_line, rows), ""]
    for name, reason in outcome.failures.items():
        lines += [f"- **{name} failed**: {reason}", ""]
    lines.append(f"`{scenario.name}`: {rounds}; load {outcome.load[0]:.2f} before, {outcome.load[1]:.2f} after")
    return "\n".join(lines)


def _row_names(figures: Figures) -> list[str]:
    return list(dict.fromkeys(row for rounds in figures.values() for figure in rounds for row in figure))


def _row(row: str, scenario: Scenario, figures: Figures, names: Sequence[str], others: Sequence[str]) -> list[str]:
    medians = {
        name: median(figure[row] for figure in rounds)
        for name, rounds in figures.items()
        if rounds and row in rounds[0]
    }
    cells = [row, *(number(medians[name]) if name in medians else "-" for name in names)]
    ratios = {name: medians["ours"] / medians[name] for name in others if "ours" in medians and medians.get(name)}
    cells += [f"{ratios[name]:.2f}" if name in ratios else "-" for name in others]
    if (limit := scenario.limits.get(row)) is not None:
        return [*cells, _verdict(f"ours <= {limit}", limit, medians.get("ours"))]
    if (target := scenario.targets.get(row)) is not None:
        return [*cells, _verdict(f"<= {target}", target, ratios.get("0.169"))]
    return [*cells, ""]


def _verdict(words: str, bound: float, figure: float | None) -> str:
    if figure is None:
        return words
    return f"{words}: {'met' if figure <= bound else '**missed**'}"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def write(
    path: Path, contestants: Sequence[Contestant], outcomes: Sequence[Outcome], scratch: Path, *, quick: bool
) -> None:
    """The whole file; `scratch` is where the contestants' homes and files were."""
    versions = [f"- **{contestant.name}**: version {contestant.version}" for contestant in contestants]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python, system = f"Python {platform.python_version()}", f"{platform.system()} {platform.release()}"
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB"
    parts = [
        "# Results",
        "Medians of interleaved runs against one scripted model server; [how, and what the rows mean](README.md).\n"
        "Ratios are ours divided by theirs: below 1 we are better. A target is an upper bound of the ratio to 0.169.",
        *(["**A quick run: small scripts, few rounds; not for comparisons.**"] if quick else []),
        "\n".join([*versions, f"- {python}, {system}, {machine}, {file_system(scratch)}; {time.strftime('%Y-%m-%d')}"]),
        *(section(outcome, [contestant.name for contestant in contestants]) for outcome in outcomes),
    ]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def file_system(path: Path) -> str:
    """What the path lies on, and whether an ext4 has a journal: without one, new files wait for those just removed."""
    device = path.stat().st_dev
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, source = line.partition(" - ")
        if mount.split()[2] == f"{os.major(device)}:{os.minor(device)}":
            kind, name = source.split()[:2]
            journaled = any(Path("/proc/fs/jbd2").glob(f"{Path(name).name}-*"))
            return kind if kind != "ext4" else f"ext4 {'with' if journaled else 'without'} a journal"
    return "unknown file system"
