"""The tests of confinement and of what works inside, run once more by a user without any privilege."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ordinary_user import compile_all

pytestmark = pytest.mark.needs_root

ROOT = Path(__file__).parents[3]
NOBODY = 65534
DISTRIBUTIONS = (
    "pytest",
    "pytest-asyncio",
    "pytest-xdist",
    "execnet",
    "pluggy",
    "iniconfig",
    "packaging",
    "pygments",
    "typing-extensions",
    "msgspec",
)


def fits() -> bool:
    """Whether /usr/bin/python3 is of our version; the interpreter of the tests may lie where only root can read."""
    try:
        said = subprocess.run(["/usr/bin/python3", "-V"], capture_output=True, text=True, check=True).stdout
    except OSError:
        return False
    return said.split()[1].rsplit(".", 1)[0] == f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    """The sources, tests and test tools where everybody can read them."""
    folder = Path(tempfile.mkdtemp(prefix="cdxu", dir="/var/tmp"))
    for name in ("codex_protocol", "codex_kernel", "codex_store"):
        shutil.copytree(ROOT / "kernel" / name, folder / "kernel" / name)
    for name in ("tests/support", "tests/kernel/sandbox"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "tests")
    for name in DISTRIBUTIONS:
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                target = folder / "lib" / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(str(distribution.locate_file(file))), target)
    compile_all(folder)
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(not fits(), reason="the system's Python cannot load the compiled packages of this one")
@pytest.mark.parametrize(
    "module",
    [
        "test_confinement",
        "test_works_inside",
        "test_usability",
        "test_launching",
        "test_lifetimes",
        "test_limits",
        "test_access",
        "test_denial",
    ],
)
def test_an_ordinary_user_has_the_same_sandbox(copy: Path, module: str) -> None:
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    pytest_ = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/kernel/sandbox/{module}.py"]
    scratch = Path(tempfile.mkdtemp(prefix="cdxu", dir="/var/tmp"))
    os.chown(scratch, NOBODY, NOBODY)
    env = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(scratch),
        "PYTHONPATH": f"{copy}/kernel:{copy}/lib",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        done = subprocess.run(
            [*user, *pytest_], cwd=copy, env=env, capture_output=True, text=True, timeout=300, check=False
        )
    finally:
        shutil.rmtree(scratch)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[:1500]
