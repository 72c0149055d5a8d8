"""Every escape case, as root and as an ordinary user; the playing is done once per user by `runner.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from tests.kernel.sandbox.escapes.case import Case
from tests.kernel.sandbox.escapes.cases.environment import SECRET_VARIABLES
from tests.kernel.sandbox.escapes.catalogue import CATEGORIES, all_cases
from tests.kernel.sandbox.escapes.runner import RUNG_2, sets_for
from tests.support.ordinary_user import as_user, private_home, readable_copy, why_not

_RUNNER = "tests.kernel.sandbox.escapes.runner"
_LIMIT_S = 900
"""For all cases of one user: minutes on a busy machine. Fixtures are not under the limit of a test."""


def _played(argv: list[str], env: dict[str, str], cwd: str) -> dict[tuple[str, str], dict[str, Any]]:
    done = subprocess.run(
        argv,
        env=env | SECRET_VARIABLES,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
        start_new_session=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {(line["category"], line["case"]): line for line in lines}


def _results(user: str) -> dict[tuple[str, str], dict[str, Any]]:
    """What happened in every case under every set of layers."""
    if user == ("root" if os.geteuid() == 0 else "user"):
        return _played([sys.executable, "-m", _RUNNER], dict(os.environ), os.getcwd())
    with readable_copy("tests/kernel/sandbox/escapes") as copy, private_home() as home:
        return _played(*as_user(copy, home, "-m", _RUNNER), cwd="/")


@pytest.fixture(scope="module")
def played_by_root() -> dict[tuple[str, str], dict[str, Any]]:
    return _results("root")


@pytest.fixture(scope="module")
def played_by_user() -> dict[tuple[str, str], dict[str, Any]]:
    return _results("user")


@pytest.fixture
def played(request: pytest.FixtureRequest, user: str, case: Case) -> dict[tuple[str, str], dict[str, Any]]:
    """Played once for all cases of a user, also where that fails."""
    if (user == "root") != (os.geteuid() == 0) and (reason := why_not()) is not None:
        pytest.skip(reason)
    if (reason := case.not_here()) is not None:
        pytest.skip(reason)
    return request.getfixturevalue(f"played_by_{user}")


def _cases() -> list[Any]:
    found: list[Any] = []
    for category, case in all_cases():
        for user in ("root", "user"):
            if case.root in (None, user == "root"):
                found.append(pytest.param(user, category, case, id=f"{user}-{category}-{case.name}"))
    return found


@pytest.mark.parametrize(("user", "category", "case"), _cases())
def test_what_is_forbidden_is_stopped(
    played: dict[tuple[str, str], dict[str, Any]], user: str, category: str, case: Case
) -> None:
    result = played[category, case.name]
    named = case.by_root if user == "root" and case.by_root is not None else case.by
    expected = dict.fromkeys(sets_for(case, root=user == "root"), False)
    expected["control"] = True  # it does happen without a sandbox: the case proves something
    if "B" not in named:
        rest = "".join(letter for letter in "NLS" if letter not in named)
        expected[rest] = True  # nobody but those named stops it
    if RUNG_2 in expected:
        expected[RUNG_2] = case.told_on_rung_2
    assert result["found"] == expected, result["said"]


def test_every_category_has_eight_cases() -> None:
    counted = Counter(category for category, _ in all_cases())
    assert all(counted[category] >= 8 for category in CATEGORIES), counted
    names = [case.name for _, case in all_cases()]
    assert len(names) == len(set(names))


def test_what_one_layer_alone_stops_is_known() -> None:
    """A change that makes one layer weaker must not take the last one away unnoticed: this is the list."""
    alone = Counter(case.by for _, case in all_cases() if len(case.by) == 1)
    assert set(alone) == {"N", "L", "S", "B"}
