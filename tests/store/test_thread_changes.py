"""Naming, archiving, taking back and deleting threads."""

from pathlib import Path

import pytest

from codex_protocol.errors import RolloutError, UsageError
from codex_store.rollout_reader import read_rollout
from codex_store.rollout_writer import RolloutWriter
from codex_store.thread_changes import archive, delete, set_name, unarchive
from codex_store.threads import find_thread, list_threads
from tests.support.rollouts import home_at, recorded, write_thread


def test_an_archived_thread_leaves_the_list_and_comes_back_where_it_was(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    path = write_thread(home, "hello")
    thread_id = read_rollout(path).meta.id
    moved = archive(home, thread_id)
    assert moved == home.archived_sessions / path.name
    assert list_threads(home) == []
    assert [thread.archived for thread in list_threads(home, archived=True)] == [True]
    assert find_thread(home, thread_id).archived
    assert archive(home, thread_id) == moved
    assert unarchive(home, thread_id) == path
    assert [thread.path for thread in list_threads(home)] == [path]
    assert list_threads(home, archived=True) == []


def test_a_thread_that_is_being_written_stays_where_it_is(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    path = write_thread(home, "hello")
    thread_id = read_rollout(path).meta.id
    with RolloutWriter.reopen(path):
        for change in (archive, delete):
            with pytest.raises(RolloutError, match="being written by another process"):
                change(home, thread_id)
        assert set_name(home, thread_id, "running") == "running"
    assert path.exists()


def test_archiving_replaces_no_file(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    path = write_thread(home, "hello")
    home.archived_sessions.mkdir()
    (home.archived_sessions / path.name).write_text("mine")
    with pytest.raises(RolloutError, match="there is a file at"):
        archive(home, read_rollout(path).meta.id)
    assert path.exists()
    assert (home.archived_sessions / path.name).read_text() == "mine"


def test_a_deleted_thread_is_gone_with_its_name(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    path = write_thread(home, "hello")
    thread_id = read_rollout(path).meta.id
    set_name(home, thread_id, "gone")
    delete(home, thread_id)
    assert not path.exists()
    with pytest.raises(RolloutError, match="There is no thread"):
        find_thread(home, "gone")


def test_a_thread_that_a_fork_of_upstream_reads_is_not_deleted(tmp_path: Path) -> None:
    home, (base, fork) = recorded("november", tmp_path)
    base_id, fork_id = read_rollout(base).meta.id, read_rollout(fork).meta.id
    with pytest.raises(RolloutError, match=fork_id):
        delete(home, base_id)
    archive(home, base_id)
    assert len(read_rollout(fork).turns) == 3
    delete(home, fork_id)
    delete(home, base_id)
    assert list_threads(home) == []


@pytest.mark.parametrize("change", [archive, unarchive, delete])
def test_an_unknown_thread_is_an_error(tmp_path: Path, change: object) -> None:
    with pytest.raises(RolloutError, match="There is no thread"):
        change(home_at(tmp_path), "01a203a2-606f-7abc-9aeb-302c855686b5")  # type: ignore[operator]  # one of the three


@pytest.mark.parametrize("name", ["", "  \n", "\x1b\x00", "x" * 201])
def test_a_name_nobody_can_read_is_refused(tmp_path: Path, name: str) -> None:
    home = home_at(tmp_path)
    thread_id = read_rollout(write_thread(home, "hello")).meta.id
    with pytest.raises(UsageError, match="name"):
        set_name(home, thread_id, name)


def test_control_characters_do_not_get_into_names(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    thread_id = read_rollout(write_thread(home, "hello")).meta.id
    assert set_name(home, thread_id, "a\x1b[31m\u202eb\nc") == "a [31m b c"


def test_names_of_upstream_count_and_damaged_lines_do_not(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    path = write_thread(home, "hello")
    thread_id = read_rollout(path).meta.id
    (tmp_path / "session_index.jsonl").write_text(
        f'{{"id":"{thread_id}","thread_name":"one","updated_at":"x"}}\ngarbage\n'
        f'{{"id":"{thread_id}","thread_name":" two "}}\n{{"id":"{thread_id}","thread'
    )
    assert find_thread(home, "two").id == thread_id
    set_name(home, thread_id, "three")
    assert find_thread(home, "three").id == thread_id
