"""Parts of a patch: any subset of its hunks comes out to the byte, and the model is told of the rest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_kernel.patch.apply import PatchStale, apply, check_unchanged, verify
from codex_kernel.patch.changes import change_map
from codex_kernel.patch.disk import Snapshot
from codex_kernel.patch.parse import Patch, UpdateFile
from codex_kernel.patch.partial import Taken, take_part
from codex_kernel.patch.text import FileText, Texts
from codex_kernel.patch.verify import FileEdit, VerifiedPatch
from codex_protocol.errors import UsageError
from codex_protocol.review import HunkChoice, check_choices, hunk_count

LINES = st.lists(st.sampled_from(["a", "b", "c", "d", "", "e\r", "f\r", "\ufeffg", "h\r\r"]), max_size=14)
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + end, LINES, st.sampled_from(["", "\n"]))
HEADER = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def verified_change(old: bytes, new: bytes) -> VerifiedPatch:
    before = Snapshot(old, 0o100644, (1, 1), (0, 0))
    edit = FileEdit(path=Path("/w/f"), named=Path("/w/f"), before=before, after=new)
    return VerifiedPatch(
        patch=Patch((UpdateFile("f", ()),)),
        cwd=Path("/w"),
        files=(edit,),
        changes=change_map((edit,), FileText.decode),
        summary="",
        texts=Texts(),
    )


def diff_of(verified: VerifiedPatch) -> str:
    return verified.changes[Path("/w/f")].update.unified_diff


def hunks_of(diff: str) -> list[tuple[int, int, list[str]]]:
    """`(first old line, old lines, its lines)` of each hunk."""
    found: list[tuple[int, int, list[str]]] = []
    for line in diff.split("\n")[:-1]:
        if header := HEADER.fullmatch(line):
            count = int(header[2] or 1)
            found.append((int(header[1]) - (count > 0), count, []))
        else:
            found[-1][2].append(line)
    return found


def applied_by_hand(old: str, diff: str, taken: set[int]) -> str:
    """What a plain reader of the unified diff makes of it."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", old)
    out, at = [], 0
    for number, (start, count, body) in enumerate(hunks_of(diff)):
        if number not in taken:
            continue
        out += lines[at:start]
        for index, line in enumerate(body):
            if line[0] in " +":
                bare = index + 1 < len(body) and body[index + 1].startswith("\\")
                out.append(line[1:] + ("" if bare else "\n"))
        at = start + count
    return "".join(out + lines[at:])


def result(taken: Taken, old: bytes) -> bytes:
    return old if taken.verified is None else taken.verified.files[0].after


def refusing(numbers: set[int]) -> list[HunkChoice]:
    return [HunkChoice(path="/w/f", hunk=number, take=False) for number in sorted(numbers)]


@settings(max_examples=400, deadline=None)
@given(TEXTS, TEXTS, st.data())
def test_any_subset_of_hunks_gives_what_the_shown_diff_says(old: str, new: str, data: st.DataObject):
    verified = verified_change(old.encode(), new.encode())
    diff = diff_of(verified)
    numbers = set(range(len(hunks_of(diff))))
    taken = {number for number in numbers if data.draw(st.booleans())}
    part = take_part(verified, refusing(numbers - taken))
    assert result(part, old.encode()).decode() == applied_by_hand(old, diff, taken)


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS)
def test_all_hunks_are_the_patch_and_none_leave_the_file(old: str, new: str):
    verified = verified_change(old.encode(), new.encode())
    numbers = set(range(len(hunks_of(diff_of(verified)))))
    every = [HunkChoice(path="/w/f", hunk=number, note="fine") for number in numbers]
    assert result(take_part(verified, every), old.encode()) == new.encode()
    if numbers:
        assert take_part(verified, refusing(numbers)).verified is None


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS, st.data())
def test_a_hunk_whose_text_is_left_as_it_was_is_the_patchs_to_the_byte(old: str, new: str, data: st.DataObject):
    verified = verified_change(old.encode(), new.encode())
    hunks = hunks_of(diff_of(verified))
    texts = {}
    for number, (_, _, body) in enumerate(hunks):
        kept = [index for index, line in enumerate(body) if line[0] in " +"]
        bare = bool(kept) and body[kept[-1] + 1 :][:1] == ["\\ No newline at end of file"]
        lines = [body[index][1:].removesuffix("\r") for index in kept]
        texts[number] = "\n".join(lines) + ("" if bare or not lines else "\n")
    edits = [HunkChoice(path="/w/f", hunk=number, text=text) for number, text in texts.items()]
    assert result(take_part(verified, edits), old.encode()) == new.encode()


def test_edited_lines_get_the_line_ends_of_their_file():
    old = b"one\r\ntwo\r\nthree\r\nfour\r\n"
    verified = verified_change(old, old.replace(b"two", b"TWO"))
    part = take_part(verified, [HunkChoice(path="/w/f", hunk=0, text="one\nmine\nalso mine\nthree\n")])
    assert result(part, old) == b"one\r\nmine\r\nalso mine\r\nthree\r\nfour\r\n"
    assert "also mine" in part.remarks


