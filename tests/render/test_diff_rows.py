from hypothesis import given
from hypothesis import strategies as st

from codex_protocol.file_changes import AddedFile, DeletedFile, FileChange, UpdatedFile
from codex_render.diff_rows import counts, rows_of_change, rows_of_hunks

DIFF = (
    "@@ -1,3 +1,3 @@\n alpha\n-beta\n+gamma\n delta\n"
    "@@ -10,2 +10,3 @@ def f():\n x\n+y\n z\n\\ No newline at end of file\n"
)


def test_rows_carry_the_numbers_of_both_sides():
    rows = [(row.kind, row.old, row.new, row.text) for row in rows_of_hunks(DIFF)]
    assert rows == [
        ("context", 1, 1, "alpha"),
        ("removed", 2, None, "beta"),
        ("added", None, 2, "gamma"),
        ("context", 3, 3, "delta"),
        ("gap", None, None, "def f():"),
        ("context", 10, 10, "x"),
        ("added", None, 11, "y"),
        ("context", 11, 12, "z"),
        ("note", None, None, "No newline at end of file"),
    ]


def test_file_headers_are_left_out_and_lines_that_look_like_them_are_kept():
    rows = list(rows_of_hunks("--- a\n+++ b\n@@ -1 +1 @@\n--- looks like a header\n+++ so does this\n"))
    assert [(row.kind, row.text) for row in rows] == [
        ("removed", "-- looks like a header"),
        ("added", "++ so does this"),
    ]


def test_added_and_deleted_files_are_shown_whole():
    added = FileChange(add=AddedFile("a\nb\n"))
    deleted = FileChange(delete=DeletedFile("a\n"))
    assert [(row.new, row.text) for row in rows_of_change(added)] == [(1, "a"), (2, "b")]
    assert (counts(added), counts(deleted)) == ((2, 0), (0, 1))
    assert counts(FileChange(update=UpdatedFile(DIFF))) == (2, 1)


@given(st.text())
def test_any_text_makes_rows(text: str):
    list(rows_of_hunks(text))
    counts(FileChange(update=UpdatedFile("@@ -1 +1 @@\n" + text)))
