"""What turns changed: by commands and by patches, after a restart, and taken back where nobody has been since."""

from __future__ import annotations

import asyncio
import subprocess
import time
from pathlib import Path

import msgspec
import pytest

from codex_kernel.changes.checkpoints import Checkpoints
from codex_kernel.changes.log import CheckpointLog, clean_up
from codex_kernel.model.scripted import calls, custom, says
from codex_kernel.patch.apply import apply, verify
from codex_protocol.changes import Changes, RevertPart
from codex_protocol.errors import ThreadError
from codex_protocol.events import ChangesReverted, Error, PatchApplyEnd, TaskComplete, TurnAborted
from codex_protocol.items import Message
from codex_protocol.ops import Interrupt, RevertChanges, TextInput, UserInput
from codex_store.home import Home
from codex_store.thread_changes import delete
from tests.support.threads import Watched, running

LINES = "".join(f"line {n}\n" for n in range(1, 31))
EDIT = "sed -i -e 's/^line 2$/LINE 2/' -e 's/^line 20$/LINE 20/' a.txt; rm b.txt; echo made > made.txt; mv c.txt d.txt"
PATCH = "*** Begin Patch\n*** Update File: a.txt\n@@\n-line 30\n+LINE 30\n*** End Patch"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.txt").write_text(LINES)
    (folder / "b.txt").write_text("bye\n")
    (folder / "c.txt").write_text("moves along\n")
    (folder / "dirty.txt").write_text("committed\n")
    (folder / ".gitignore").write_text("ignored\n")
    for command in (("init", "-q"), ("add", "-A"), ("-c", "user.name=a", "-c", "user.email=a", "commit", "-qm", "x")):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    (folder / "dirty.txt").write_text("the user's own\n")
    return folder


def run(command: str):
    return calls("exec_command", {"cmd": command})


def by_path(changes: Changes) -> dict[str, tuple[str, str]]:
    return {file.path: (file.status, file.state) for file in changes.files}


def parts(changes: Changes, *paths: str, hunks: tuple[int, ...] | None = None) -> tuple[RevertPart, ...]:
    return tuple(RevertPart(path=f.path, digest=f.digest, hunks=hunks) for f in changes.files if f.path in paths)


async def reverted(watched: Watched, found: tuple[RevertPart, ...], turn: int | None = None) -> ChangesReverted:
    before = len(watched.all(ChangesReverted))
    watched.thread.submit(RevertChanges(parts=found, turn=turn))
    return await watched.until(ChangesReverted, before + 1)


async def test_what_commands_and_patches_changed_is_shown_by_turn_and_for_the_thread(tmp_path: Path, work: Path):
    script = [run(EDIT), says("one"), custom("apply_patch", PATCH), says("two"), says("no calls")]
    async with running(tmp_path, *script) as watched:
        await watched.turn()
        first = await watched.thread.changes(0)
        assert by_path(first) == {
            "a.txt": ("modified", "same"),
            "b.txt": ("deleted", "same"),
            "d.txt": ("renamed", "same"),
            "made.txt": ("added", "same"),
        }
        assert first.files[0].diff.count("@@ -") == 2
        await watched.turn()
        await watched.turn()
        second = await watched.thread.changes(2)
        assert by_path(second) == {"a.txt": ("modified", "same")}
        assert second.turns == 2
        whole = await watched.thread.changes(None)
        assert "+LINE 30" in whole.files[0].diff
        assert "+LINE 2\n" in whole.files[0].diff
        assert [len(whole.began), *sorted(whole.began)] == [2, *whole.began]
        until = await watched.thread.changes(None, until=whole.began[1])
        assert until.files == tuple(
            msgspec.structs.replace(file, state="edited") if file.path == "a.txt" else file for file in first.files
        )
        since = await watched.thread.changes(None, since=whole.began[1])
        assert since.files == second.files
        assert (await watched.thread.changes(None, until=whole.began[0])).files == ()
        with pytest.raises(ThreadError, match="no turn 3"):
            await watched.thread.changes(3)


FIRST = """*** Begin Patch
*** Update File: dirty.txt
@@
-the user's own
+the model's
*** Add File: new.txt
+new
*** Delete File: b.txt
*** Update File: c.txt
*** Move to: e.txt
*** Add File: ignored
+not followed
*** End Patch"""


