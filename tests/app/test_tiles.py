"""The list of threads: its order, what a filter leaves, and what people do to threads from it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_app.desk import Desk, directory_of
from codex_app.following import FollowedRoom
from codex_app.rooms import Room, Viewer
from codex_app.tiles import Filter, tiles
from codex_protocol.errors import CodexError
from codex_store.home import Home
from codex_store.rollout_writer import RolloutWriter
from codex_store.running import Announcement, RunningThread
from codex_store.threads import list_threads
from tests.support.rollouts import home_at, write_thread, write_turn

BAD = "<b>\u202e"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = home_at(tmp_path)
    made.root.chmod(0o700)
    for number, prompt in enumerate(["alpha", "beta", f"gamma {BAD}"]):
        path = write_thread(made, prompt, cwd=f"/{prompt[0]}", source="exec" if number else "codex_page")
        os.utime(path, (1_000_000 + number, 1_000_000 + number))
    return made


class Watcher:
    """A tab that shows a room."""

    def __init__(self, room: Room) -> None:
        self.news = asyncio.Event()
        room.viewers.add(Viewer(self, room))

    def tell(self, data: bytes | dict[str, Any]) -> None:
        self.news.set()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not true():
                self.news.clear()
                await self.news.wait()


def names(home: Home, **wanted: object) -> list[str]:
    return [tile["name"] for tile in tiles(home, Filter(**wanted))]  # type: ignore[arg-type]  # any of its fields


def ids(home: Home) -> list[str]:
    return [info.id for info in list_threads(home)]


def test_who_waits_comes_first_then_who_works_then_the_newest(home: Home) -> None:
    newest, middle, oldest = ids(home)
    asks = Announcement(home, RunningThread(thread_id=oldest, pid=1, connection_file="x", state="asking", doing=BAD))
    works = Announcement(home, RunningThread(thread_id=middle, pid=1, connection_file="x", state="working", since=5))
    found = tiles(home)
    assert [tile["id"] for tile in found] == [oldest, middle, newest]
    assert (found[0]["state"], found[1]["state"], found[1]["updated"]) == ("asking", "working", 5)
    assert "\u202e" not in found[0]["doing"] + found[2]["name"]
    asks.close()
    works.close()


def test_a_filter_leaves_what_it_names(home: Home) -> None:
    assert names(home, search="alpha") == ["alpha"]
    assert names(home, directory="/b") == ["beta"]
    assert names(home, source="codex_page") == ["alpha"]
    assert names(home, archived=True) == []


async def test_a_stored_thread_is_named_archived_taken_back_and_deleted(home: Home) -> None:
    desk = Desk(home)
    thread = ids(home)[2]
    await desk.rename(thread, "kettle")
    assert "kettle" in names(home)
    await desk.archive(thread)
    assert "kettle" not in names(home)
    assert names(home, archived=True) == ["kettle"]
    await desk.unarchive(thread)
    await desk.delete(thread)
    assert len(ids(home)) == 2
    with pytest.raises(CodexError, match="no thread"):
        await desk.delete(thread)


async def test_a_thread_at_work_or_of_a_notebook_is_neither_archived_nor_deleted(home: Home) -> None:
    desk = Desk(home)
    thread = ids(home)[0]
    running = Announcement(home, RunningThread(thread_id=thread, pid=1, connection_file="x", state="working"))
    with pytest.raises(CodexError, match="stop it first"):
        await desk.delete(thread)
    running.update(state="idle")
    with pytest.raises(CodexError, match="notebook"):
        await desk.archive(thread)
    running.close()
    assert len(ids(home)) == 3


async def test_a_thread_that_another_program_writes_is_followed_and_not_told_anything(home: Home) -> None:
    info = list_threads(home)[0]
    desk = Desk(home)
    with RolloutWriter.reopen(info.path) as writer:
        assert tiles(home)[0]["state"] == "elsewhere"
        room = await desk.room(info.id)
        assert isinstance(room, FollowedRoom)
        assert room.hub.drawing.state["read_only"] == "exec"
        with pytest.raises(CodexError, match="another program runs this thread"):
            await room.query("status")
        before = len(room.hub.drawing.entries)
        write_turn(writer, "what was asked meanwhile", answer="what was said meanwhile")
        watcher = Watcher(room)
        await watcher.until(lambda: len(room.hub.drawing.entries) >= before + 2)
        texts = [entry.view().get("text", "") for entry in room.hub.drawing.entries.values()]
        assert texts.count("what was asked meanwhile") == 1
    await watcher.until(lambda: not room.followed)
    assert room.hub.drawing.state["read_only"] is None
    await desk.aclose()


def test_a_directory_is_given_whole_and_must_be_there(tmp_path: Path) -> None:
    assert directory_of(f" {tmp_path}/ ") == str(tmp_path)
    for wrong in ("some/where", str(tmp_path / "nope"), ""):
        with pytest.raises(CodexError, match="directory"):
            directory_of(wrong)
