from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
CASES = """
import os, pytest

@pytest.mark.needs_root
def test_as_root(): assert os.geteuid() == 0

def test_left_out(): pytest.skip("no such device")

def test_home(): assert not os.environ["CODEX_HOME"].startswith("/outer") and "OPENAI_API_KEY" not in os.environ
"""


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = needs_root\n", encoding="utf-8")
    (tmp_path / "test_cases.py").write_text(CASES, encoding="utf-8")
    return tmp_path


def run(cases: Path, *, uid: int, ci: str, limit: str = "60") -> subprocess.CompletedProcess[str]:
    plugins = ["-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin"]  # all there are take seconds to import
    program = f"import os, sys, pytest; os.geteuid = lambda: {uid}; sys.exit(pytest.main({plugins}))"
    env = {**os.environ, "CI": ci, "CODEX_HOME": "/outer", "OPENAI_API_KEY": "a key", "TEST_LIMIT_S": limit}
    env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(CONFTEST.parents[1])}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=cases, env=env, capture_output=True, text=True, check=False
    )


def test_cases_that_need_root_are_listed_as_not_run_for_an_ordinary_user(cases: Path) -> None:
    done = run(cases, uid=1000, ci="")
    assert done.returncode == 0
    assert "NOT RUN: 2" in done.stdout
    assert "test_cases.py::test_as_root: needs root" in done.stdout
    assert "test_cases.py::test_left_out: no such device" in done.stdout


def test_cases_that_need_root_fail_for_an_ordinary_user_in_ci(cases: Path) -> None:
    done = run(cases, uid=1000, ci="true")
    assert done.returncode == 1
    assert "1 passed, 1 skipped, 1 error" in done.stdout


def test_cases_that_need_root_run_as_root(cases: Path) -> None:
    done = run(cases, uid=0, ci="true")
    assert "2 passed, 1 skipped" in done.stdout


@pytest.mark.parametrize(
    "hang", ["def test_hang(): threading.Event().wait()", "async def test_hang(): await asyncio.Event().wait()"]
)
def test_a_hanging_test_fails_and_the_others_still_run(cases: Path, hang: str) -> None:
    (cases / "test_hanging.py").write_text(f"import asyncio, threading\n{hang}\n", encoding="utf-8")
    (cases / "pytest.ini").write_text("[pytest]\nmarkers = needs_root\nasyncio_mode = auto\n", encoding="utf-8")
    (cases / "test_later.py").write_text("def test_later(): pass\n", encoding="utf-8")
    done = run(cases, uid=0, ci="", limit="0.3")
    assert "still running after 0.3 s" in done.stdout
    assert "1 failed, 3 passed, 1 skipped" in done.stdout
