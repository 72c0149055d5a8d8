from __future__ import annotations

import site
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGES = [ROOT / name for name in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]


@dataclass(frozen=True)
class Built:
    wheel: Path
    sdist: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The sdist of this tree, and the wheel made from that sdist."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-P", "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, cwd=out, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Built(wheel=next(out.glob("*.whl")), sdist=next(out.glob("*.tar.gz")))


def package_files() -> set[str]:
    """Files of every package, relative to its source root."""
    return {
        path.relative_to(package.parent).as_posix()
        for package in PACKAGES
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }


def test_every_package_of_the_source_roots_is_in_the_wheel_list() -> None:
    found = {path.parent for root in ("kernel", "app") for path in (ROOT / root).glob("*/__init__.py")}
    assert found == set(PACKAGES)


def test_wheel_carries_every_file_of_every_package_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == package_files()


def test_sdist_carries_sources_documents_and_tests_but_nothing_installed(built: Built) -> None:
    with tarfile.open(built.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    sources = {path.relative_to(ROOT).as_posix() for package in PACKAGES for path in package.rglob("*.py")}
    assert sources <= names
    assert {"README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", "pyproject.toml", "tests/run"} <= names
    assert [name for name in names if "node_modules" in name or ".venv" in name or "__pycache__" in name] == []


def test_the_installed_wheel_runs_from_an_environment_of_its_own(built: Built, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    install = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "install"]
    quiet = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run([*install, *quiet, str(built.wheel)], check=True, stdin=subprocess.DEVNULL)
    # Dependencies are lent by the environment of the tests: tests install nothing from outside.
    library = next(environment.glob("lib/python3*/site-packages"))
    (library / "lent.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    run = subprocess.run(
        [environment / "bin" / "codex", "--version"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert built.wheel.name.split("-")[1] in run.stdout
    where = [environment / "bin" / "python", "-P", "-c", "import codex_kernel; print(codex_kernel.__file__)"]
    assert str(library) in subprocess.run(where, capture_output=True, text=True, check=True).stdout
