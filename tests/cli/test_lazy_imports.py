from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.model_server import ModelServer
from tests.support.replies import calls, says

PROGRAM = """
import json, sys
before = set(sys.modules)
from codex_cli.main import main
code = main(sys.argv[1:])
print("\\n" + json.dumps({"code": code, "modules": sorted(set(sys.modules) - before)}))
"""
WEB = {
    "panel",
    "bokeh",
    "tornado",
    "zmq",
    "jupyter_client",
    "jupyter_core",
    "traitlets",
    "IPython",
    "param",
    "websockets",
}
SLOW = {"pydantic", "markdown_it", "nh3", "pygments", "rich", "click", "mcp", "numpy", "pandas", "requests", "tomlkit"}
UNNEEDED = {"httpx", "h11", "email", "http", "typing_extensions", "ssl", "inspect", "shutil", "json", "platform"}
"""What a turn without commands, over plain HTTP, does without; each costs 2 to 45 ms."""


def modules_of(arguments: list[str], scratch: Path) -> set[str]:
    """Modules loaded by a run of `codex` in a fresh process that ends with 0."""
    (scratch / "home").mkdir(exist_ok=True)
    env = {"PATH": os.environ["PATH"], "HOME": str(scratch), "CODEX_HOME": str(scratch / "home")}
    command = [sys.executable, "-P", "-c", PROGRAM, *arguments]
    done = subprocess.run(
        command, cwd=scratch, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["code"] == 0, done.stderr
    return set(told["modules"])


def packages(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["exec", "--help"]])
def test_version_and_help_load_the_parser_and_nothing_else(arguments: list[str], tmp_path: Path) -> None:
    foreign = packages(modules_of(arguments, tmp_path)) - set(sys.stdlib_module_names)
    assert foreign <= {"codex_cli", "codex_protocol"}


def test_exec_loads_nothing_of_the_web_and_nothing_slow(tmp_path: Path) -> None:
    with ModelServer([calls("exec_command", {"cmd": "true"}), says("done")]) as server:
        provider = f'{{name="s", base_url="{server.url}", wire_api="responses"}}'
        settings = ["-c", f"model_providers.s={provider}", "-c", 'model_provider="s"', "-m", "gpt-5.5"]
        unconfined = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
        loaded = packages(modules_of(["exec", *settings, *unconfined, "go"], tmp_path))
    assert loaded & (WEB | SLOW) == set()
    assert loaded & {"codex_app", "codex_client"} == set()


def test_no_front_end_is_loaded_but_the_one_that_runs(tmp_path: Path) -> None:
    with ModelServer([says("tried what the sandbox can do"), says("done")]) as server:
        provider = f'{{name="s", base_url="{server.url}", wire_api="responses"}}'
        settings = ["-c", f"model_providers.s={provider}", "-c", 'model_provider="s"']
        modules_of(["exec", *settings, "--skip-git-repo-check", "go"], tmp_path)
        modules = modules_of(["exec", *settings, "--skip-git-repo-check", "go"], tmp_path)
    front_ends = {module.split(".")[1] for module in modules if module.startswith("codex_kernel.")}
    assert front_ends & {"exec", "proto", "jupyter", "mcp_server"} == {"exec"}
    assert packages(modules) & UNNEEDED == set()
    assert modules & {"codex_kernel.policy.command_summary", "codex_kernel.sandbox.helper"} == set()
