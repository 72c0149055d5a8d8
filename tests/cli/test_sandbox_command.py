from pathlib import Path
from typing import Any

import pytest

from codex_cli.main import main
from codex_protocol.policy import SandboxMode, WorkspaceWrite, mode_of


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What reaches the function behind the command, which itself is the sandbox's."""
    seen: list[dict[str, Any]] = []

    def run_sandboxed(argv: object, **options: Any) -> int:
        seen.append({"argv": list(argv), **options})  # pyright: ignore
        return 7

    monkeypatch.setattr("codex_kernel.sandbox.command.run_sandboxed", run_sandboxed)
    return seen


def test_the_command_keeps_its_own_options_and_its_code_comes_back(handed_over: list[dict[str, Any]], tmp_path: Path):
    assert main(["sandbox", "-C", str(tmp_path), "make", "-C", "sub", "--explain", "--"]) == 7
    assert handed_over[0]["argv"] == ["make", "-C", "sub", "--explain", "--"]
    assert handed_over[0]["config"].cwd == tmp_path
    assert handed_over[0]["explain"] is False


def test_roots_and_network_of_the_line_reach_the_policy(handed_over: list[dict[str, Any]], tmp_path: Path):
    main(["sandbox", "-s", "workspace-write", "--add-dir", str(tmp_path), "--network", "ls"])
    policy = handed_over[0]["config"].sandbox_policy
    assert policy == WorkspaceWrite(writable_roots=(str(tmp_path),), network_access=True)


@pytest.mark.parametrize(
    ("arguments", "mode"),
    [
        (["sandbox", "--full-auto", "ls"], SandboxMode.WORKSPACE_WRITE),
        (["sandbox", "-s", "danger-full-access", "ls"], SandboxMode.DANGER_FULL_ACCESS),
        (["sandbox", "-c", "sandbox_mode=workspace-write", "ls"], SandboxMode.WORKSPACE_WRITE),
        (["debug", "landlock", "-c", "sandbox_mode=workspace-write", "ls"], SandboxMode.READ_ONLY),
        (["debug", "landlock", "--full-auto", "ls"], SandboxMode.WORKSPACE_WRITE),
    ],
)
def test_the_mode_is_the_lines_or_the_settings(
    handed_over: list[dict[str, Any]], arguments: list[str], mode: SandboxMode
):
    main(arguments)
    assert mode_of(handed_over[0]["config"].sandbox_policy) is mode


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["sandbox"], 2),
        (["sandbox", "--full-auto", "-s", "read-only", "ls"], 2),
        (["sandbox", "-C", "/no/such/place", "ls"], 1),
        (["debug", "seatbelt", "ls"], 1),
    ],
)
def test_what_cannot_work_is_not_handed_over(
    handed_over: list[dict[str, Any]],
    arguments: list[str],
    code: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("sys.platform", "linux")
    assert main(arguments) == code
    assert handed_over == []
    assert capsys.readouterr().err.lower().startswith("error: ")
