"""`codex archive|unarchive|delete|search|resume|fork` over a home with stored and running threads."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codex_app.launches import Launch
from codex_cli.main import main
from codex_store.home import Home
from codex_store.rollout_reader import read_rollout
from codex_store.running import Announcement, RunningThread
from codex_store.thread_changes import set_name
from codex_store.threads import list_threads
from tests.support.rollouts import home_at, write_thread

PROGRAM = [sys.executable, "-P", "-m", "codex_cli.main"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    root = tmp_path / "codex"
    root.mkdir()
    monkeypatch.setenv("CODEX_HOME", str(root))
    return home_at(root)


def stored(home: Home, *prompts: str, name: str | None = None, cwd: str = "/nowhere") -> str:
    thread_id = read_rollout(write_thread(home, *prompts, cwd=cwd)).meta.id
    if name is not None:
        set_name(home, thread_id, name)
    return thread_id


def ids(home: Home, *, archived: bool = False) -> set[str]:
    return {info.id for info in list_threads(home, archived=archived)}


def test_threads_are_archived_and_taken_back_by_id_beginning_of_id_and_name(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    by_id, by_beginning, by_name = stored(home, "one"), stored(home, "two"), stored(home, "three", name="nightly")
    words = [by_id, by_beginning[:-2], "nightly"]
    assert main(["archive", *words]) == 0
    assert (ids(home), ids(home, archived=True)) == (set(), {by_id, by_beginning, by_name})
    assert capsys.readouterr().out.splitlines()[2] == f"Archived: {by_name} nightly"
    assert main(["unarchive", *words]) == 0
    assert (ids(home), ids(home, archived=True)) == ({by_id, by_beginning, by_name}, set())


def test_a_word_that_names_no_thread_changes_none(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    there = stored(home, "one")
    assert main(["delete", "--yes", there, "nope"]) == 1
    assert ids(home) == {there}
    assert capsys.readouterr().err == "Error: There is no thread with the id or name 'nope'.\n"


def test_a_beginning_that_several_ids_share_names_none_of_them(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = stored(home, "one"), stored(home, "two")
    assert main(["archive", first[:8]]) == 1
    said = capsys.readouterr().err
    assert first in said
    assert second in said
    assert ids(home) == {first, second}


def test_where_nobody_can_be_asked_nothing_is_deleted_without_yes(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    there = stored(home, "one")
    assert main(["delete", there]) == 2
    assert "--yes" in capsys.readouterr().err
    assert ids(home) == {there}
    assert main(["delete", there, "--yes"]) == 0
    assert ids(home) == set()


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 1), (b"\n", 1), (b"y\n", 0)])
def test_a_person_is_asked_before_a_thread_is_deleted(home: Home, answer: bytes, code: int) -> None:
    there = stored(home, "one", name="precious")
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [*PROGRAM, "delete", "precious"], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        os.write(ours, answer)
        out, err = process.communicate(timeout=30)
    finally:
        os.close(ours)
        os.close(theirs)
    assert (process.returncode, ids(home)) == (code, set() if code == 0 else {there})
    assert f"{there} precious" in err
    assert ("Deleted" in out) is (code == 0)


HOLDER = """
import sys, time
from codex_store.home import find_home
from codex_store.rollout_writer import RolloutWriter
from codex_store.running import Announcement, RunningThread
from pathlib import Path
import os
with RolloutWriter.reopen(Path(sys.argv[1])) as writer:
    running = RunningThread(thread_id=sys.argv[2], pid=os.getpid(), connection_file="/x", stay=True, state=sys.argv[3])
    announcement = Announcement(find_home(), running)
    print("ready", flush=True)
    time.sleep(100)
