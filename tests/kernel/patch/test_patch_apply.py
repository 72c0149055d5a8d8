import contextlib
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_kernel.patch import disk
from codex_kernel.patch.apply import apply
from codex_kernel.patch.parse import AddFile, Chunk, DeleteFile, Hunk, Patch, UpdateFile, format_patch
from codex_kernel.patch.verify import verify
from codex_protocol.errors import PatchError
from codex_protocol.file_changes import AddedFile, DeletedFile, FileChange, UpdatedFile
from tests.support.growth import assert_linear_in
from tests.support.patch_making import patch_between


def wrapped(*lines: str) -> str:
    return "\n".join(["*** Begin Patch", *lines, "*** End Patch"])


def run(cwd: Path, *lines: str) -> str:
    return apply(verify(wrapped(*lines), cwd)).summary


def tree(root: Path) -> dict[str, bytes]:
    """Every file below `root` with its content; a link with its target."""
    return {
        str(path.relative_to(root)): os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_symlink() or not path.is_dir()
    }


def test_files_are_added_changed_moved_and_deleted(tmp_path: Path) -> None:
    (tmp_path / "change").write_text("a\nb\n")
    (tmp_path / "old").write_text("x\n")
    (tmp_path / "go").write_text("gone\n")
    summary = run(
        tmp_path,
        *["*** Delete File: go", "*** Update File: change", "@@", "-b", "+B"],
        *["*** Update File: old", "*** Move to: deep/er/new", "@@", "-x", "+y", "*** Add File: deep/added", "+1"],
    )
    assert tree(tmp_path) == {"change": b"a\nB\n", "deep/added": b"1\n", "deep/er/new": b"y\n"}
    assert summary == "Success. Updated the following files:\nA deep/added\nM change\nM deep/er/new\nD go\n"


