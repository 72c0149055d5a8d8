"""Search over all threads from the page: by keyboard, with filters, and a hit opens at its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from e2e.conftest import Workbench


def send(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Message").fill(text)
    page.keyboard.press("Enter")


def test_a_hit_in_another_thread_opens_at_its_place(workbench: Workbench, page: Page) -> None:
    page.goto(workbench.start("run `echo needle-$((40+2))`", "-a", "never", "-s", "workspace-write"))
    expect(page.get_by_text("exited with code 0")).to_be_visible()
    first = page.url
    for number in range(3):
        send(page, f"run `echo hay {number}`")
        expect(page.get_by_text("exited with code 0")).to_have_count(number + 2)
    page.keyboard.press("Alt+n")
    expect(page.get_by_text("What should be done here?")).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type("needle-42")
    places = page.get_by_role("option")
    expect(page.locator(".place mark").first).to_have_text("needle-42")
    expect(places).to_have_count(1)
    page.keyboard.press("Control+a")
    page.keyboard.type("needle")
    expect(places).not_to_have_count(1)
    page.keyboard.press("Tab")
    for name in ("Said", "Run", "Printed"):
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("radio", name=name)).to_be_focused()
    expect(page.locator(".place .small")).to_contain_text(["printed"])
    expect(places).to_have_count(1)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    found = page.locator("article.command").first
    expect(found.locator(".output")).to_be_visible()
    expect(found.locator(".output")).to_contain_text("needle-42")
    assert page.url == first


def test_a_command_of_words_searches_and_nothing_found_is_said(workbench: Workbench, page: Page) -> None:
    page.goto(workbench.start("run `echo one`", "-a", "never", "-s", "workspace-write"))
    expect(page.get_by_text("exited with code 0")).to_be_visible()
    send(page, "/search nowhere-at-all")
    expect(page.get_by_text("These words stand together nowhere.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("textbox", name="Message")).to_be_focused()
