"""A thread of many entries in a tab that stays open: it does not grow without end, and nothing is out of its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

from codex_store.home import Home
from e2e.test_page import opened, send
from tests.support.long_thread import write_long_thread

if TYPE_CHECKING:
    from e2e.conftest import Workbench

ENTRIES = 480


def test_what_stands_far_above_leaves_the_tab_and_comes_back_in_order(workbench: Workbench, page: Page) -> None:
    workbench.home.chmod(0o700)
    thread = write_long_thread(Home(root=workbench.home), workbench.work, ENTRIES, model="demo", provider="demo")
    link = workbench.start("-s", "workspace-write")
    opened(page, link)
    page.goto(f"{link.split('/open')[0]}/#{thread}")
    log = page.get_by_role("log", name="Conversation")
    entries = page.locator(".entries > article")
    expect(entries).to_have_count(80)
    log.focus()
    for shown in range(160, ENTRIES + 1, 80):
        page.keyboard.press("Home")
        expect(entries).to_have_count(min(shown, ENTRIES))
    expect(page.locator("article.user").first).to_contain_text("Turn 0:")
    send(page, "run `echo here`")
    expect(page.get_by_text("exited with code 0", exact=False).last).to_be_visible()
    expect(page.locator("article.user").last).to_contain_text("run `echo here`")
    expect(page.locator("article.user").first).not_to_contain_text("Turn 0:")
    expect(page.locator("article.answer").last).to_be_in_viewport()
    assert entries.count() < 200
    log.focus()
    before = entries.count()
    page.keyboard.press("Home")
    expect(entries).to_have_count(before + 80)
    turns = [
        int(text.split("Turn ")[1].split(":")[0])
        for text in page.locator("article.user .said").all_text_contents()[:-1]
    ]
    assert turns == list(range(turns[0], ENTRIES // 4))