def test_a_file_in_the_place_of_a_moved_one_is_shown_as_new(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n2\n")
    lines = ["*** Update File: a", "*** Move to: b", "*** Add File: a", "+x", "*** Update File: a", "*** Move to: c"]
    changes = verify(wrapped(*lines), tmp_path).changes
    assert changes == {
        tmp_path / "a": FileChange(update=UpdatedFile("", str(tmp_path / "b"))),
        tmp_path / "c": FileChange(add=AddedFile("x\n")),
    }


def test_a_file_lost_under_a_moved_one_is_shown(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n")
    (tmp_path / "b").write_text("work\n")
    verified = verify(wrapped("*** Update File: a", "*** Move to: b", "@@", "-1", "+2"), tmp_path)
    assert verified.changes == {
        tmp_path / "a": FileChange(update=UpdatedFile("@@ -1 +1 @@\n-1\n+2\n", str(tmp_path / "b"))),
        tmp_path / "b": FileChange(delete=DeletedFile("work\n")),
    }


def test_changes_show_every_file_once_by_absolute_path(tmp_path: Path) -> None:
    (tmp_path / "change").write_text("a\nb\n")
    (tmp_path / "old").write_text("x\n")
    (tmp_path / "go").write_text("gone\n")
    (tmp_path / "over").write_text("1\n2\n")
    verified = verify(
        wrapped(
            *["*** Delete File: go", "*** Update File: change", "@@", "-b", "+B", "*** Add File: over", "+1", "+3"],
            *["*** Update File: old", "*** Move to: new", "@@", "-x", "+y", "*** Add File: added", "+1"],
            *["*** Add File: passing", "+1", "*** Delete File: passing"],
        ),
        tmp_path,
    )
    assert verified.changes == {
        tmp_path / "go": FileChange(delete=DeletedFile("gone\n")),
        tmp_path / "change": FileChange(update=UpdatedFile("@@ -1,2 +1,2 @@\n a\n-b\n+B\n")),
        tmp_path / "over": FileChange(update=UpdatedFile("@@ -1,2 +1,2 @@\n 1\n-2\n+3\n")),
        tmp_path / "old": FileChange(update=UpdatedFile("@@ -1 +1 @@\n-x\n+y\n", str(tmp_path / "new"))),
        tmp_path / "added": FileChange(add=AddedFile("1\n")),
    }
    assert set(verified.written()) == {tmp_path / name for name in ("go", "change", "over", "old", "new", "added")}


SEQUENCES = {
    "update of a file added before": (
        ["*** Add File: n", "+1", "+2", "*** Update File: n", "@@", "-2", "+3"],
        {"a": b"1\n2\n", "n": b"1\n3\n"},
    ),
    "two updates of one file": (
        ["*** Update File: a", "@@", "-2", "+3", "*** Update File: a", "@@", "-1", "-3", "+4"],
        {"a": b"4\n"},
    ),
    "update of a file moved before": (
        ["*** Update File: a", "*** Move to: b", "*** Update File: b", "@@", "-1"],
        {"b": b"2\n"},
    ),
    "delete, then add": (["*** Delete File: a", "*** Add File: a", "+x"], {"a": b"x\n"}),
    "add, then delete": (["*** Add File: n", "+x", "*** Delete File: n"], {"a": b"1\n2\n"}),
    "moved twice": (
        ["*** Update File: a", "*** Move to: b", "*** Update File: b", "*** Move to: c"],
        {"c": b"1\n2\n"},
    ),
    "moved onto itself": (["*** Update File: a", "*** Move to: ./a", "@@", "-1"], {"a": b"2\n"}),
    "moved away, another in its place": (
        ["*** Update File: a", "*** Move to: b", "@@", "-1", "*** Add File: a", "+x"],
        {"a": b"x\n", "b": b"2\n"},
    ),
    "pure rename": (["*** Update File: a", "*** Move to: d/b"], {"d/b": b"1\n2\n"}),
    "the same through ..": (
        ["*** Update File: x/../a", "@@", "-1", "+0", "*** Update File: a", "@@", "-2"],
        {"a": b"0\n"},
    ),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_patch_sees_what_its_earlier_parts_did(name: str, tmp_path: Path) -> None:
    lines, after = SEQUENCES[name]
    (tmp_path / "a").write_text("1\n2\n")
    run(tmp_path, *lines)
    assert tree(tmp_path) == after


REFUSED = {
    "missing file": (["*** Update File: none", "@@", "-a", "+b"], "cannot update none: there is no such file"),
    "missing file to delete": (["*** Delete File: none"], "cannot delete none: there is no such file"),
    "deleted before": (
        ["*** Delete File: a", "*** Update File: a", "@@", "-1"],
        "an earlier part of the patch .* deletes it",
    ),
    "directory": (["*** Delete File: dir"], "cannot delete dir: it is a directory"),
    "directory to write": (["*** Add File: dir", "+x"], "cannot add dir: it is a directory"),
    "slash at the end": (["*** Add File: new/", "+x"], "cannot add new/: it is a directory"),
    "below a file": (["*** Add File: a/b", "+x"], "a part of its path is a file"),
    "below a file of this patch": (["*** Add File: n", "+x", "*** Add File: n/b", "+x"], "makes .*/n a file"),
    "zero byte": (["*** Add File: n\0", "+x"], "cannot add n\0: .*embedded null"),
    "long name": (["*** Add File: " + "n" * 300, "+x"], "File name too long"),
    "pipe": (["*** Update File: pipe", "@@", "-a"], "cannot update pipe: not a regular file"),
    "link to itself": (["*** Update File: loop", "@@", "-loop", "+x"], "cannot update loop: Too many levels"),
    "lone surrogate": (["*** Add File: n", "+\ud800"], "characters that are not valid Unicode"),
    "second file does not fit": (["*** Add File: n", "+x", "*** Update File: a", "@@", "-zzz"], "cannot update a: its"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nothing_is_written_when_a_part_cannot_be(name: str, tmp_path: Path) -> None:
    lines, message = REFUSED[name]
    (tmp_path / "a").write_text("1\n2\n")
    (tmp_path / "dir").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(PatchError, match=message):
        run(tmp_path, *lines)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "a").read_text() == "1\n2\n"


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("a/src/main.py", "src/main.py"),
        ("/src/main.py", "src/main.py"),
        ('"src/main.py"', "src/main.py"),
        ("src/Main.py", "src/main.py"),
        ("src/mian.py", "src/main.py"),
        ("main.py", None),
        ("src/other", None),
    ],
)
def test_a_path_that_leads_to_no_file_is_refused_with_the_one_it_is_like(
    path: str, there: str | None, tmp_path: Path
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.py").write_text("a\n")
    with pytest.raises(PatchError) as caught:
        verify(wrapped(f"*** Delete File: {path}"), tmp_path)
    assert str(caught.value).endswith(f"no such file; there is {there}" if there else "no such file")


def test_a_file_that_may_not_be_read_is_not_named_instead_of_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a\n")
    with pytest.raises(PatchError, match=r"no such file$"):
        verify(wrapped("*** Delete File: Secret"), tmp_path, may_read=lambda file: file.name != "secret")


def test_an_empty_patch_modifies_nothing(tmp_path: Path) -> None:
    assert verify(wrapped(), tmp_path).changes == {}
    with pytest.raises(PatchError, match=r"No files were modified\."):
        run(tmp_path)


def test_mode_is_kept_and_moves_with_the_file(tmp_path: Path) -> None:
    for name, mode in (("run", 0o755), ("secret", 0o600), ("tool", 0o750)):
        (tmp_path / name).write_text("a\n")
        (tmp_path / name).chmod(mode)
    lines = ["@@", "-a", "+b"]
    run(
        tmp_path,
        *["*** Update File: run", *lines, "*** Update File: secret", *lines],
        *["*** Update File: tool", "*** Move to: moved", *lines],
    )
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"run": 0o755, "secret": 0o600, "moved": 0o750}


def test_new_files_follow_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0o027)
    try:
        run(tmp_path, "*** Add File: n", "+x")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "n").stat().st_mode) == 0o640


