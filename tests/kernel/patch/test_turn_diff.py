import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_kernel.patch import turn_diff
from codex_kernel.patch.apply import apply
from codex_kernel.patch.parse import AddFile, DeleteFile, Patch
from codex_kernel.patch.turn_diff import TurnDiff
from codex_kernel.patch.verify import verify
from codex_protocol.errors import PatchError
from tests.support.patch_making import patch_between

ZERO = "0" * 40


def run(diff: TurnDiff, cwd: Path, *lines: str) -> None:
    verified = verify("\n".join(["*** Begin Patch", *lines, "*** End Patch"]), cwd)
    diff.before(verified)
    apply(verified)


def oid(data: bytes) -> str:
    return subprocess.run(
        ["git", "hash-object", "--stdin"], input=data, capture_output=True, check=True
    ).stdout.decode().strip()  # fmt: skip


def test_nothing_changed_is_no_text(tmp_path: Path) -> None:
    assert TurnDiff(tmp_path).text() == ""


def test_a_file_added_and_then_changed_is_still_new(tmp_path: Path) -> None:
    diff = TurnDiff(tmp_path)
    run(diff, tmp_path, "*** Add File: a.txt", "+foo")
    assert diff.text().endswith("@@ -0,0 +1 @@\n+foo\n")
    run(diff, tmp_path, "*** Update File: a.txt", "@@", " foo", "+bar")
    new = oid(b"foo\nbar\n")
    assert diff.text() == (
        f"diff --git a/a.txt b/a.txt\nnew file mode 100644\nindex {ZERO}..{new}\n"
        "--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1,2 @@\n+foo\n+bar\n"
    )