async def test_a_patch_waits_for_no_look_at_all_files_and_what_it_changed_is_known(tmp_path: Path, work: Path):
    commands = run("cat dirty.txt; echo made > made.txt")
    script = [custom("apply_patch", FIRST), commands, custom("apply_patch", PATCH), says("one")]
    async with running(tmp_path, *script) as watched:
        await watched.turn()
        changes = await watched.thread.changes(0)
        assert by_path(changes) == {
            "a.txt": ("modified", "same"),
            "b.txt": ("deleted", "same"),
            "dirty.txt": ("modified", "same"),
            "e.txt": ("renamed", "same"),
            "made.txt": ("added", "same"),
            "new.txt": ("added", "same"),
        }
        assert changes.turns == 1
        await reverted(watched, parts(changes, "dirty.txt", "b.txt", "e.txt"), turn=0)
        assert (work / "dirty.txt").read_text() == "the user's own\n"
        assert (work / "b.txt").read_text() == "bye\n"
        assert (work / "c.txt").read_text() == "moves along\n"


async def test_what_patches_changed_so_far_is_known_while_their_turn_runs(tmp_path: Path, work: Path):
    wait = run("echo made > made.txt; while [ ! -e go ]; do sleep 0.05; done")
    async with running(tmp_path, custom("apply_patch", PATCH), wait, says("done")) as watched:
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        await watched.until(PatchApplyEnd)
        assert by_path(await watched.thread.changes(0))["a.txt"] == ("modified", "same")
        (work / "go").touch()
        await watched.until(TaskComplete)
        changes = await watched.thread.changes(0)
        assert {"a.txt", "made.txt"} <= set(by_path(changes))
        assert changes.turns == 1


async def test_a_patch_of_an_agent_that_died_before_it_looked_at_all_files_is_known(tmp_path: Path, work: Path):
    async with running(tmp_path, run("echo x > y"), says("done")) as watched:
        await watched.turn()
        path, thread_id = watched.thread.rollout_path, watched.thread.id
    verified = verify(FIRST, work)
    log = CheckpointLog(Home(root=tmp_path / "home").changes / thread_id)
    log.keep_before(verified.files, work)
    apply(verified)
    died_at = time.time()
    async with running(tmp_path, custom("apply_patch", PATCH), says("ok"), resume=path) as watched:
        changes = await watched.thread.changes(None)
        assert changes.turns == 2
        assert changes.began[1] < died_at
        await watched.turn()
        died = await watched.thread.changes(2)
        assert sorted(by_path(died)) == ["b.txt", "dirty.txt", "e.txt", "new.txt"]
        assert by_path(await watched.thread.changes(3)) == {"a.txt": ("modified", "same")}
        await reverted(watched, parts(died, "dirty.txt"), turn=2)
        assert (work / "dirty.txt").read_text() == "the user's own\n"


async def test_a_turn_whose_patch_did_not_fit_counts_and_changed_nothing(tmp_path: Path, work: Path):
    wrong = PATCH.replace("-line 30", "-line 31")
    async with running(tmp_path, custom("apply_patch", wrong), says("one")) as watched:
        await watched.turn()
        changes = await watched.thread.changes(0)
        assert (changes.files, changes.turns) == ((), 1)


async def test_a_restarted_thread_still_knows_and_takes_back(tmp_path: Path, work: Path):
    async with running(tmp_path, run(EDIT), says("done")) as watched:
        await watched.turn()
        path = watched.thread.rollout_path
    async with running(tmp_path, says("ok"), resume=path) as watched:
        changes = await watched.thread.changes(None)
        assert sorted(by_path(changes)) == ["a.txt", "b.txt", "d.txt", "made.txt"]
        done = await reverted(watched, parts(changes, "a.txt", "b.txt", "d.txt", "made.txt"))
        assert (len(done.files), done.left) == (4, ())
        assert (work / "a.txt").read_text() == LINES
        assert (work / "b.txt").read_text() == "bye\n"
        assert (work / "c.txt").read_text() == "moves along\n"
        assert not (work / "d.txt").exists()
        assert not (work / "made.txt").exists()
        assert (await watched.thread.changes(None)).files == ()
        assert (work / "dirty.txt").read_text() == "the user's own\n"
        await watched.turn()
        told = watched.sent()[-2]
        assert isinstance(told, Message)
        assert "took back" in told.text()


