"""Programs of ours run by a user without privileges, from a copy that everybody can read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOBODY = 65534
_SYSTEM_PYTHON = "/usr/bin/python3"


def why_not() -> str | None:
    """Why nothing can be run as another user here; None when it can."""
    if os.geteuid() != 0:
        return "only root can become another user"
    said = subprocess.run([_SYSTEM_PYTHON, "-V"], capture_output=True, text=True, check=False).stdout.split()
    if len(said) < 2 or said[1].rsplit(".", 1)[0] != f"{sys.version_info.major}.{sys.version_info.minor}":
        return "the system's Python cannot load the compiled packages of this one"
    return None


@contextmanager
def readable_copy(*tests: str) -> Iterator[Path]:
    """The agent, msgspec and some folders of tests; what to put into `PYTHONPATH`."""
    import msgspec

    folder = Path(tempfile.mkdtemp(prefix="cdxu", dir="/var/tmp"))
    try:
        for name in ("codex_protocol", "codex_kernel", "codex_store"):
            shutil.copytree(ROOT / "kernel" / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(Path(msgspec.__file__).parent, folder / "msgspec")
        for name in tests:
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        compile_all(folder)
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        yield folder
    finally:
        shutil.rmtree(folder)


def compile_all(folder: Path) -> None:
    """Have the system's Python compile once what its many short runs import, and may not write."""
    subprocess.run([_SYSTEM_PYTHON, "-m", "compileall", "-q", folder], check=True)


@contextmanager
def private_home() -> Iterator[Path]:
    """A directory only the ordinary user can look into."""
    home = Path(tempfile.mkdtemp(prefix="cdxh", dir="/var/tmp"))
    os.chown(home, NOBODY, NOBODY)
    try:
        yield home
    finally:
        shutil.rmtree(home)


def as_user(copy: Path, home: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of the system's Python under the ordinary user."""
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    return [*user, _SYSTEM_PYTHON, *arguments], env
