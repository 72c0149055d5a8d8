"""A waiting patch in parts: what the page is told of it, and what its choices mean to the agent."""

from __future__ import annotations

import pytest

from codex_app import asked
from codex_app.diff_parts import DRAWN_ROWS
from codex_app.drawing import Drawing
from codex_app.reviews import Review
from codex_protocol.errors import UsageError
from codex_protocol.events import ApplyPatchApprovalRequest, ApprovalResolved, Event
from codex_protocol.file_changes import AddedFile, DeletedFile, FileChange, UpdatedFile
from codex_protocol.policy import ReviewDecision
from codex_protocol.review import HunkChoice

DIFF = "@@ -1,3 +1,3 @@\n a\r\n-b\r\n+B<script>\r\n c\r\n@@ -9 +9 @@\n-end\n+END\n\\ No newline at end of file\n"
CHANGES = {
    "/w/b.txt": FileChange(update=UpdatedFile(DIFF)),
    "/w/a.txt": FileChange(add=AddedFile("new\n")),
    "/elsewhere/gone": FileChange(delete=DeletedFile("bye\n")),
    "/w/empty": FileChange(add=AddedFile("")),
}


@pytest.fixture
def review() -> Review:
    return Review(CHANGES, "/w")


def test_files_are_named_from_the_threads_directory_and_their_hunks_are_told_apart(review: Review) -> None:
    views = review.view()
    assert [view["name"] for view in views] == ["/elsewhere/gone", "a.txt", "b.txt", "empty"]
    assert [view["hunks"] for view in views] == [1, 1, 2, 0]
    assert [view["editable"] for view in views] == [False, True, True, True]
    assert 'data-file="2"' in views[2]["html"]
    assert views[2]["body"].count("data-hunk=") == 2
    assert "<script>" not in views[2]["body"]


def test_a_choice_means_the_path_that_the_agent_named(review: Review) -> None:
    assert review.choice(2, 1, take=False, text=None, note="no") == HunkChoice(
        path="/w/b.txt", hunk=1, take=False, note="no"
    )
    for file, hunk in ((4, None), (-1, None), (2, 2), (3, 0)):
        with pytest.raises(UsageError):
            review.choice(file, hunk, take=True, text=None, note=None)


def test_the_text_to_edit_is_what_the_hunk_becomes(review: Review) -> None:
    assert review.text(2, 0) == "a\nB<script>\nc\n"
    assert review.text(2, 1) == "END"
    assert review.text(1, 0) == "new\n"


def test_another_text_is_drawn_against_what_stands_there(review: Review) -> None:
    drawn = review.preview(2, 0, "a\nmine<b>\nc\n")
    assert "mine&lt;b&gt;" in drawn
    assert "data-hunk" not in drawn
    assert review.preview(2, 0, "a\nb\nc\n") == ""


def test_files_past_the_first_thousands_of_lines_are_drawn_when_they_are_opened() -> None:
    long = FileChange(add=AddedFile("x\n" * DRAWN_ROWS))
    review = Review({"/w/a": long, "/w/b": FileChange(add=AddedFile("y\n"))}, "/w")
    first, second = review.view()
    assert first["later"] is None
    assert second["later"] == "1 line"
    assert "y" in review.body(1)
    assert second["body"] is None


def test_a_patch_can_be_looked_at_as_long_as_it_waits() -> None:
    drawing = Drawing()
    request = ApplyPatchApprovalRequest(call_id="c", approval_id="a", digest="d", changes=CHANGES)
    drawing.draw(Event("1", request))
    assert drawing.reviews["a"].view()
    resolved = ApprovalResolved(approval_id="a", call_id="c", decision=ReviewDecision.DENIED)
    drawing.draw(Event("1", resolved))
    assert not drawing.reviews


def test_the_page_may_not_say_more_of_a_part_than_there_is() -> None:
    assert asked.decode('{"type":"answer","id":"a","decision":"approved","parts":[{"file":0,"take":false}]}')
    with pytest.raises(UsageError):
        asked.decode('{"type":"answer","id":"a","decision":"approved","parts":[{"file":0,"path":"/etc"}]}')
