"""What people meet on each rung: a machine made poorer by real means, and `codex exec` on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.model_server import ModelServer
from tests.support.our_command import OurCommand
from tests.support.replies import calls, says
from tests.support.sandboxes import Site, shell

ROOT = Path(__file__).parents[3]
OUTSIDE = Path(f"/var/tmp/codex-must-not-be-{os.getpid()}")

_ASK = """
import json, sys
from pathlib import Path
from codex_kernel.sandbox import ladder
rung = ladder.find_rung(Path(sys.argv[1]))
print(json.dumps({"number": rung.number, "reasons": rung.reasons}))
"""


def test_user_namespaces_that_are_used_up_are_noticed_by_the_first_command(site: Site) -> None:
    """The limit is set in a throw-away user namespace, so that the machine's own stays."""
    script = 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"'
    argv = ["unshare", "-Ur", "sh", "-c", script, "sh", sys.executable, "-c", _ASK, str(site.runtime)]
    path = os.pathsep.join([str(ROOT / "kernel"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(argv, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["number"] == 3
    assert any("No space left on device" in reason for reason in found["reasons"])


async def test_on_rung_2_a_linked_git_that_was_replaced_is_told(site: Site) -> None:
    store = site.workspace / "store"
    (store / "hooks").mkdir(parents=True)
    (store / "HEAD").write_text("ref: refs/heads/main\n")
    (site.workspace / ".git").symlink_to("store")
    sandbox = site.sandbox(lowest_rung=2)
    harmless = await shell(sandbox, site, "echo x >file")
    assert harmless.exit.warning is None
    result = await shell(sandbox, site, "rm .git; mkdir -p .git/hooks; echo evil >.git/config")
    assert result.exit.warning is not None
    assert str(site.workspace / ".git") in result.exit.warning
    await sandbox.aclose()


@pytest.fixture
def server() -> Iterator[ModelServer]:
    script = f"touch inside; touch {OUTSIDE}; echo ran"
    with ModelServer([calls("exec_command", {"cmd": script}), says("done")]) as running:
        yield running


def told_to_the_model(server: ModelServer) -> str:
    return str(next(iter(server.requests[-1].outputs().values())))


@pytest.mark.parametrize("rung", [1, 2, 3])
def test_exec_runs_commands_down_to_rung_3(codex: OurCommand, server: ModelServer, rung: int) -> None:
    env = {"CODEX_SANDBOX_LOWEST_RUNG": str(rung)}
    done = codex.exec("-s", "workspace-write", "do it", env=env)
    assert (codex.work / "inside").exists()
    assert not OUTSIDE.exists()
    assert "ran" in told_to_the_model(server)
    assert f"rung {rung} of 5" in done.stderr


def test_exec_notes_rung_3_and_goes_on(codex: OurCommand) -> None:
    done = codex.exec("-s", "workspace-write", "do it", env={"CODEX_SANDBOX_LOWEST_RUNG": "3"})
    assert done.stderr.count("Landlock and seccomp only") == 1
    assert done.stdout == "done\n"


@pytest.mark.parametrize("rung", [4, 5])
def test_exec_refuses_commands_below_and_the_model_is_told_why(
    codex: OurCommand, server: ModelServer, rung: int
) -> None:
    done = codex.exec("-s", "workspace-write", "do it", env={"CODEX_SANDBOX_LOWEST_RUNG": str(rung)})
    assert not (codex.work / "inside").exists()
    assert f"rung {rung}" in told_to_the_model(server)
    assert f"rung {rung} of 5" in done.stderr
    assert done.stdout == "done\n"


def test_exec_runs_with_full_access_on_the_lowest_rung(codex: OurCommand) -> None:
    codex.exec("-s", "danger-full-access", "do it", env={"CODEX_SANDBOX_LOWEST_RUNG": "5"})
    assert (codex.work / "inside").exists()
    OUTSIDE.unlink()
