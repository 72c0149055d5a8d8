"""Search over everything said, run, printed and patched; the index may be deleted at any time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codex_protocol.errors import UsageError
from codex_protocol.items import CustomToolCall, user_message
from codex_store.home import Home
from codex_store.rollout_fork import copy_for_fork
from codex_store.rollout_writer import RolloutWriter
from codex_store.search import match_expression, search_threads
from codex_store.thread_changes import archive, set_name
from codex_store.threads import list_threads
from tests.support.rollouts import call, home_at, new_meta, output, recorded, write_thread, write_turn

SHELL = '{"command": ["bash", "-lc", "grep -rn needle src"], "workdir": "/w"}'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = home_at(tmp_path)
    with RolloutWriter.create(made, new_meta()) as writer:
        write_turn(
            writer, "Find the Zündschlüssel", call("c1", arguments=SHELL), output("c1", "src/haystack.py: found")
        )
        patch = CustomToolCall(call_id="c2", name="apply_patch", input="*** Begin Patch\n+def patched_name():\n")
        write_turn(writer, "Now patch", patch, answer="It is snake_cased, done.")
    return made


def index(home: Home) -> Path:
    return home.workbench / "search.sqlite"


def kinds(home: Home, text: str) -> list[tuple[str, int]]:
    return sorted((found.kind, found.turn) for found in search_threads(home, text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("zundschlussel", [("prompt", 1)]),
        ("needle", [("command", 1)]),
        ("haystack", [("output", 1)]),
        ("patched_name", [("patch", 2)]),
        ("patch", [("prompt", 2), ("patch", 2)]),
        ("snake_cased", [("answer", 2)]),
        ("snak*", [("answer", 2)]),
        ('"done snake"', []),
        ('"It is snake"', [("answer", 2)]),
        ("needle haystack", []),
        ("absent", []),
        ("NEAR(a b)", []),
        ("needle OR haystack", []),
        ('unclosed "needle src', []),
        ("text:needle", []),
        ("-needle", [("command", 1)]),
    ],
)
def test_words_are_found_where_they_stand_together(home: Home, text: str, found: list[tuple[str, int]]) -> None:
    assert kinds(home, text) == sorted(found)


@pytest.mark.parametrize("text", ["", "   ", "*", '""', "()", '" - "'])
def test_a_search_for_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no word"):
        match_expression(text)


def test_a_find_says_where(home: Home) -> None:
    thread = list_threads(home)[0]
    set_name(home, thread.id, "keys")
    [found] = search_threads(home, "haystack")
    assert (found.thread_id, found.name, found.path) == (thread.id, "keys", str(thread.path))
    assert "haystack" in found.excerpt
    assert found.at_ms


def test_what_is_added_is_found_and_nothing_twice(home: Home) -> None:
    assert len(search_threads(home, "needle")) == 1
    with RolloutWriter.reopen(list_threads(home)[0].path) as writer:
        write_turn(writer, "another needle please")
    assert kinds(home, "needle") == [("command", 1), ("prompt", 3)]
    assert kinds(home, "needle") == [("command", 1), ("prompt", 3)]


def test_a_line_that_is_being_written_is_found_when_it_is_whole(home: Home) -> None:
    path = list_threads(home)[0].path
    whole = path.read_bytes()
    with RolloutWriter.reopen(path) as writer:
        writer.items(user_message("unicorn"))
    grown = path.read_bytes()
    path.write_bytes(grown[:-20])
    assert kinds(home, "unicorn") == []
    path.write_bytes(grown)
    assert len(kinds(home, "unicorn")) == 1
    path.write_bytes(whole)
    assert kinds(home, "unicorn") == []


def test_threads_that_go_are_forgotten_and_archived_ones_are_not(home: Home) -> None:
    other = write_thread(home, "the walrus")
    assert len(search_threads(home, "walrus")) == 1
    archive(home, list_threads(home, search="walrus")[0].id)
    assert len(search_threads(home, "walrus")) == 1
    (home.archived_sessions / other.name).unlink()
    assert search_threads(home, "walrus") == []


def test_a_fork_does_not_double_what_it_copied(home: Home) -> None:
    copy_for_fork(list_threads(home)[0].path, home, new_meta())
    assert len(search_threads(home, "needle")) == 1


@pytest.mark.parametrize("harm", ["delete", "garbage", "directory", "version", "empty", "torn"])
def test_whatever_happens_to_the_index_changes_no_answer_and_no_list(home: Home, harm: str) -> None:
    before, listed = kinds(home, "patch"), list_threads(home)
    match harm:
        case "delete":
            index(home).unlink()
        case "garbage":
            index(home).write_bytes(b"garbage" * 5000)
        case "directory":
            index(home).unlink()
            index(home).mkdir()
        case "version":
            import sqlite3

            with sqlite3.connect(index(home)) as db:
                db.execute("PRAGMA user_version = 99")
            db.close()
        case "empty":
            index(home).write_bytes(b"")
        case _:
            os.truncate(index(home), index(home).stat().st_size // 2)
    assert list_threads(home) == listed
    if harm == "torn":
        from codex_protocol.errors import RolloutError

        try:
            search_threads(home, "patch")
        except RolloutError as error:
            assert "search again" in str(error)  # noqa: PT017 - a damaged page may or may not be touched
    assert kinds(home, "patch") == before
    assert list_threads(home) == listed


@pytest.mark.parametrize("generation", ["august", "november"])
def test_what_releases_of_upstream_wrote_is_searched(tmp_path: Path, generation: str) -> None:
    home, _ = recorded(generation, tmp_path)
    home.ensure()
    found = {each.kind for prompt in list_threads(home) for each in search_threads(home, prompt.preview.split()[0])}
    assert "prompt" in found


def test_found_words_are_marked_in_the_excerpt(home: Home):
    [found] = search_threads(home, "zundschlussel find")
    assert [found.excerpt[start:end] for start, end in found.marks] == ["Find", "Zündschlüssel"]
    assert found.excerpt == "Find the Zündschlüssel"


def test_private_characters_in_a_text_do_no_harm_to_the_marks(tmp_path: Path):
    made = home_at(tmp_path)
    with RolloutWriter.create(made, new_meta()) as writer:
        write_turn(writer, "a \ue001 strange \ue000 needle \ue001 here")
    [found] = search_threads(made, "needle", kinds=("prompt",))
    assert "needle" in found.excerpt
    assert not {"\ue000", "\ue001"} & set(found.excerpt)
    assert all(0 <= start <= end <= len(found.excerpt) for start, end in found.marks)


def test_kinds_and_one_thread_narrow_a_search(home: Home):
    assert [found.kind for found in search_threads(home, "patch", kinds=("patch",))] == ["patch"]
    thread = search_threads(home, "needle")[0].thread_id
    assert len(search_threads(home, "needle", thread_id=thread)) == 1
    assert search_threads(home, "needle", thread_id="0" * 36) == []
    with pytest.raises(UsageError, match="no kind 'sent'"):
        search_threads(home, "patch", kinds=("sent",))