def test_a_deleted_file_shows_its_content(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("x\n")
    diff = TurnDiff(tmp_path)
    run(diff, tmp_path, "*** Delete File: b.txt")
    old = oid(b"x\n")
    assert diff.text() == (
        f"diff --git a/b.txt b/b.txt\ndeleted file mode 100644\nindex {old}..{ZERO}\n"
        "--- a/b.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    )


def test_a_moved_file_is_compared_with_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "src").write_text("line\n")
    diff = TurnDiff(tmp_path)
    run(diff, tmp_path, "*** Update File: src", "*** Move to: dst", "@@", "-line", "+line2")
    old, new = oid(b"line\n"), oid(b"line2\n")
    assert diff.text() == (
        f"diff --git a/src b/dst\nindex {old}..{new}\n--- a/src\n+++ b/dst\n@@ -1 +1 @@\n-line\n+line2\n"
    )
    run(diff, tmp_path, "*** Update File: dst", "*** Move to: src", "@@", "-line2", "+line")
    assert diff.text() == ""


def test_a_move_alone_is_no_difference(tmp_path: Path) -> None:
    (tmp_path / "src").write_text("line\n")
    diff = TurnDiff(tmp_path)
    run(diff, tmp_path, "*** Update File: src", "*** Move to: dst")
    assert diff.text() == ""


def test_a_file_that_came_and_went_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("x\n")
    diff = TurnDiff(tmp_path)
    run(diff, tmp_path, "*** Add File: a", "+1", "*** Update File: b", "@@", "-x", "+y")
    (tmp_path / "a").unlink()
    assert diff.text().startswith("diff --git a/b b/b\n")


def test_bytes_that_are_not_text_get_a_notice(tmp_path: Path) -> None:
    (tmp_path / "name with spaces").write_bytes(b"\xff\nx\n")
    diff = TurnDiff(tmp_path)
    run(diff, tmp_path, "*** Update File: name with spaces", "@@", "-x", "+y")
    assert diff.text().endswith("--- a/name with spaces\n+++ b/name with spaces\nBinary files differ\n")


def test_links_and_modes_are_told(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a\n")
    (tmp_path / "run").chmod(0o755)
    (tmp_path / "link").symlink_to("run")
    diff = TurnDiff(tmp_path)
    run(diff, tmp_path, "*** Delete File: link", "*** Update File: run", "@@", "-a", "+b")
    (tmp_path / "run").chmod(0o644)
    text = diff.text()
    assert "deleted file mode 120000\n" in text
    assert "-run\n\\ No newline at end of file\n" in text
    assert "old mode 100755\nnew mode 100644\n" in text


def test_names_that_would_break_a_line_are_quoted(tmp_path: Path) -> None:
    diff = TurnDiff(tmp_path)
    run(diff, tmp_path, '*** Add File: a\x1b"b', "+x")
    assert 'diff --git "a/a\\033\\"b" "b/a\\033\\"b"\n' in diff.text()


def test_files_outside_the_base_go_by_their_absolute_path(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    diff = TurnDiff(tmp_path / "in")
    run(diff, tmp_path, "*** Add File: f", "+x")
    assert f"+++ b/{tmp_path}/f\n" in diff.text()


def test_changes_by_commands_count_and_unchanged_files_are_not_compared_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diff = TurnDiff(tmp_path)
    run(diff, tmp_path, "*** Add File: a", "+1", "*** Add File: b", "+1")
    for name in "ab":  # long ago, so that their times can be trusted
        os.utime(tmp_path / name, (1, 1))
    monkeypatch.setattr(turn_diff, "_RACY_NS", 0)
    diff.text()
    compared: list[object] = []
    real = turn_diff.difference
    monkeypatch.setattr(turn_diff, "difference", lambda old, new: compared.append(new) or real(old, new))
    diff.text()
    assert compared == []
    (tmp_path / "b").write_text("1\n2\n")
    assert "+2\n" in diff.text()
    assert len(compared) == 1


def test_a_change_within_the_clocks_grain_is_seen(tmp_path: Path) -> None:
    diff = TurnDiff(tmp_path)
    run(diff, tmp_path, "*** Add File: a", "+1")
    for number in range(30):
        (tmp_path / "a").write_text(f"{number % 10}\n")
        assert f"+{number % 10}\n" in diff.text()


def test_a_patch_that_failed_midway_is_shown_as_far_as_it_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("1\n")
    (tmp_path / "src").write_text("1\n")
    diff = TurnDiff(tmp_path)
    verified = verify(
        "*** Begin Patch\n*** Update File: a\n@@\n-1\n+2\n*** Update File: src\n*** Move to: dst\n*** End Patch",
        tmp_path,
    )
    real = os.replace

    def failing(source: str, target: str, **folders: int) -> None:
        if target == "dst":
            raise OSError(5, "Input/output error")
        real(source, target, **folders)

    monkeypatch.setattr(os, "replace", failing)
    diff.before(verified)
    with pytest.raises(PatchError):
        apply(verified)
    assert "diff --git a/a b/a\n" in diff.text()
    assert "src" not in diff.text()


line = st.sampled_from(["", "a", "b", "c\u2013", "\ufeffd", "\\ No newline", "e\r"])
content = st.builds(
    lambda lines, end: "\n".join(lines) + ("\n" if lines and end else ""), st.lists(line, max_size=8), st.booleans()
)
tree = st.dictionaries(st.sampled_from(["a", "b b", "d/c", "e"]), content.map(str.encode))


@settings(deadline=None, max_examples=50)
@given(tree, tree, st.booleans())
def test_git_applies_the_diff_and_gets_the_same_files(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, bytes], after: dict[str, bytes], told: bool
) -> None:
    root, copy = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("copy")
    for folder in (root, copy):
        for name, data in before.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
    hunks = []
    for name in sorted({*before, *after}):
        if name not in after:
            hunks.append(DeleteFile(name))
        elif name in before:
            hunks += patch_between(name, before[name], after[name]).hunks
        else:
            data = after[name].decode()
            lines = data.removesuffix("\n").split("\n") if data else []
            hunks.append(AddFile(name, tuple(lines), final_newline=data.endswith("\n") or not lines))
    diff = TurnDiff(root)
    verified = verify(Patch(tuple(hunks)), root)
    if hunks:
        diff.before(verified)
        apply(verified)
        if told:
            diff.written(verified)
    text = diff.text()
    if text:
        subprocess.run(["git", "apply", "-"], input=text.encode(), cwd=copy, check=True, capture_output=True)

    def files(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert files(root) == files(copy)


def test_what_was_just_written_is_told_without_reading_it_and_later_changes_are_seen(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("one\ntwo\n")
    diff = TurnDiff(tmp_path)
    verified = verify("*** Begin Patch\n*** Update File: f\n@@\n-two\n+zwei\n*** End Patch", tmp_path)
    diff.before(verified)
    apply(verified)
    diff.written(verified)
    told = diff.text()
    assert "-two\n+zwei\n" in told
    (tmp_path / "f").write_text("one\ndrei\n")  # as long as what was written
    assert "-two\n+drei\n" in diff.text()
    (tmp_path / "f").write_text("one\ntwo\n")
    assert diff.text() == ""


def test_a_file_another_program_changed_right_after_the_patch_is_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("one\n")
    diff = TurnDiff(tmp_path)
    verified = verify("*** Begin Patch\n*** Update File: f\n@@\n-one\n+eins\n*** End Patch", tmp_path)
    diff.before(verified)
    apply(verified)
    (tmp_path / "f").write_text("formatted\n")
    diff.written(verified)
    assert "+formatted\n" in diff.text()
