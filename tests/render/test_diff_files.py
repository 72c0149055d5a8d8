from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_protocol.file_changes import AddedFile, DeletedFile, FileChange, UpdatedFile
from codex_render.diff_files import FileDiff, Hunk, of_changes, parse_diff, side_by_side
from codex_render.diff_rows import DiffRow

LINES = (
    "diff --git a/x b/x|--- a/x|+++ b/x|@@ -1,2 +1,3 @@|@@ -0,0 +1 @@|+a|-b| c|\\ No||new file mode 100644|"
    "deleted file mode 1|rename from x|rename to y|Binary files a and b differ"
)


def brief(file: FileDiff) -> tuple[str, str | None, str, int, int, str]:
    return (file.path, file.old_path, file.status, file.added, file.removed, file.note)


def git(*args: str, cwd: Path) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *args], cwd=cwd, capture_output=True, check=True
    )
    return done.stdout.decode()


def test_a_diff_of_gits_tells_what_happened_to_each_file(tmp_path: Path) -> None:
    git("init", "-q", cwd=tmp_path)
    (tmp_path / "changed.txt").write_text("".join(f"line {n}\n" for n in range(100)))
    (tmp_path / "gone.txt").write_text("-- a\n")
    (tmp_path / "moved.txt").write_text("".join(f"row {n}\n" for n in range(50)))
    (tmp_path / "same.txt").write_text("x\n")
    (tmp_path / "bytes.bin").write_bytes(b"\0\1")
    git("add", ".", cwd=tmp_path)
    git("commit", "-qm", "one", cwd=tmp_path)
    lines = (tmp_path / "changed.txt").read_text().splitlines()
    lines[10], lines[60] = "-- looks like a header", "++ so does this"
    (tmp_path / "changed.txt").write_text("\n".join(lines))
    (tmp_path / "gone.txt").unlink()
    (tmp_path / "moved.txt").rename(tmp_path / "där b.txt")
    (tmp_path / "same.txt").chmod(0o755)
    (tmp_path / "bytes.bin").write_bytes(b"\0\2")
    (tmp_path / "new\tfile.txt").write_text("one\ntwo\n")
    (tmp_path / "empty.txt").write_text("")
    git("add", ".", cwd=tmp_path)
    files = parse_diff(git("diff", "--cached", "-M", cwd=tmp_path))
    assert {brief(file) for file in files} == {
        ("changed.txt", None, "modified", 3, 3, ""),
        ("gone.txt", None, "deleted", 0, 1, ""),
        ("där b.txt", "moved.txt", "renamed", 0, 0, ""),
        ("same.txt", None, "modified", 0, 0, "mode 100755"),
        ("bytes.bin", None, "modified", 0, 0, "binary file"),
        ("new\tfile.txt", None, "added", 2, 0, ""),
        ("empty.txt", None, "added", 0, 0, "empty file"),
    }
    changed = next(file for file in files if file.path == "changed.txt")
    assert [hunk.skipped for hunk in changed.hunks] == [7, 43, 32]
    assert [(row.old, row.new, row.text) for row in changed.hunks[0].rows if row.kind != "context"] == [
        (11, None, "line 10"),
        (None, 11, "-- looks like a header"),
    ]
    assert changed.hunks[2].rows[-1].text == "No newline at end of file"


def test_a_plain_diff_needs_no_header_of_gits() -> None:
    text = (
        "--- a.txt\t2026-01-01\n+++ a.txt\t2026-01-02\n@@ -1 +1 @@\n-x\n+y\n--- b.txt\n+++ b.txt\n@@ -0,0 +1 @@\n+z\n"
    )
    assert [brief(file) for file in parse_diff(text)] == [
        ("a.txt", None, "modified", 1, 1, ""),
        ("b.txt", None, "modified", 1, 0, ""),
    ]


def test_the_changes_of_a_patch_are_files() -> None:
    files = of_changes(
        {
            Path("/w/b.txt"): FileChange(add=AddedFile("one\ntwo\n")),
            Path("/w/a.txt"): FileChange(delete=DeletedFile("one\n")),
            Path("/w/c.txt"): FileChange(update=UpdatedFile("@@ -1,2 +1,2 @@ def f\n x\n-y\n+z\n", "/w/d.txt")),
            Path("/w/e.txt"): FileChange(add=AddedFile("")),
        }
    )
    assert [brief(file) for file in files] == [
        ("/w/a.txt", None, "deleted", 0, 1, ""),
        ("/w/b.txt", None, "added", 2, 0, ""),
        ("/w/d.txt", "/w/c.txt", "renamed", 1, 1, ""),
        ("/w/e.txt", None, "added", 0, 0, "empty file"),
    ]
    assert files[2].hunks[0].heading == "def f"


def test_both_sides_stand_opposite_each_other() -> None:
    rows = [
        DiffRow("context", 1, 1, "a"),
        DiffRow("removed", 2, None, "b"),
        DiffRow("removed", 3, None, "c"),
        DiffRow("added", None, 2, "B"),
        DiffRow("context", 4, 3, "d"),
    ]
    pairs = [(old and old.text, new and new.text) for old, new in side_by_side(Hunk(rows, 0, ""))]
    assert pairs == [("a", "a"), ("b", "B"), ("c", None), ("d", "d")]


@pytest.mark.parametrize(
    "text", ["", "\n", "hello\n", "@@ -1 +1 @@\n", "diff --git \n", "--- a\n+++ b\n", "--- a\n@@ x"]
)
def test_what_is_no_diff_is_no_error(text: str) -> None:
    parse_diff(text)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(LINES.split("|")),
        max_size=40,
    )
)
def test_any_lines_are_read_and_no_changed_line_is_counted_twice(lines: list[str]) -> None:
    files = parse_diff("\n".join(lines))
    assert sum(file.added for file in files) <= sum(line.startswith("+") for line in lines)
    assert sum(file.removed for file in files) <= sum(line.startswith("-") for line in lines)
