from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.bench import report
from tests.bench.__main__ import main, play
from tests.bench.contestants import august
from tests.bench.measure import Bench
from tests.bench.report import Outcome
from tests.bench.scenarios import SCENARIOS, Scenario

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


def test_a_peer_plays_a_scenario_and_its_figures_are_plausible() -> None:
    with Bench() as bench:
        outcome = play(bench, BY_NAME["cold"], [august()], 2, quick=True)
    assert outcome.failures == {}
    assert len(outcome.figures["0.27"]) == 2
    for figures in outcome.figures["0.27"]:
        assert 1 < figures["time to first request, ms"] <= figures["wall, ms"]
        assert figures["CPU, ms"] > 1
        assert 8 < figures["peak RSS, MB"] < 100


def test_a_patch_that_is_not_applied_is_a_failure_and_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    idle = august()
    object.__setattr__(idle, "patch_call", lambda patch: idle.shell_call("true"))
    with Bench() as bench:
        outcome = play(bench, BY_NAME["patch"], [idle], 1, quick=True)
    assert outcome.figures["0.27"] == []
    assert "200 of 200 files" in outcome.failures["0.27"]


def test_a_missing_command_ends_the_benchmark(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--command", str(tmp_path / "codex"), "--contestants", "ours", "--quick"]) == 1
    assert "No such file" in capsys.readouterr().err


def test_a_missed_target_is_said_in_the_table() -> None:
    scenario = Scenario("x", "X", lambda _: {}, n=1, targets={"wall, ms": 0.5})
    figures = {"ours": [{"wall, ms": 60.0}], "0.169": [{"wall, ms": 100.0}]}
    table = report.section(Outcome(scenario, figures, {}, (0, 0)), ["ours", "0.169"])
    assert "| wall, ms | 60 | 100 | 0.60 | <= 0.5: **missed** |" in table


@pytest.mark.parametrize("name", ["cold", "eight", "patch", "turns"])
def test_every_target_names_a_row_that_is_measured(name: str) -> None:
    with Bench() as bench:
        outcome = play(bench, BY_NAME[name], [august()], 1, quick=True)
    assert set(BY_NAME[name].targets) <= set(outcome.figures["0.27"][0])


def test_the_command_of_the_readme_is_executable() -> None:
    assert Path(__file__).with_name("run").stat().st_mode & stat.S_IXUSR
