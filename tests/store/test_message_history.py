"""The message history that all threads share."""

import fcntl
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from codex_protocol.errors import RolloutError
from codex_store.message_history import HistoryMetadata, append, lookup, metadata, newest
from tests.support.rollouts import home_at


def test_entries_are_lines_of_a_private_file(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    append(home, "t1", "first\nline\u2028two")
    append(home, "t2", "second")
    entries = [json.loads(line) for line in home.history_file.read_bytes().splitlines()]
    assert [(entry["session_id"], entry["text"]) for entry in entries] == [
        ("t1", "first\nline\u2028two"),
        ("t2", "second"),
    ]
    assert all(isinstance(entry["ts"], int) for entry in entries)
    assert stat.S_IMODE(home.history_file.stat().st_mode) == 0o600


def test_entries_are_found_by_number(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    for text in ("a", "b"):
        append(home, "t", text)
    found = metadata(home)
    assert found == HistoryMetadata(home.history_file.stat().st_ino, 2)
    assert [entry and entry.text for entry in (lookup(home, found.log_id, number) for number in (0, 1, 2, -1))] == [
        "a",
        "b",
        None,
        None,
    ]
    assert lookup(home, found.log_id + 1, 0) is None


def test_no_file_is_no_history(tmp_path: Path) -> None:
    assert metadata(home_at(tmp_path)) == HistoryMetadata(0, 0)
    assert lookup(home_at(tmp_path), 0, 0) is None
    assert not home_at(tmp_path).history_file.exists()


def test_the_mode_of_an_existing_file_stays(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    home.history_file.touch()
    home.history_file.chmod(0o640)
    append(home, "t", "a", max_bytes=10)
    append(home, "t", "b", max_bytes=10)
    assert stat.S_IMODE(home.history_file.stat().st_mode) == 0o640


@pytest.mark.parametrize("max_bytes", [1, 100, 1000])
def test_the_oldest_go_and_the_newest_stays(tmp_path: Path, max_bytes: int) -> None:
    home = home_at(tmp_path)
    for number in range(100):
        append(home, "t", f"number {number}", max_bytes=max_bytes)
    lines = home.history_file.read_bytes().splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    assert texts == [f"number {number}" for number in range(100 - len(texts), 100)]
    assert len(texts) >= 1
    assert home.history_file.stat().st_size <= max(max_bytes, len(lines[-1]) + 1)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["history.jsonl"]


def test_an_entry_after_a_torn_line_stands_alone(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    home.history_file.write_text('{"session_id":"t","ts":1,"te')
    append(home, "t", "a")
    entry = lookup(home, metadata(home).log_id, 1)
    assert entry is not None
    assert entry.text == "a"
    assert lookup(home, metadata(home).log_id, 0) is None


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: append(home, "t", f"{number}", max_bytes=100_000), range(60)))
    texts = {json.loads(line)["text"] for line in home.history_file.read_bytes().splitlines()}
    assert texts == {f"{number}" for number in range(60)}


def test_a_file_held_by_others_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codex_store.message_history._PAUSE_S", 0.001)
    home = home_at(tmp_path)
    append(home, "t", "a")
    fd = os.open(home.history_file, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with pytest.raises(RolloutError, match="held by another program"):
        append(home, "t", "b")
    os.close(fd)
    append(home, "t", "b")
    assert metadata(home).count == 2


def test_a_half_surrogate_pair_is_no_reason_to_fail(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    append(home, "t", "a\ud83d")
    entry = lookup(home, metadata(home).log_id, 0)
    assert entry is not None
    assert entry.text == "a?"


def test_the_newest_entries_come_oldest_first_and_once_in_a_row(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    assert newest(home, 3) == []
    for text in ("one", "two", "two", "three"):
        append(home, "t", text)
    with home.history_file.open("ab") as file:
        file.write(b"no entry\n")
    assert newest(home, 9) == ["one", "two", "three"]
    assert newest(home, 3) == ["two", "three"]
