"""Somebody who has never seen it, with a keyboard and no mouse: from `codex --demo` to the day after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

from e2e.test_page import SETTINGS, answer, message, opened, over

if TYPE_CHECKING:
    from e2e.conftest import Workbench

TOUR = "Give me a tour of this directory and write it down."
WRITTEN = "The tour is in CODEX_TOUR.md"
POINTED = "window.pointed = 0; addEventListener('pointerdown', () => { window.pointed++ }, true)"


def typed(page: Page, text: str) -> None:
    expect(message(page)).to_be_focused()
    page.keyboard.type(text)


def settled(page: Page) -> None:
    """Something waits for the person, or the tour is over."""
    expect(page.locator("dialog.question:not(.asleep)").or_(page.get_by_text(WRITTEN)).first).to_be_visible()


def asks_for_the_patch(page: Page) -> bool:
    expect(page.locator("dialog.question:not(.asleep)")).to_be_visible()
    return page.get_by_role("heading", name="Apply these changes?").count() > 0


def test_a_first_day_by_keyboard_alone_finds_everything_where_it_was(workbench: Workbench, page: Page) -> None:
    page.add_init_script(POINTED)
    opened(page, workbench.start(*SETTINGS))
    expect(page.get_by_text("What should be done here?")).to_be_visible()
    typed(page, TOUR)
    page.keyboard.press("Enter")

    # Plan, commands, and the diff that waits; a reload in the middle of the turn.
    answered = 0
    while not asks_for_the_patch(page):
        answer(page, "y")
        answered += 1
        expect(page.get_by_text("Allowed by page")).to_have_count(answered)
    expect(page.locator("dialog.question .added").first).to_be_visible()
    expect(page.get_by_label("Plan")).to_contain_text("1 of 3 done")
    commands = page.locator("article.command").count()
    assert commands > 0
    page.reload()
    expect(page.locator("dialog.question .added").first).to_be_visible()
    expect(page.get_by_label("Plan")).to_contain_text("1 of 3 done")
    expect(page.locator("article.command")).to_have_count(commands)
    assert not (workbench.work / "CODEX_TOUR.md").exists()
    while not page.get_by_text(WRITTEN).count():
        answer(page, "y")
        answered += 1
        expect(page.get_by_text("Allowed by page")).to_have_count(answered)
        settled(page)
    expect(page.get_by_text(WRITTEN)).to_be_visible()
    expect(page.locator(".patch .diff .added").first).to_be_visible()
    assert (workbench.work / "CODEX_TOUR.md").exists()

    typed(page, "run `cat README.md`")
    page.keyboard.press("Enter")
    expect(page.get_by_text("exited with code 0")).to_be_visible()
    over(page)
    whole = page.url

    # Esc Esc: the message comes back into the field, in a branch.
    expect(message(page)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Esc edit prev")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("option", selected=True)).to_contain_text("run `cat README.md`")
    page.keyboard.press("Enter")
    expect(message(page)).to_have_value("run `cat README.md`")
    expect(page.locator("article.user")).to_have_count(1)
    expect(message(page)).to_be_focused()
    page.keyboard.press("Control+a")
    typed(page, "run `cat kettle.py`")
    page.keyboard.press("Enter")
    expect(page.get_by_text("exited with code 0")).to_be_visible()
    over(page)
    expect(page.locator("article.user")).to_have_count(2)
    expect(page).not_to_have_url(whole)

    # The server ends and comes again: the place, the conversation and what was not sent yet are there.
    typed(page, "half a thought")
    branch = page.url
    shown = page.locator("article").count()
    assert "running threads go on" in workbench.stop()
    expect(page.get_by_text("no connection")).to_be_visible()
    workbench.start(*SETTINGS)
    expect(page.get_by_text("● connected")).to_be_visible()
    expect(message(page)).to_have_value("half a thought")
    expect(message(page)).to_be_focused()
    expect(page.locator("article")).to_have_count(shown)
    page.reload()
    expect(page.get_by_text("● connected")).to_be_visible()
    expect(message(page)).to_have_value("half a thought")
    expect(page.locator("article.user")).to_have_count(2)
    expect(page.locator("article.user").last).to_contain_text("kettle.py")
    expect(page).to_have_url(branch)

    # The old branch is where it was, by its name.
    page.keyboard.press("Alt+b")
    tree = page.get_by_role("dialog", name="Branches")
    expect(tree).to_be_visible()
    page.keyboard.press("Escape")
    expect(tree).to_be_hidden()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    typed(page, "/resume Give me a tour")
    page.keyboard.press("Enter")
    expect(page.locator("article.user").last).to_contain_text("README.md")
    expect(page).to_have_url(whole)
    assert page.evaluate("window.pointed") == 0
