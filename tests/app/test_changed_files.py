"""What changed, as the page is told of it, and what it may ask to take back."""

from __future__ import annotations

import pytest

from codex_app.changed_files import ChangedFiles
from codex_app.drawing import Drawing
from codex_protocol.changes import ChangedFile, Changes, NotReverted, RevertPart
from codex_protocol.errors import UsageError
from codex_protocol.events import ChangesReverted, Event

DIFF = "@@ -1,2 +1,2 @@\n a\n-b\n+<b>\n@@ -9 +9 @@\n-end\n+END\n"
TOLD = Changes(
    root="/w",
    turn=2,
    turns=2,
    files=(
        ChangedFile(path="a.txt", status="modified", diff=DIFF, digest="d1"),
        ChangedFile(path="n.txt", old_path="o.txt", status="renamed", diff="", state="edited", digest="d2"),
        ChangedFile(path="big", status="added", diff="", note="its text was not kept"),
    ),
)


def test_each_file_says_what_happened_to_it_and_whether_it_can_be_taken_back() -> None:
    view = ChangedFiles.of(TOLD).view()
    assert [(file["name"], file["hunks"], file["state"], file["back"]) for file in view["files"]] == [
        ("a.txt", 2, "same", True),
        ("n.txt", 0, "edited", True),
        ("big", 0, "same", False),
    ]
    assert "&lt;b&gt;" in view["files"][0]["body"]
    assert "o.txt" in view["files"][1]["html"]
    assert "its text was not kept" in view["files"][2]["body"]


def test_the_stamp_tells_looks_apart() -> None:
    edited = Changes(root="/w", turn=2, turns=2, files=(ChangedFile(path="a.txt", status="modified", diff=DIFF),))
    assert ChangedFiles.of(TOLD).view()["stamp"] == ChangedFiles.of(TOLD).view()["stamp"]
    assert ChangedFiles.of(TOLD).view()["stamp"] != ChangedFiles.of(edited).view()["stamp"]


def test_taking_back_names_the_change_that_was_seen() -> None:
    shown = ChangedFiles.of(TOLD)
    assert shown.take_back(0, 1).parts == (RevertPart(path="a.txt", digest="d1", hunks=(1,)),)
    assert shown.take_back(1, None).parts == (RevertPart(path="n.txt", digest="d2"),)
    assert shown.take_back(0, None).turn == 2
    for file, hunk in ((3, None), (-1, None), (0, 2)):
        with pytest.raises(UsageError):
            shown.take_back(file, hunk)


def test_what_is_not_committed_is_nobodys_to_take_back() -> None:
    shown = ChangedFiles.of_diff(f"--- a/x\n+++ b/x\n{DIFF}")
    assert shown.view()["files"][0]["hunks"] == 2
    with pytest.raises(UsageError, match="git"):
        shown.take_back(0, None)


def test_what_was_taken_back_and_what_was_left_is_said() -> None:
    drawing = Drawing()
    drawing.draw(Event("1", ChangesReverted(files=("a\u202e",), left=(NotReverted(path="b", why="it was changed"),))))
    texts = [entry.fields["text"] for entry in drawing.entries.values()]
    assert "\u202e" not in texts[0]
    assert texts[1] == "b was left alone: it was changed."
    assert drawing.state["stirred"] == 1