async def test_one_hunk_is_taken_back_beside_what_the_user_edited_elsewhere(tmp_path: Path, work: Path):
    async with running(tmp_path, run(EDIT), says("done")) as watched:
        await watched.turn()
        text = (work / "a.txt").read_text()
        (work / "a.txt").write_text(text.replace("line 10\n", "mine\nmine too\n"))
        changes = await watched.thread.changes(0)
        assert by_path(changes)["a.txt"] == ("modified", "edited")
        done = await reverted(watched, parts(changes, "a.txt", hunks=(1,)), turn=0)
        assert done.files == ("a.txt",)
        expected = LINES.replace("line 2\n", "LINE 2\n").replace("line 10\n", "mine\nmine too\n")
        assert (work / "a.txt").read_text() == expected


async def test_what_the_user_edited_since_is_never_overwritten(tmp_path: Path, work: Path):
    async with running(tmp_path, run(EDIT), says("done")) as watched:
        await watched.turn()
        text = (work / "a.txt").read_text().replace("LINE 2\n", "LINE two, by me\n")
        (work / "a.txt").write_text(text)
        (work / "made.txt").write_text("mine now\n")
        (work / "b.txt").write_text("again\n")
        changes = await watched.thread.changes(0)
        done = await reverted(watched, parts(changes, "a.txt", "b.txt", "made.txt"), turn=0)
        assert done.files == ()
        assert [left.path for left in done.left] == ["a.txt", "b.txt", "made.txt"]
        assert "changed since" in done.left[0].why
        assert (work / "a.txt").read_text() == text
        assert (work / "b.txt").read_text() == "again\n"
        assert (work / "made.txt").read_text() == "mine now\n"


async def test_a_change_that_is_another_by_now_is_not_taken_back(tmp_path: Path, work: Path):
    async with running(tmp_path, run(EDIT), says("done")) as watched:
        await watched.turn()
        stale = RevertPart(path="a.txt", digest="0" * 32)
        done = await reverted(watched, (stale, RevertPart(path="../elsewhere", digest="")))
        assert [left.path for left in done.left] == ["a.txt", "../elsewhere"]
        assert "look again" in done.left[0].why
        watched.thread.submit(RevertChanges(parts=(), turn=7))
        assert "no turn 7" in (await watched.until(Error)).message


async def test_ignored_files_and_other_repositories_are_not_followed(tmp_path: Path, work: Path):
    async with running(
        tmp_path, run("echo x > ignored; git init -q sub; echo y > sub/y; echo z > z"), says("done")
    ) as w:
        await w.turn()
        assert list(by_path(await w.thread.changes(0))) == ["z"]


async def test_outside_a_repository_files_are_followed_too(tmp_path: Path):
    work = tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    (work / "sub" / "a").write_text("one\n")
    async with running(tmp_path, run("echo two > sub/a; chmod +x sub/a; ln -s a sub/l"), says("done")) as watched:
        await watched.turn()
        changes = await watched.thread.changes(0)
        assert by_path(changes) == {"sub/a": ("modified", "same"), "sub/l": ("added", "same")}
        await reverted(watched, parts(changes, "sub/a"))
        assert (work / "sub" / "a").read_text() == "one\n"
        assert not (work / "sub" / "a").stat().st_mode & 0o111


async def test_an_empty_git_folder_above_is_no_repository(tmp_path: Path):
    (tmp_path / ".git").mkdir()
    async with running(tmp_path, run("echo x > y"), says("done")) as watched:
        await watched.turn()
        changes = await watched.thread.changes(0)
        assert (changes.root, list(by_path(changes))) == (str(tmp_path / "work"), ["y"])


async def test_a_repository_that_git_refuses_is_walked_through(tmp_path: Path):
    (tmp_path / "work" / ".git").mkdir(parents=True)
    (tmp_path / "work" / ".git" / "HEAD").write_text("no head\n")
    async with running(tmp_path, run("echo x > y"), says("done")) as watched:
        await watched.turn()
        assert list(by_path(await watched.thread.changes(0))) == ["y"]


async def test_an_ephemeral_thread_says_that_it_records_nothing(tmp_path: Path, work: Path):
    async with running(tmp_path, run("echo x > y"), says("done"), ephemeral=True) as watched:
        await watched.turn()
        with pytest.raises(ThreadError, match="not recorded"):
            await watched.thread.changes(0)
        assert not (tmp_path / "home" / "workbench" / "changes").exists()


