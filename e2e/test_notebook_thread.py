"""A thread that a notebook runs, joined from the page: both see what the other says, once, and either answers."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from codex_client import Codex, Thread
from e2e.test_page import SETTINGS, answer, opened, send

if TYPE_CHECKING:
    from e2e.conftest import Workbench

RISKY = "run `echo {name} >> made; rm -f made`"


class Person:
    """Who sits at the notebook: answers when the test lets them."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.says_yes = threading.Event()

    async def __call__(self, question: object) -> bool:
        self.asked.append(question)
        return await asyncio.to_thread(self.says_yes.wait, 60)


@pytest.fixture
def person() -> Person:
    return Person()


@pytest.fixture
def notebook(workbench: Workbench, person: Person) -> Iterator[Thread]:
    settings = {"demo": True, "sandbox": "workspace-write", "approval_policy": "untrusted", "fork": False}
    with Codex(cwd=str(workbench.work), env={"CODEX_HOME": str(workbench.home)}, approvals=person, **settings) as codex:
        yield codex.thread_start()
        person.says_yes.set()


def in_background(thread: Thread, prompt: str) -> threading.Thread:
    """A cell that runs."""
    cell = threading.Thread(target=lambda: thread.run(prompt), daemon=True)
    cell.start()
    return cell


def joined(page: Page, thread: Thread) -> None:
    """From the list, as a person does."""
    tile = page.locator(".tile", has_text="run `echo one`")
    expect(tile).to_be_visible()
    tile.click()
    expect(page.locator("article.user")).to_contain_text("run `echo one`")
    expect(page).to_have_url(re.compile(f"#{thread.id}$"))


def test_a_notebooks_thread_is_joined_and_each_sees_the_others_messages_once(
    workbench: Workbench, page: Page, notebook: Thread, person: Person
) -> None:
    notebook.run("run `echo one`")
    opened(page, workbench.start(*SETTINGS))
    joined(page, notebook)
    expect(page.get_by_text("exited with code 0")).to_have_count(1)

    notebook.run("run `echo two`")
    expect(page.locator("article.user")).to_have_count(2)
    expect(page.locator("article.user").last).to_contain_text("run `echo two`")
    expect(page.get_by_text("exited with code 0")).to_have_count(2)

    send(page, "run `echo three`")
    expect(page.get_by_text("exited with code 0")).to_have_count(3)
    expect(page.locator("article.user")).to_have_count(3)
    last = notebook.run("run `echo four`")
    assert "exited with code 0" in (last.final_response or "")
    expect(page.locator("article.user")).to_have_count(4)
    expect(page.locator("article.command")).to_have_count(4)
    page.reload()
    expect(page.locator("article.user")).to_have_count(4)
    expect(page.locator("article.command")).to_have_count(4)


def test_either_answers_what_a_joined_thread_asks(
    workbench: Workbench, page: Page, notebook: Thread, person: Person
) -> None:
    notebook.run("run `echo one`")
    opened(page, workbench.start(*SETTINGS))
    joined(page, notebook)

    cell = in_background(notebook, RISKY.format(name="by_page"))
    expect(page.get_by_role("dialog").get_by_label("Exactly this")).to_contain_text("by_page")
    answer(page, "y")
    expect(page.get_by_text("exited with code 0")).to_have_count(2)
    cell.join(30)
    assert not cell.is_alive()
    assert len(person.asked) == 1

    cell = in_background(notebook, RISKY.format(name="by_notebook"))
    expect(page.get_by_role("dialog").get_by_label("Exactly this")).to_contain_text("by_notebook")
    person.says_yes.set()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_text("exited with code 0")).to_have_count(3)
    expect(page.get_by_text("Allowed by python")).to_have_count(1)
    cell.join(30)
    assert not cell.is_alive()
    assert not Path(workbench.work / "made").exists()
