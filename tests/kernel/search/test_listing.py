from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from codex_kernel.search.candidates import Cancelled
from codex_kernel.search.listing import of_names, walk


def never() -> bool:
    return False


def make(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("")


def test_everything_but_git_is_listed_outside_a_repository(tmp_path: Path) -> None:
    make(tmp_path, "a/b.txt", ".env", ".github/ci.yml", "x.log")
    (tmp_path / ".gitignore").write_text("*.log\n")
    (tmp_path / ".git").mkdir()  # empty: no repository
    listing = walk(tmp_path, never)
    assert sorted(listing.files) == [".env", ".github/ci.yml", ".gitignore", "a/b.txt", "x.log"]
    assert sorted(listing.directories) == [".github", "a"]


def test_ignore_files_count_from_the_top_of_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".git" / "info").mkdir(parents=True)
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / ".git" / "info" / "exclude").write_text("excluded\n")
    make(tmp_path, "sub/in/a.log", "sub/in/keep.log", "sub/build/x", "sub/other/build", "sub/excluded", "sub/in/b.txt")
    (tmp_path / ".gitignore").write_text("*.log\n/sub/build/\n")
    (tmp_path / "sub" / "in" / ".gitignore").write_text("!keep.log\n")
    listing = walk(tmp_path / "sub", never)
    assert sorted(listing.files) == ["in/.gitignore", "in/b.txt", "in/keep.log", "other/build"]
    assert sorted(listing.directories) == ["in", "other"]


def test_dot_ignore_counts_everywhere_and_wins(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "b.txt", "vendor/c.txt", "d/vendor/e.txt")
    (tmp_path / ".ignore").write_text("vendor/\na.txt\n")
    assert sorted(walk(tmp_path, never).files) == [".ignore", "b.txt"]
    names = ["a.txt", "b.txt", "vendor/c.txt", "d/vendor/e.txt", ".ignore"]
    listing = of_names(tmp_path, names)
    assert listing.files == [".ignore", "b.txt"]
    assert listing.directories == ["d"]


def test_links_are_not_followed_and_odd_names_are_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "d/file\nname.txt", "ü.txt")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "dead").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt"))).write_text("")
    assert sorted(walk(tmp_path, never).files) == ["d/file\nname.txt", "dead", "loop", "pipe", "ü.txt"]
    assert of_names(tmp_path, ["a", "\udcff.txt", "", "sub/"]).files == ["a"]


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    assert walk(tmp_path / "missing", never) == ([], [])
    (tmp_path / "file").write_text("")
    assert walk(tmp_path / "file", never) == ([], [])


def test_a_walk_can_be_stopped(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        walk(tmp_path, lambda: True)


def test_a_walk_finds_what_git_lists(tmp_path: Path) -> None:
    make(tmp_path, "a/x.py", "a/y.pyc", "b/target/z", "b/c/.hidden", "top", "b/c/d/e.pyc", "b/c/d/f")
    (tmp_path / ".gitignore").write_text("*.pyc\ntarget/\n")
    (tmp_path / "b" / "c" / ".gitignore").write_text("!d/e.pyc\n/f\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    asked = subprocess.run(
        ["git", "ls-files", "-z", "--others", "--exclude-standard"], cwd=tmp_path, capture_output=True, check=True
    )
    names = asked.stdout.decode().split("\0")
    walked = walk(tmp_path, never)
    assert sorted(walked.files) == of_names(tmp_path, names).files
    assert sorted(walked.directories) == of_names(tmp_path, names).directories