async def test_no_program_of_the_project_runs_for_a_checkpoint(tmp_path: Path, work: Path):
    trap = tmp_path / "trap"
    script = tmp_path / "run"
    script.write_text(f"#!/bin/sh\ntouch {trap}\ncat\n")
    script.chmod(0o755)
    (work / ".gitattributes").write_text("* filter=x diff=x\n")
    for key in ("filter.x.clean", "filter.x.smudge", "diff.x.textconv", "core.fsmonitor"):
        subprocess.run(["git", "-C", str(work), "config", key, str(script)], check=True)
    async with running(tmp_path, run("echo more >> a.txt"), says("done")) as watched:
        await watched.turn()
        assert "+more" in (await watched.thread.changes(0)).files[0].diff
    assert not trap.exists()


async def test_a_turn_interrupted_before_its_first_call_leaves_no_call_without_an_output(
    tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch
):
    waiting = asyncio.Event()

    async def never(self: Checkpoints, cwd: Path) -> None:
        waiting.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "ready", never)
        async with running(tmp_path, run("echo x > y"), says("next")) as watched:
            watched.thread.submit(UserInput(items=(TextInput("go"),)))
            await asyncio.wait_for(waiting.wait(), 20)
            watched.thread.submit(Interrupt())
            await watched.until(TurnAborted)
            await watched.turn()
            kinds = [type(item).__name__ for item in watched.sent()]
            assert kinds.index("FunctionCallOutput") == kinds.index("FunctionCall") + 1
    assert not (work / "y").exists()


async def test_files_that_git_keeps_with_other_line_ends_come_back_to_the_byte(tmp_path: Path, work: Path):
    (work / ".gitattributes").write_text("*.dos text eol=crlf\n")
    for name in ("one.dos", "two.dos"):
        (work / name).write_bytes(b"first\r\nsecond\r\n")
    for command in (("add", "-A"), ("-c", "user.name=a", "-c", "user.email=a", "commit", "-qm", "dos")):
        subprocess.run(["git", "-C", str(work), *command], check=True)
    command = "sed -i 's/second/2nd/' one.dos; rm two.dos; sed -i 's/line 5/LINE 5/' a.txt"
    async with running(tmp_path, run(command), says("done")) as watched:
        await watched.turn()
        changes = await watched.thread.changes(0)
        assert "-second\r\n+2nd\r\n" in changes.files[1].diff
        done = await reverted(watched, parts(changes, "a.txt", "one.dos", "two.dos"), turn=0)
        assert done.left == ()
        assert (work / "one.dos").read_bytes() == (work / "two.dos").read_bytes() == b"first\r\nsecond\r\n"
        assert (work / "a.txt").read_text() == LINES


async def test_names_that_are_no_utf8_are_passed_over(tmp_path: Path, work: Path):
    async with running(tmp_path, run("echo x > $'caf\\xe9'; echo z > z"), says("done")) as watched:
        await watched.turn()
        assert list(by_path(await watched.thread.changes(0))) == ["z"]


async def test_a_directory_with_too_many_files_is_passed_over_and_that_is_said(
    tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("codex_kernel.changes.listing.MAX_LISTED", 3)
    async with running(tmp_path, run("echo x > y"), says("done")) as watched:
        await watched.turn()
        changes = await watched.thread.changes(None)
        assert (changes.files, changes.turns) == ((), 0)
        assert "too many files" in changes.note


async def test_a_deleted_thread_leaves_no_texts_behind(tmp_path: Path, work: Path):
    async with running(tmp_path, run("echo x > y"), says("done")) as watched:
        await watched.turn()
        thread_id = watched.thread.id
    home = Home(root=tmp_path / "home")
    assert (home.changes / thread_id).is_dir()
    delete(home, thread_id)
    assert not (home.changes / thread_id).exists()


def test_a_torn_log_is_read_as_far_as_it_goes_and_old_threads_are_cleaned_up(tmp_path: Path):
    folder = tmp_path / "changes" / "a"
    log = CheckpointLog(folder)
    log.begin_anew()
    log.add("/w", 1, "start", {})
    log.add("/w", 1, "end", {})
    with open(folder / "log", "ab") as stream:
        stream.write(b'{"root":"/w","turn":2,"poi')
    assert CheckpointLog(folder).turns == 1
    with log.pack.many():
        ref = log.pack.keep(b"text" * 1000)
    assert CheckpointLog(folder).pack.read(ref) == b"text" * 1000
    (folder / "texts").write_bytes(b"garbage that is no text of ours")
    assert CheckpointLog(folder).pack.read(ref) is None
    other = CheckpointLog(tmp_path / "changes" / "b")
    other.begin_anew()
    other.add("/w", 1, "start", {})
    clean_up(tmp_path / "changes", folder, max_bytes=0)
    assert [path.name for path in (tmp_path / "changes").iterdir()] == ["a"]