def test_update_writes_through_a_link_and_leaves_it_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("a\n")
    (tmp_path / "link").symlink_to("target")
    run(tmp_path, "*** Update File: link", "@@", "-a", "+b")
    assert tree(tmp_path) == {"link": b"target", "target": b"b\n"}


def test_delete_and_move_take_the_link_not_its_target(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("a\n")
    (tmp_path / "one").symlink_to("target")
    (tmp_path / "two").symlink_to("target")
    run(tmp_path, "*** Delete File: one", "*** Update File: two", "*** Move to: copy", "@@", "-a", "+b")
    assert tree(tmp_path) == {"copy": b"b\n", "target": b"a\n"}


def test_a_deleted_link_makes_room_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("a\n")
    (tmp_path / "link").symlink_to("target")
    run(tmp_path, "*** Delete File: link", "*** Add File: link", "+x", "*** Update File: link", "@@", "-x", "+y")
    assert tree(tmp_path) == {"link": b"y\n", "target": b"a\n"}


def test_permission_is_asked_for_where_a_link_leads(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (outside / "f").write_text("a\n")
    (inside / "link").symlink_to(outside / "f")
    (inside / "folder").symlink_to(outside)
    asked: list[Path] = []

    def inside_only(path: Path) -> bool:
        asked.append(path)
        return path.is_relative_to(inside)

    for path in ("link", "folder/f", "../out/f", str(outside / "f")):
        with pytest.raises(PatchError, match="may not be written"):
            verify(wrapped(f"*** Update File: {path}", "@@", "-a", "+b"), inside, may_write=inside_only)
    with pytest.raises(PatchError, match="may not be written"):
        verify(wrapped("*** Add File: folder/new", "+x"), inside, may_write=inside_only)
    assert set(asked) == {outside / "f", outside / "new"}


def test_a_file_that_may_not_be_read_cannot_be_probed_by_a_patch(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KEY=1\n")
    with pytest.raises(PatchError, match="does not let it be read"):
        verify(wrapped("*** Update File: .env", "@@", "-KEY=2"), tmp_path, may_read=lambda path: path.name != ".env")


def test_a_file_changed_since_verification_is_left_alone(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("1\n")
    verified = verify(wrapped("*** Update File: a", "@@", "-1", "+2", "*** Delete File: b"), tmp_path)
    (tmp_path / "b").write_text("work of the user\n")
    with pytest.raises(PatchError, match="b changed since the patch was checked"):
        apply(verified)
    assert tree(tmp_path) == {"a": b"1\n", "b": b"work of the user\n"}


def test_a_file_that_appeared_since_verification_is_left_alone(tmp_path: Path) -> None:
    verified = verify(wrapped("*** Add File: a", "+1"), tmp_path)
    (tmp_path / "a").write_text("work of the user\n")
    with pytest.raises(PatchError, match="changed since"):
        apply(verified)
    assert tree(tmp_path) == {"a": b"work of the user\n"}


def test_a_folder_swapped_for_a_link_after_verification_is_not_followed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside / "d", outside):
        folder.mkdir(parents=True)
        (folder / "f").write_text("1\n")
    update = verify(wrapped("*** Update File: d/f", "@@", "-1", "+2"), inside)
    addition = verify(wrapped("*** Add File: d/new", "+2"), inside)
    (inside / "d").rename(inside / "moved")
    (inside / "d").symlink_to(outside)
    for verified in (update, addition):
        with pytest.raises(PatchError):
            apply(verified)
    assert tree(outside) == {"f": b"1\n"}


def test_a_file_swapped_for_a_link_after_verification_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("1\n")
    (tmp_path / "elsewhere").write_text("1\n")
    verified = verify(wrapped("*** Update File: f", "@@", "-1", "+2"), tmp_path)
    (tmp_path / "f").unlink()
    (tmp_path / "f").symlink_to("elsewhere")
    with pytest.raises(PatchError, match="changed since"):
        apply(verified)
    assert tree(tmp_path) == {"elsewhere": b"1\n", "f": b"elsewhere"}


def test_nothing_changes_when_a_later_file_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("1\n")
    verified = verify(wrapped("*** Update File: a", "@@", "-1", "+2", "*** Add File: d/e/b", "+1"), tmp_path)
    real, written = os.write, []

    def full(descriptor: int, data: bytes) -> int:
        written.append(data)
        if len(written) > 1:
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(PatchError, match=r"cannot write .*b: No space left on device; nothing was changed"):
        apply(verified)
    monkeypatch.undo()
    assert tree(tmp_path) == {"a": b"1\n"}
    assert not (tmp_path / "d").exists()


def test_a_failure_midway_says_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        (tmp_path / name).write_text("1\n")
    lines = [line for name in "abc" for line in (f"*** Update File: {name}", "@@", "-1", "+2")]
    verified = verify(wrapped(*lines), tmp_path)
    real = os.replace

    def failing(source: str, target: str, **folders: int) -> None:
        if target == "b":
            raise OSError(5, "Input/output error")
        real(source, target, **folders)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(PatchError, match=r"stopped: Input/output error. Written: \S+/a. Not written: \S+/b, \S+/c\."):
        apply(verified)
    assert tree(tmp_path) == {"a": b"2\n", "b": b"1\n", "c": b"1\n"}


def test_a_file_that_cannot_be_replaced_is_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mounted").write_text("a long line\nb\n")
    inode = (tmp_path / "mounted").stat().st_ino

    def busy(*args: object, **folders: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(os, "replace", busy)
    run(tmp_path, "*** Update File: mounted", "@@", "-a long line", "+a")
    assert tree(tmp_path) == {"mounted": b"a\nb\n"}
    assert (tmp_path / "mounted").stat().st_ino == inode


def test_readers_see_the_old_or_the_new_file_never_a_part(tmp_path: Path) -> None:
    old, new = b"old\n" * 200_000, b"new\n" * 200_000
    path = tmp_path / "f"
    path.write_bytes(old)
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        lines = [*(["-old"] * 200_000), *(["+new"] * 200_000)]
        run(tmp_path, "*** Update File: f", "@@", *lines)
    finally:
        done.set()
        reader.join()
    assert seen <= {old, new}


def test_hard_links_elsewhere_keep_the_old_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    run(tmp_path, "*** Update File: a", "@@", "-1", "+2")
    assert tree(tmp_path) == {"a": b"2\n", "b": b"1\n"}


def test_extended_attributes_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n")
    try:
        os.setxattr(tmp_path / "a", "user.note", b"mine")
    except (OSError, AttributeError):
        pytest.skip("no user attributes on this file system")
    run(tmp_path, "*** Update File: a", "@@", "-1", "+2")
    assert os.getxattr(tmp_path / "a", "user.note") == b"mine"


def test_a_read_only_file_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("1\n")
    (tmp_path / "a").chmod(0o444)
    if os.geteuid() == 0:  # who may write everything
        monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(PatchError, match="permission denied"):
        run(tmp_path, "*** Update File: a", "@@", "-1", "+2")


def test_files_in_more_folders_than_may_be_open_are_written(tmp_path: Path) -> None:
    hunks = tuple(AddFile(f"{number}/f", ("x",)) for number in range(disk._KEPT_OPEN * 3))  # pyright: ignore[reportPrivateUsage]
    apply(verify(Patch(hunks), tmp_path))
    assert len(tree(tmp_path)) == len(hunks)


def held(folder: Path) -> list[str]:
    """Files below `folder` that have no name any more and are still open here."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.append(os.readlink(descriptor))
    return [link for link in links if link.startswith(str(folder)) and link.endswith(" (deleted)")]


@pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="only Linux can hold a file without opening it")
@pytest.mark.parametrize("most", [1024, 24])
def test_what_was_replaced_is_let_go_of_and_few_files_are_open_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(disk, "_most_open", lambda: most)
    holding: list[int] = []
    close = disk._close_all  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(disk, "_close_all", lambda held: (holding.append(len(held)), close(held)))
    for number in range(60):
        (tmp_path / f"f{number}").write_text("old\n")
    hunks = tuple(UpdateFile(f"f{number}", (Chunk(("-old", "+new")),)) for number in range(60))
    apply(verify(Patch(hunks), tmp_path))
    assert {path.read_text() for path in tmp_path.iterdir()} == {"new\n"}
    for thread in threading.enumerate():
        if thread.name == "replaced files":
            thread.join()
    assert held(tmp_path) == []
    assert holding[0] == 60 if most == 1024 else holding[0] <= 12


def test_500_hunks_in_200_files_are_all_written(tmp_path: Path) -> None:
    hunks: list[Hunk] = []
    wanted: dict[str, str] = {}
    for number in range(200):
        lines = [f"line {number} {index}" for index in range(300)]
        before = "".join(line + "\n" for line in lines).encode()
        for index in (20, 150, 280) if number % 2 else (50, 250):
            lines[index] = "changed"
        (tmp_path / f"f{number}").write_bytes(before)
        wanted[f"f{number}"] = "".join(line + "\n" for line in lines)
        hunks += patch_between(f"f{number}", before, wanted[f"f{number}"].encode()).hunks
    text = format_patch(Patch(tuple(hunks)))
    assert text.count("@@") == 500
    apply(verify(text, tmp_path))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == wanted


def test_a_large_file_is_changed_in_linear_time(tmp_path: Path) -> None:
    made: dict[int, tuple[bytes, str, str]] = {}
    for count in (50_000, 100_000):
        lines = [f"line {number}" for number in range(count)]
        before = "\n".join([*lines, ""]).encode()
        lines[500::1000] = ["changed"] * (count // 1000)
        chunks = [Chunk((f"-line {number}", "+changed")) for number in range(500, count, 1000)]
        made[count] = before, format_patch(Patch((UpdateFile("f", tuple(chunks)),))), "\n".join([*lines, ""])

    def change(count: int) -> None:
        before, text, after = made[count]
        (tmp_path / "f").write_bytes(before)
        apply(verify(text, tmp_path))
        assert (tmp_path / "f").read_text() == after

    assert_linear_in(change, 100_000)


def patched(before: str, diff: str) -> str:
    """`before` after a unified diff, taken literally."""
    old, new, at = before.splitlines(keepends=True), list[str](), 0
    for line in diff.splitlines(keepends=True):
        if line.startswith("@@"):
            span = line.split()[1][1:].split(",")
            start = int(span[0]) - (span[-1] != "0" or len(span) == 1)
            new += old[at:start]
            at = start
        elif line.startswith("\\"):
            new[-1:] = [new[-1].removesuffix("\n")] if new else []
        elif line[0] == "+":
            new.append(line[1:])
        else:
            assert old[at] == line[1:]
            at += 1
            new += [line[1:]] if line[0] == " " else []
    return "".join(new + old[at:])


names = st.sampled_from(["a", "b", "d/c", "e"])
contents = st.lists(st.sampled_from(["x", "y", ""]), max_size=5).map(tuple)
some_hunks = st.lists(
    st.builds(AddFile, names, contents)
    | st.builds(DeleteFile, names)
    | st.builds(lambda name, target: UpdateFile(name, (), target), names, names)
    | st.builds(lambda name, target: UpdateFile(name, (Chunk(("-x", "+z")),), target), names, names | st.none()),
    max_size=6,
)


def follow(model: dict[str, bytes], hunk: Hunk) -> bool:
    """Do to `model` what the hunk does to files; False when it cannot."""
    match hunk:
        case AddFile():
            model[hunk.path] = hunk.content().encode()
        case DeleteFile():
            return model.pop(hunk.path, None) is not None
        case UpdateFile():
            data = model.get(hunk.path)
            if data is None or (hunk.chunks and b"x\n" not in data):
                return False
            del model[hunk.path]
            model[hunk.move_to or hunk.path] = data.replace(b"x\n", b"z\n", 1) if hunk.chunks else data
    return True


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(["a", "b"]), contents), some_hunks)
def test_a_patch_is_written_whole_and_as_shown_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, tuple[str, ...]], hunks: list[Hunk]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    before = {name: "".join(line + "\n" for line in lines).encode() for name, lines in files.items()}
    for name, data in before.items():
        (root / name).write_bytes(data)
    model = dict(before)
    fits = bool(hunks) and all(follow(model, hunk) for hunk in hunks)
    try:
        verified = verify(Patch(tuple(hunks)), root)
        apply(verified)
    except PatchError:
        assert not fits
        assert tree(root) == before
        return
    assert fits
    assert tree(root) == model
    shown = {root / name: data.decode() for name, data in before.items()}
    gone, come = set[Path](), dict[Path, str]()
    for path, change in verified.changes.items():
        if change.add is not None:
            assert path not in shown
            come[path] = change.add.content
            continue
        gone.add(path)
        if change.delete is not None:
            assert change.delete.content == shown[path]
        elif change.update is not None:
            come[Path(change.update.move_path or path)] = patched(shown[path], change.update.unified_diff)
    result = {path: text for path, text in shown.items() if path not in gone} | come
    assert result == {root / name: data.decode() for name, data in model.items()}
