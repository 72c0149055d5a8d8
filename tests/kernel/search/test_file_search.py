from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Literal

import pytest

from codex_kernel.sandbox.git import ls_files
from codex_kernel.search.file_search import FileSearch
from codex_kernel.search.index import FileIndex, ListFiles
from codex_protocol.errors import CodexError
from tests.support.file_trees import make_paths, write_tree

Make = Callable[..., FileSearch]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    made: list[FileSearch] = []

    def search(**options: object) -> FileSearch:
        made.append(FileSearch(tmp_path, **options))  # type: ignore[arg-type]
        return made[-1]

    yield search
    for each in made:
        await each.close()


def paths(found: object) -> list[str]:
    assert found is not None
    return [match.path for match in found.matches]  # type: ignore[attr-defined]


def git(root: Path, *args: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *args], cwd=root, check=True)


async def test_a_directory_without_git_is_searched(tmp_path: Path, make: Make) -> None:
    write_tree(tmp_path, ["src/parser.py", "src/lexer.py"])
    assert paths(await make(list_files=ls_files).search("pars")) == ["src/parser.py"]
    assert paths(await make().search("src")) == ["src", "src/lexer.py", "src/parser.py"]


async def test_tracked_files_are_found_before_untracked_ones_are_known(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write_tree(tmp_path, ["tracked_a.py", "d/tracked_b.py", "ignored_c.py"])
    (tmp_path / ".gitignore").write_text("ignored*\n")
    git(tmp_path, "add", ".")
    write_tree(tmp_path, ["untracked_d.py"])
    let_go = asyncio.Event()

    async def slowly(cwd: Path, which: Literal["tracked", "untracked"]) -> list[str]:
        if which == "untracked":
            await let_go.wait()
        return await ls_files(cwd, which)

    index = FileIndex(tmp_path, slowly)
    assert sorted((await index.ready()).paths) == [".gitignore", "d", "d/tracked_b.py", "tracked_a.py"]
    assert not index.complete
    let_go.set()
    assert "untracked_d.py" in (await index.settled()).paths
    assert index.complete
    await index.close()


async def test_deleted_files_are_not_told(tmp_path: Path, make: Make) -> None:
    git(tmp_path, "init", "-q")
    write_tree(tmp_path, ["gone.py", "gone_not.py"])
    git(tmp_path, "add", ".")
    (tmp_path / "gone.py").unlink()
    assert paths(await make(list_files=ls_files).search("gone")) == ["gone_not.py"]


async def test_what_may_not_be_read_is_not_told(tmp_path: Path, make: Make) -> None:
    write_tree(tmp_path, ["secret/key.pem", "open/key.txt"])
    search = make(rights=lambda: lambda path: not path.is_relative_to(tmp_path / "secret"))
    assert paths(await search.search("key")) == ["open/key.txt"]
    assert paths(await search.search("secret")) == []


async def test_new_files_are_found_after_a_refresh(tmp_path: Path, make: Make) -> None:
    write_tree(tmp_path, ["one.py"])
    search = make()
    assert paths(await search.search("two")) == []
    write_tree(tmp_path, ["two.py"])
    known = search.index.candidates
    search.index.refresh()
    await search.index.settled()
    assert search.index.candidates is not known
    assert paths(await search.search("two")) == ["two.py"]
    known = search.index.candidates
    search.index.refresh()
    await search.index.settled()
    assert search.index.candidates is known


async def test_a_refresh_while_one_runs_is_not_lost(tmp_path: Path) -> None:
    asked = 0
    gate = asyncio.Event()

    async def listing(cwd: Path, which: Literal["tracked", "untracked"]) -> list[str]:
        nonlocal asked
        if which == "untracked":
            return []
        asked += 1
        await gate.wait()
        return [f"file{asked}"]

    index = FileIndex(tmp_path, listing)
    index.refresh()
    await asyncio.sleep(0)
    index.refresh()
    gate.set()
    assert (await index.settled()).paths == ["file2"]
    await index.close()


async def test_only_the_newest_question_is_answered(tmp_path: Path, make: Make) -> None:
    write_tree(tmp_path, make_paths(300))
    entered, go_on = threading.Event(), threading.Event()

    def slowly(path: str) -> bool:
        entered.set()
        return go_on.wait(5)

    search = make(rights=lambda: slowly)
    first = asyncio.create_task(search.search("par"))
    await asyncio.to_thread(entered.wait, 5)
    second = asyncio.create_task(search.search("wid"))
    third = asyncio.create_task(search.search("main"))
    await asyncio.sleep(0)
    go_on.set()
    assert await first is None
    assert await second is None
    assert paths(await third)


async def test_a_cancelled_question_leaves_the_next_one_its_answer(tmp_path: Path, make: Make) -> None:
    write_tree(tmp_path, make_paths(100))
    search = make()
    await search.index.settled()
    waiting = asyncio.create_task(search.search("a"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert paths(await search.search("a"))


async def test_closing_answers_what_is_open(tmp_path: Path, make: Make) -> None:
    never = asyncio.Event()

    async def listing(cwd: Path, which: Literal["tracked", "untracked"]) -> list[str]:
        await never.wait()
        raise AssertionError

    search = make(list_files=listing)
    waiting = asyncio.create_task(search.search("a"))
    await asyncio.sleep(0)
    await search.close()
    assert await waiting is None
    assert await search.search("a") is None


@pytest.mark.parametrize("error", [CodexError("no git"), OSError("no git"), RuntimeError("a mistake")])
async def test_a_listing_that_fails_is_no_failure(tmp_path: Path, make: Make, error: Exception) -> None:
    write_tree(tmp_path, ["one.py"])

    async def listing(cwd: Path, which: Literal["tracked", "untracked"]) -> list[str]:
        raise error

    found = paths(await make(list_files=listing).search("one"))
    assert found == ([] if isinstance(error, RuntimeError) else ["one.py"])


def test_the_one_door_to_git_is_a_lister() -> None:
    lister: ListFiles = ls_files
    assert lister is ls_files
