"""A patch as the model wrote it, drawn after the fact."""

from __future__ import annotations

from codex_render.patch_diff import files_of_patch

PATCH = """apply_patch <<'EOF'
*** Begin Patch
*** Add File: /w/new.py
+one
+two
*** Update File: /w/old.py
*** Move to: /w/moved.py
@@ def f
 same
-gone
+come
*** End of File
*** Delete File: dead.py
*** End Patch
EOF
*** Add File: behind.py
+x
"""


def test_files_of_a_patch_have_their_names_rows_and_headings_and_nothing_around_it_counts() -> None:
    added, moved, deleted = files_of_patch(PATCH, lambda path: path.removeprefix("/w/"))
    assert (added.path, added.status, added.added) == ("new.py", "added", 2)
    assert (moved.path, moved.old_path, moved.status) == ("moved.py", "old.py", "renamed")
    (hunk,) = moved.hunks
    assert hunk.heading == "def f"
    assert [(row.kind, row.text) for row in hunk.rows] == [("context", "same"), ("removed", "gone"), ("added", "come")]
    assert (deleted.path, deleted.status, deleted.note) == ("dead.py", "deleted", "its lines are not kept")


def test_text_that_is_no_patch_has_no_files() -> None:
    assert files_of_patch("*** Add File: x\n+y") == []
    assert files_of_patch("*** Begin Patch\n*** Add File: x\n+y") == []
