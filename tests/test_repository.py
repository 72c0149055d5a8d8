from __future__ import annotations

import ast
import json
import os
import pwd
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE_ROOTS = ("kernel", "app")


def tracked_files() -> list[Path]:
    """Every file that would be committed; from a tree without git, every file that is not generated."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]
    generated = {".venv", ".venv-test", "node_modules", "__pycache__"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not generated & set(path.parts)]


def source_files() -> list[Path]:
    return [
        path for path in tracked_files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in SOURCE_ROOTS
    ]


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


def test_imports_go_one_way() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    done = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_says_its_subject_in_its_first_line() -> None:
    silent = [path for path in source_files() if not (ast.get_docstring(ast.parse(text_of(path))) or "").strip()]
    assert silent == []


def test_every_package_is_typed() -> None:
    packages = {path.relative_to(ROOT).parts[:2] for path in source_files()}
    assert [package for package in packages if not ROOT.joinpath(*package, "py.typed").is_file()] == []


def test_no_file_is_a_drawer_and_none_is_unfinished() -> None:
    assert [path for path in source_files() if path.stem in {"utils", "util", "helpers", "misc", "common"}] == []
    marks = re.compile(r"#\s*(TODO|FIXME|XXX|HACK)\b")
    assert [path for path in source_files() if marks.search(text_of(path))] == []


def test_no_file_names_a_path_of_the_machine_it_was_made_on() -> None:
    own_home = next((user.pw_dir for user in pwd.getpwall() if user.pw_uid == os.getuid()), "")
    here = [str(ROOT) + "/"] if len(ROOT.parts) > 2 else []
    here += [own_home + "/"] if own_home.startswith(("/home/", "/Users/")) else []
    named = [path for path in tracked_files() for place in here if place.encode() in path.read_bytes()]
    assert named == []


def test_every_relative_link_of_a_document_leads_somewhere() -> None:
    broken: list[str] = []
    for document in (path for path in tracked_files() if path.suffix == ".md" and "codex_" not in str(path)):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text_of(document)):
            if "://" not in target and not target.startswith("mailto:") and not (document.parent / target).exists():
                broken.append(f"{document.relative_to(ROOT)}: {target}")
    assert broken == []


def test_the_npm_lock_pins_contents_and_names_no_host() -> None:
    lock = json.loads(text_of(ROOT / "tests/package-lock.json"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert [name for name, package in packages.items() if "integrity" not in package] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []


@pytest.mark.parametrize("script", ["tests/run", ".ci/run"])
def test_a_script_is_executable_and_parses(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    assert subprocess.run(["bash", "-n", script], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("root", SOURCE_ROOTS)
def test_every_source_root_has_a_readme(root: str) -> None:
    assert text_of(ROOT / root / "README.md").startswith("# ")
