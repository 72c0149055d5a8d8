from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from codex_cli.commands.root import ROOT as COMMANDS
from codex_cli.parser import parse
from tests.support.codex_clients import end_servers

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def codex_commands() -> list[str]:
    """Every command line of the README that starts `codex`, up to its comment, pipe or end."""
    found = [
        command.strip().rstrip(")")
        for block in blocks(README, "sh")
        for command in re.findall(r"(?:^|[|&(/])\s*(codex [^|#\n]+)", block, re.MULTILINE)
    ]
    return [re.split(r"\) {2,}", command)[0] for command in found]


def test_the_readme_sets_up_with_exactly_the_two_commands_that_ci_runs() -> None:
    first, second = blocks(README, "sh")[0].splitlines()
    ci = (ROOT / ".ci/run").read_text("utf-8")
    (pattern,) = re.findall(r'grep -x "([^"]+)" README.md', ci)
    assert [line for line in README.splitlines() if re.fullmatch(pattern, line)] == [first]
    assert second == "tests/run"
    assert re.search(r"^phase .* tests/run$", ci, re.MULTILINE)


def test_the_readme_shows_commands() -> None:
    assert len(codex_commands()) >= 6


@pytest.mark.parametrize("command", codex_commands())
def test_a_command_of_the_readme_is_one_the_command_line_knows(command: str) -> None:
    assert not parse(COMMANDS, shlex.split(command)[1:]).chain[-1].later


def programs() -> list[str]:
    return blocks((ROOT / "kernel/README.md").read_text("utf-8"), "python")


def test_the_kernels_readme_shows_the_agent_as_a_library_and_from_outside() -> None:
    assert ["codex_client" in program for program in programs()] == [False, True]


@pytest.mark.parametrize("program", programs(), ids=["library", "client"])
def test_a_program_of_the_kernels_readme_runs_a_turn_from_outside_the_tree(
    tmp_path: Path, program: str, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lambda: end_servers(os.environ["CODEX_HOME"]))
    work, script = tmp_path / "work", tmp_path / "program.py"
    work.mkdir()
    for name in ("one.txt", "two.txt", "three.txt"):
        (work / name).write_text("a line\n", encoding="utf-8")
    script.write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-P", str(script)], cwd=work, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "`work` holds 3 files" in done.stdout