def test_bytes_that_are_not_utf8_survive_an_edit_beside_them():
    old = b"caf\xe9\nb\nc\n"
    verified = verified_change(old, b"caf\xe9\nB\nc\n")
    part = take_part(verified, [HunkChoice(path="/w/f", hunk=0, text="caf\ufffd\nmine\nc\n")])
    assert result(part, old) == b"caf\xe9\nmine\nc\n"


def test_an_edit_at_the_end_decides_about_the_last_newline():
    verified = verified_change(b"a\nb", b"a\nB\n")
    assert result(take_part(verified, [HunkChoice(path="/w/f", hunk=0, text="a\nmine")]), b"") == b"a\nmine"
    assert result(take_part(verified, [HunkChoice(path="/w/f", hunk=0, text="a\nmine\n")]), b"") == b"a\nmine\n"
    assert result(take_part(verified, [HunkChoice(path="/w/f", hunk=0, text="")]), b"") == b""


PATCH = """*** Begin Patch
*** Update File: a.txt
*** Move to: sub/b.txt
@@
-1
+one
 2
@@
 8
-9
+nine
*** Delete File: gone.txt
*** Add File: new.txt
+fresh
*** End Patch"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("".join(f"{n}\n" for n in range(1, 10)))
    (tmp_path / "gone.txt").write_text("bye")
    return tmp_path


def take(folder: Path, *choices: HunkChoice) -> Taken:
    verified = verify(PATCH, folder)
    check_choices({str(path): change for path, change in verified.changes.items()}, choices)
    taken = take_part(verified, choices)
    if taken.verified is not None:
        apply(taken.verified)
    return taken


def refused(folder: Path, *names: str) -> list[HunkChoice]:
    return [HunkChoice(path=f"{folder}/{name}", take=False) for name in names]


def test_a_moved_file_takes_along_only_the_hunks_that_were_taken(folder: Path):
    taken = take(folder, HunkChoice(path=f"{folder}/a.txt", hunk=0, take=False, note="keep the digit"))
    assert (folder / "sub" / "b.txt").read_text().startswith("1\n2\n")
    assert (folder / "sub" / "b.txt").read_text().endswith("8\nnine\n")
    assert not (folder / "a.txt").exists()
    assert "a.txt, hunk 1: keep the digit" in taken.remarks
    assert "+one" in taken.remarks


def test_a_refused_move_leaves_both_places_alone(folder: Path):
    taken = take(
        folder, HunkChoice(path=f"{folder}/a.txt", take=False), HunkChoice(path=f"{folder}/gone.txt", take=False)
    )
    assert (folder / "a.txt").read_text().startswith("1\n")
    assert not (folder / "sub").exists()
    assert (folder / "gone.txt").read_text() == "bye"
    assert (folder / "new.txt").read_text() == "fresh\n"
    assert taken.verified.summary == "Success. Updated the following files:\nA new.txt\n"
    assert sorted(path.name for path in taken.verified.changes) == ["new.txt"]


def test_a_new_file_can_be_given_another_text(folder: Path):
    take(folder, HunkChoice(path=f"{folder}/new.txt", hunk=0, text="mine\n"))
    assert (folder / "new.txt").read_text() == "mine\n"
    assert not (folder / "gone.txt").exists()


def test_refusing_everything_writes_nothing(folder: Path):
    taken = take(
        folder, *(HunkChoice(path=f"{folder}/{name}", take=False) for name in ("a.txt", "gone.txt", "new.txt"))
    )
    assert taken.verified is None
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "gone.txt"]
    assert "gone.txt: the whole change of this file" in taken.remarks


def test_an_overwritten_target_is_refused_with_its_move(folder: Path):
    (folder / "sub").mkdir()
    (folder / "sub" / "b.txt").write_text("mine\n")
    take(folder, HunkChoice(path=f"{folder}/sub/b.txt", take=False))
    assert (folder / "sub" / "b.txt").read_text() == "mine\n"
    assert (folder / "a.txt").exists()


def test_a_part_of_a_patch_whose_file_changed_is_not_written(folder: Path):
    verified = verify(PATCH, folder)
    check_unchanged(verified)
    (folder / "gone.txt").write_text("edited")
    with pytest.raises(PatchStale, match=r"gone\.txt changed"):
        check_unchanged(verified)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (HunkChoice(path="elsewhere"), "no file 'elsewhere'"),
        (HunkChoice(path="a.txt", hunk=2), "no hunk 2 of"),
        (HunkChoice(path="a.txt", text="x"), "no text that could be another"),
        (HunkChoice(path="gone.txt", hunk=0, text="x"), "no text that could be another"),
        (HunkChoice(path="a.txt", hunk=0, text="\ud800"), "not valid Unicode"),
    ],
)
def test_choices_that_fit_no_part_are_refused(folder: Path, choice: HunkChoice, said: str):
    changes = {path.name: change for path, change in verify(PATCH, folder).changes.items()}
    assert hunk_count(changes["a.txt"]) == 2
    with pytest.raises(UsageError, match=said):
        check_choices(changes, [choice])
    with pytest.raises(UsageError, match="two choices"):
        check_choices(changes, [HunkChoice(path="a.txt")] * 2)
