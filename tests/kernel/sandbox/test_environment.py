from __future__ import annotations

import pytest

from codex_kernel.config.types import ShellEnvironmentPolicy
from codex_kernel.sandbox.environment import command_environment, model_environment, sandbox_variables
from codex_protocol.policy import DangerFullAccess, ReadOnly, WorkspaceWrite


def policy(**changes: object) -> ShellEnvironmentPolicy:
    return ShellEnvironmentPolicy(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "chosen", "kept"),
    [
        ("PATH HOME API_KEY SECRET_TOKEN", policy(), "PATH HOME"),
        ("PATH my_secret OpenAi_Api_Key token", policy(), "PATH"),
        ("PATH API_KEY", policy(ignore_default_excludes=True), "PATH API_KEY"),
        ("PATH FOO", policy(ignore_default_excludes=True, include_only=("*PATH",)), "PATH"),
        ("PATH", policy(ignore_default_excludes=True, set={"NEW_VAR": "42"}), "PATH NEW_VAR"),
        ("PATH HOME", policy(inherit="none", ignore_default_excludes=True, set={"ONLY_VAR": "yes"}), "ONLY_VAR"),
        ("PATH HOME LANG TMP path", policy(inherit="core"), "PATH HOME TMP"),
        ("AWS_A AWS_B PATH", policy(exclude=("aws_?",)), "PATH"),
        ("A AB ABC", policy(exclude=("A?",)), "A ABC"),
        ("A PATH", policy(set={"MY_KEY": "x"}), "A PATH MY_KEY"),
        ("A B", policy(set={"C": "1"}, include_only=("a",)), "A"),
        ("A[B AB", policy(exclude=("A[B",)), "AB"),
        ("A.B AxB", policy(exclude=("A.B",)), "AxB"),
        ("XPATH PATHX", policy(include_only=("PATH",)), ""),
    ],
)
def test_variables_pass_the_policys_steps_in_order(given: str, chosen: ShellEnvironmentPolicy, kept: str) -> None:
    assert set(command_environment(chosen, dict.fromkeys(given.split(), "v"))) == set(kept.split())


def test_set_wins_over_what_is_inherited() -> None:
    assert command_environment(policy(set={"A": "new"}), {"A": "old"}) == {"A": "new"}


def test_a_models_command_is_kept_from_pagers_and_colours_unless_the_settings_ask_for_them() -> None:
    given = {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "FORCE_COLOR": "1",
        "PAGER": "less",
        "MANPAGER": "less",
    }
    plain = {"TERM": "dumb", "NO_COLOR": "1", "PAGER": "cat", "GIT_PAGER": "cat", "GH_PAGER": "cat"}
    assert model_environment(policy(), given) == plain
    asked = {"TERM": "xterm", "FORCE_COLOR": "3", "PAGER": "more"}
    assert model_environment(policy(set=asked), given) == plain | asked


@pytest.mark.parametrize(
    ("given", "disabled"),
    [
        (ReadOnly(), True),
        (WorkspaceWrite(), True),
        (WorkspaceWrite(network_access=True), False),
        (DangerFullAccess(), False),
    ],
)
def test_commands_are_told_when_the_network_is_off(given, disabled: bool) -> None:
    assert ("CODEX_SANDBOX_NETWORK_DISABLED" in sandbox_variables(given)) is disabled
    assert sandbox_variables(given, seatbelt=True)["CODEX_SANDBOX"] == "seatbelt"
