"""Lists, search and finding threads: the files are the truth, the cache only saves time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codex_protocol.errors import RolloutError
from codex_protocol.events import ThreadNameUpdated
from codex_protocol.items import user_message
from codex_store.home import Home
from codex_store.rollout_writer import RolloutWriter
from codex_store.thread_changes import set_name
from codex_store.threads import find_thread, last_thread, list_threads
from tests.support.rollouts import home_at, new_meta, recorded, write_thread, write_turn


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Five threads, made one second after the other; c1 and c2 in one directory."""
    made = home_at(tmp_path)
    for number, (prompt, cwd) in enumerate(
        [("alpha", "/a"), ("beta", "/b"), ("gamma", "/c"), ("Delta", "/c"), ("eps", "/e")]
    ):
        path = write_thread(made, prompt, f"more of {prompt}", cwd=cwd)
        os.utime(path, (1_000_000 + number, 1_000_000 + number))
    return made


def previews(home: Home, **asked: object) -> list[str]:
    return [thread.preview for thread in list_threads(home, **asked)]  # type: ignore[arg-type]  # any of its options


def cache(home: Home) -> Path:
    return home.workbench / "threads.sqlite"


def test_what_changed_last_comes_first(home: Home) -> None:
    assert previews(home) == ["eps", "Delta", "gamma", "beta", "alpha"]
    first = find_thread(home, list_threads(home)[-1].id)
    with RolloutWriter.reopen(first.path) as writer:
        write_turn(writer, "again")
    assert previews(home) == ["alpha", "eps", "Delta", "gamma", "beta"]


def test_a_list_says_what_a_person_needs(home: Home) -> None:
    thread = list_threads(home, limit=1)[0]
    assert (thread.cwd, thread.branch, thread.tokens, thread.provider, thread.source) == (
        "/e",
        "main",
        120,
        "scripted",
        "exec",
    )
    assert thread.created.startswith("20")


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_pages_put_together_are_the_list(home: Home, limit: int) -> None:
    pages: list[str] = []
    after: str | None = None
    while page := list_threads(home, limit=limit, after=after):
        pages += [thread.preview for thread in page]
        after = page[-1].cursor
    assert pages == previews(home)


def test_a_directory_narrows_the_list(home: Home) -> None:
    assert previews(home, cwd="/c") == ["Delta", "gamma"]
    assert previews(home, cwd="/nowhere") == []


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("delta", ["Delta"]),
        ("MORE eps", ["eps"]),
        ("of", ["eps", "Delta", "gamma", "beta", "alpha"]),
        ("et", ["beta"]),
        ("/c", ["Delta", "gamma"]),
        ("main gamma", ["gamma"]),
        ("christened", ["beta"]),
        ('"', []),
        ("gamma delta", []),
        ("%", []),
    ],
)
def test_every_word_of_a_search_must_stand_in_the_thread(home: Home, search: str, found: list[str]) -> None:
    set_name(home, next(thread.id for thread in list_threads(home) if thread.preview == "beta"), "Christened")
    assert previews(home, search=search) == found
    assert previews(home, search=search) == found
    cache(home).unlink()
    assert previews(home, search=search) == found


@pytest.mark.parametrize("harm", ["delete", "garbage", "directory", "old", "empty", "read-only"])
def test_whatever_happens_to_the_cache_changes_no_list(home: Home, harm: str) -> None:
    whole = list_threads(home)
    found = previews(home, search="gamma")
    match harm:
        case "delete":
            cache(home).unlink()
        case "garbage":
            cache(home).write_bytes(b"garbage" * 1000)
        case "directory":
            cache(home).unlink()
            cache(home).mkdir()
        case "old":
            import sqlite3

            with sqlite3.connect(cache(home)) as db:
                db.execute("PRAGMA user_version = 99")
            db.close()
        case "empty":
            cache(home).write_bytes(b"")
        case _:
            cache(home).chmod(0o400)
    for _ in range(2):
        assert list_threads(home) == whole
        assert previews(home, search="gamma") == found


def test_a_list_sees_changes_at_once(home: Home) -> None:
    list_threads(home)
    newest = list_threads(home, limit=1)[0]
    with RolloutWriter.reopen(newest.path) as writer:
        writer.event(ThreadNameUpdated(name="renamed"))
        writer.items(user_message("needle in it"))
    assert list_threads(home, limit=1)[0].name == "renamed"
    assert previews(home, search="needle") == ["eps"]
    newest.path.unlink()
    assert "eps" not in previews(home)
    assert previews(home, search="needle") == []


def test_threads_in_which_nobody_said_anything_are_not_listed(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        writer.items(user_message("<environment_context>x"))
    assert list_threads(home_at(tmp_path)) == []


def test_an_empty_home_has_no_threads(tmp_path: Path) -> None:
    assert list_threads(home_at(tmp_path), search="x") == []
    assert last_thread(home_at(tmp_path)) is None


@pytest.mark.parametrize("generation", ["august", "november"])
def test_upstream_threads_are_listed(tmp_path: Path, generation: str) -> None:
    home, paths = recorded(generation, tmp_path)
    threads = list_threads(home)
    assert {thread.path for thread in threads} == set(paths)
    assert {(thread.preview, thread.cwd, thread.branch) for thread in threads} == {
        ("first prompt", "/home/u/project", "main")
    }


def test_a_thread_is_found_by_its_id_in_any_case_and_folder(home: Home) -> None:
    wanted = list_threads(home)[2]
    elsewhere = home.sessions / "1999" / "01" / "01" / wanted.path.name
    elsewhere.parent.mkdir(parents=True)
    wanted.path.rename(elsewhere)
    assert find_thread(home, wanted.id.upper()).path == elsewhere


def test_a_thread_is_found_by_its_name(home: Home) -> None:
    wanted = list_threads(home)[2]
    set_name(home, wanted.id, "The Fix")
    assert find_thread(home, "The Fix").id == wanted.id
    assert find_thread(home, "the fix").id == wanted.id


def test_a_name_of_several_threads_lists_them(home: Home) -> None:
    several = list_threads(home, limit=2)
    for thread in several:
        set_name(home, thread.id, "twin")
    with pytest.raises(RolloutError, match="say which by its id") as refused:
        find_thread(home, "twin")
    assert all(thread.id in str(refused.value) for thread in several)


@pytest.mark.parametrize("wanted", ["nobody", "01a203a2-606f-7abc-9aeb-302c855686b5", "", "../../etc", "a/b"])
def test_an_unknown_thread_is_an_error(home: Home, wanted: str) -> None:
    with pytest.raises(RolloutError, match="There is no thread"):
        find_thread(home, wanted)


def test_a_name_that_was_taken_over_finds_nothing(home: Home) -> None:
    wanted = list_threads(home)[0]
    set_name(home, wanted.id, "old")
    set_name(home, wanted.id, "new")
    with pytest.raises(RolloutError, match="There is no thread"):
        find_thread(home, "old")


def test_the_last_thread_of_a_directory(home: Home) -> None:
    newest = last_thread(home)
    assert newest is not None
    assert newest.preview == "eps"
    there = last_thread(home, "/c")
    assert there is not None
    assert there.preview == "Delta"
    assert last_thread(home, "/nowhere") is None
    assert not cache(home).exists()


def test_reading_and_writing_threads_loads_no_database(tmp_path: Path) -> None:
    program = (
        "import sys, codex_store.threads, codex_store.rollout_writer, codex_store.rollout_reader, "
        "codex_store.rollout_fork, codex_store.message_history\n"
        "print([name for name in ('sqlite3', 'logging', 'dataclasses', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "[]\n"