"""


@pytest.mark.parametrize(("state", "code"), [("idle", 0), ("working", 1), ("asking", 1)])
def test_the_idle_kernel_of_the_page_lets_its_thread_go_and_a_busy_one_keeps_it(
    home: Home, state: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    there = stored(home, "one")
    path = list_threads(home)[0].path
    holder = subprocess.Popen(
        [sys.executable, "-P", "-c", HOLDER, str(path), there, state], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        assert main(["archive", there]) == code
        if code == 0:
            assert holder.wait(timeout=10) == -signal.SIGTERM
        else:
            assert "is at work" in capsys.readouterr().err
            assert holder.poll() is None
    finally:
        holder.kill()
        holder.communicate()
    assert (there in ids(home, archived=True)) is (code == 0)


def test_a_thread_that_another_program_writes_stays_where_it_is(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    there = stored(home, "one")
    announcement = Announcement(home, RunningThread(thread_id=there, pid=os.getpid(), connection_file="/x"))
    from codex_store.rollout_writer import RolloutWriter

    with RolloutWriter.reopen(list_threads(home)[0].path):
        assert main(["archive", there]) == 1
    announcement.close()
    assert "being written by another process" in capsys.readouterr().err
    assert ids(home) == {there}


def test_a_search_shows_thread_turn_and_snippet_and_counts_archived_threads(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    first = stored(home, "look at the zebra", "and the zebra again", name="safari")
    second = stored(home, "a striped zebra")
    main(["archive", second])
    capsys.readouterr()
    assert main(["search", "zebra", "--json"]) == 0
    places = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(place["thread_id"], place["turn"], place["name"]) for place in places} == {
        (first, 1, "safari"),
        (first, 2, "safari"),
        (second, 1, None),
    }
    assert all("zebra" in place["excerpt"] for place in places)
    assert main(["search", "zebra", "--json", "--limit", "1"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert main(["search", "striped", "zebra"]) == 0
    where, what = capsys.readouterr().out.splitlines()
    assert where.startswith(f"{second} turn 1 prompt")
    assert what == "  a striped zebra"


def test_a_search_without_a_find_says_so_and_ends_with_1(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    stored(home, "one")
    assert main(["search", "zebra"]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", 'Nothing was found for "zebra".\n')


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[Launch]:
    """What the page is asked to open; no page is served."""
    launches: list[Launch] = []

    def run_page(home: Home, launch: Launch, **options: Any) -> int:
        launches.append(launch)
        return 0

    monkeypatch.setattr("codex_app.server.run_page", run_page)
    return launches


def test_resume_opens_the_page_on_the_thread_in_its_own_directory(
    home: Home, launched: list[Launch], tmp_path: Path
) -> None:
    there = stored(home, "one", name="nightly", cwd=str(tmp_path))
    assert main(["resume", "nightly", "go on", "--model", "m"]) == 0
    (launch,) = launched
    assert (launch.options.resume, launch.options.fork, launch.options.cwd) == (there, None, str(tmp_path))
    assert (launch.prompt, launch.options.flags["model"]) == ("go on", "m")


def test_fork_of_the_newest_thread_takes_the_prompt_first_and_obeys_cd(
    home: Home, launched: list[Launch], tmp_path: Path
) -> None:
    there = stored(home, "one")
    assert main(["fork", "--last", "--all", "another way", "-C", str(tmp_path)]) == 0
    (launch,) = launched
    assert (launch.options.fork, launch.options.resume, launch.options.cwd) == (there, None, str(tmp_path))
    assert launch.prompt == "another way"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["resume"], 2, "--last"),
        (["resume", "nope"], 1, "'nope'"),
        (["fork", "--last"], 1, "no earlier thread of"),
        (["resume", "--last", "a", "b"], 2, "--last"),
        (["resume", "a", "b", "c"], 2, "'c'"),
    ],
)
def test_no_thread_to_open_is_one_sentence_and_no_page(
    home: Home,
    launched: list[Launch],
    arguments: list[str],
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(arguments) == code
    assert words in capsys.readouterr().err.splitlines()[0]
    assert launched == []
