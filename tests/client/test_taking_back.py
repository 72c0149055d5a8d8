"""What a thread changed is taken back from Python, and a thread is exported, without leaving the thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codex_client import AsyncCodex, Codex
from codex_client.reverting import parts_of
from codex_protocol.changes import ChangedFile, Changes, RevertPart
from codex_protocol.errors import ThreadError, UsageError
from tests.support.codex_clients import make_home
from tests.support.model_server import ModelServer
from tests.support.replies import calls, patches, says

LINES = [f"line {n}" for n in range(40)]
EDIT = """*** Begin Patch
*** Update File: long.txt
@@
-line 2
+changed 2
@@
-line 30
+changed 30
*** Add File: new.txt
+hello
*** End Patch"""


@pytest.fixture
def settings(tmp_path: Path, server: ModelServer) -> dict[str, Any]:
    made = make_home(tmp_path, server)
    (tmp_path / "work" / "long.txt").write_text("\n".join(LINES) + "\n")
    return {**made, "sandbox": "danger-full-access", "approval_policy": "never"}


def test_changes_are_taken_back_by_hunk_by_file_and_whole(
    server: ModelServer, settings: dict[str, Any], tmp_path: Path
) -> None:
    work = tmp_path / "work"
    server.script = [
        patches(EDIT),
        says("one"),
        calls("exec_command", {"cmd": "echo x > made.txt"}),
        says("two"),
        says("3"),
    ]
    with Codex(**settings) as codex:
        thread = codex.thread_start()
        thread.run("edit")
        thread.run("run something")
        first = thread.revert("long.txt", hunks=[0])
        assert (first.files, first.left) == (("long.txt",), ())
        assert (work / "long.txt").read_text().splitlines()[2::28] == ["line 2", "changed 30"]
        [made] = [file for file in thread.changes(2).files if file.path == "made.txt"]
        assert thread.revert(made, turn=2).files == ("made.txt",)
        assert not (work / "made.txt").exists()
        (work / "new.txt").write_text("mine\n")
        rest = thread.revert(thread.changes())
        assert rest.files == ("long.txt",)
        assert [each.path for each in rest.left] == ["new.txt"]
        assert (work / "long.txt").read_text().splitlines() == LINES
        assert (work / "new.txt").read_text() == "mine\n"
        with pytest.raises(UsageError, match="has not changed; changed: "):
            thread.revert("absent.txt")
        thread.run("go on")
        assert "The user took back changes" in str(server.requests[-1].input)


async def test_nothing_is_taken_back_while_a_turn_runs(server: ModelServer, settings: dict[str, Any]) -> None:
    held = says("late").but(hold_after_events=0)
    server.script = [patches(EDIT), says("one"), held]
    async with AsyncCodex(**settings) as codex:
        thread = await codex.thread_start()
        await thread.run("edit")
        turn = await thread.turn("wait")
        with pytest.raises(ThreadError, match="when the running turn has ended"):
            await thread.revert("new.txt")
        held.release.set()
        await turn.result()


def test_a_thread_exports_itself(server: ModelServer, settings: dict[str, Any], tmp_path: Path) -> None:
    server.script = [says("the answer")]
    with Codex(**settings) as codex:
        thread = codex.thread_start()
        with pytest.raises(ThreadError, match="nothing to export"):
            thread.export()
        with pytest.raises(UsageError, match="not to 'pdf'"):
            thread.export("pdf")  # type: ignore[arg-type]
        thread.run("the question")
        exported = thread.export(to="html")
        assert "the answer" in exported.text
        assert exported.save(tmp_path).suffix == ".html"
        assert "the question" in str(thread.export())
        assert thread.export("ipynb").text == codex.export(thread.id, "ipynb").text


NOW = Changes(
    root="/w",
    turn=None,
    turns=1,
    files=(
        ChangedFile(path="a/b.py", status="modified", diff="@@ -1 +1 @@\n-x\n+y\n@@ -9 +9 @@\n-x\n+y\n", digest="1"),
        ChangedFile(path="new.py", old_path="old.py", status="renamed", diff="", digest="2"),
    ),
)


def test_files_are_named_by_path_old_path_or_as_they_were_looked_at() -> None:
    both = (RevertPart(path="a/b.py", digest="1"), RevertPart(path="new.py", digest="2"))
    assert parts_of(None, None, NOW) == parts_of(NOW, None, NOW) == both
    assert parts_of(["/w/a/b.py", "old.py"], None, NOW) == parts_of(["./a/b.py", Path("new.py")], None, NOW) == both
    seen = ChangedFile(path="a/b.py", status="modified", diff="@@ -1 +1 @@\n-x\n+z\n", digest="older")
    assert parts_of(seen, [0], NOW) == (RevertPart(path="a/b.py", digest="older", hunks=(0,)),)


@pytest.mark.parametrize(
    ("what", "hunks", "said"),
    [
        ("c.py", None, "c.py has not changed; changed: a/b.py, new.py"),
        ("a/b.py", [2], "has 2 hunks, numbered from 0; there is no hunk 2"),
        ("a/b.py", [-1], "there is no hunk -1"),
        (None, [0], "say which file"),
    ],
)
def test_what_has_not_changed_cannot_be_taken_back(what: Any, hunks: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parts_of(what, hunks, NOW)
