"""The page in a real browser, against the real server, kernel and sandbox, with the demo model and no way out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import BrowserContext, Page, expect

if TYPE_CHECKING:
    from e2e.conftest import Workbench

ASK = "run `echo one >> made; rm -f made; echo done-$((40+2))`"
SETTINGS = ("-a", "untrusted", "-s", "workspace-write")


def message(page: Page):
    return page.get_by_role("textbox", name="Message")


def send(page: Page, text: str) -> None:
    message(page).fill(text)
    page.keyboard.press("Enter")


def opened(page: Page, link: str) -> None:
    page.goto(link)
    expect(page.get_by_text("connected")).to_be_visible()


def answer(page: Page, key: str) -> None:
    """After the half second in which a question takes no answer."""
    expect(page.locator("dialog.question:not(.asleep)")).to_be_visible()
    page.keyboard.press(key)


def over(page: Page) -> None:
    """No turn runs: Esc would stop it."""
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()


def test_a_turn_streams_an_approval_is_answered_by_keyboard_and_reload_keeps_the_place(
    workbench: Workbench, page: Page
) -> None:
    opened(page, workbench.start(*SETTINGS))
    expect(page.get_by_text("What should be done here?")).to_be_visible()
    expect(page.get_by_text("workspace-write")).to_be_visible()
    send(page, ASK)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Exactly this")).to_have_text("echo one >> made; rm -f made; echo done-$((40+2))")
    expect(page).to_have_title(re.compile(r"^\(1\)"))
    expect(dialog.get_by_role("button").first).to_be_focused()
    expect(dialog.get_by_role("button").first).to_contain_text("No")
    page.reload()
    expect(dialog.get_by_label("Exactly this")).to_contain_text("echo one")
    message(page).evaluate("field => { field.value = 'a draft'; field.dispatchEvent(new Event('input')) }")
    answer(page, "y")
    expect(page.get_by_text("exited with code 0")).to_be_visible()
    expect(dialog).to_have_count(0)
    page.locator(".command summary").last.click()
    expect(page.locator(".command .output").last).to_contain_text("done-42")
    place = page.url
    page.reload()
    expect(page.get_by_text("exited with code 0")).to_be_visible()
    assert page.url == place
    expect(message(page)).to_have_value("a draft")
    expect(page.locator("article.user")).to_have_count(1)


def test_enter_never_allows_and_a_question_put_off_waits(workbench: Workbench, page: Page) -> None:
    opened(page, workbench.start(*SETTINGS))
    send(page, ASK)
    expect(page.locator("dialog.question:not(.asleep)")).to_be_visible()
    page.get_by_role("button", name="Yes, once").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_text("One question waits for you").click()
    answer(page, "n")
    expect(page.get_by_text("Not allowed by page")).to_be_visible()
    expect(page.get_by_text("did not end")).to_be_visible()


def test_the_tour_writes_a_file_and_shows_plan_and_diff(workbench: Workbench, page: Page) -> None:
    opened(page, workbench.start("-s", "workspace-write"))
    page.get_by_text("Give me a tour of this directory").click()
    page.keyboard.press("Enter")
    expect(page.locator(".patch .diff .added").first).to_be_visible()
    expect(page.get_by_text("The tour is in CODEX_TOUR.md")).to_be_visible()
    assert (workbench.work / "CODEX_TOUR.md").exists()


def test_two_tabs_show_the_same_and_the_first_answer_closes_the_other_dialog(
    workbench: Workbench, page: Page, context: BrowserContext
) -> None:
    opened(page, workbench.start(*SETTINGS))
    other = context.new_page()
    other.goto(page.url)
    send(page, ASK)
    expect(other.get_by_role("dialog")).to_be_visible()
    answer(page, "y")
    expect(other.get_by_role("dialog")).to_have_count(0)
    expect(other.get_by_text("exited with code 0")).to_be_visible()


def test_the_open_tab_lives_on_when_the_server_starts_again_in_the_middle_of_a_turn(
    workbench: Workbench, page: Page
) -> None:
    opened(page, workbench.start(*SETTINGS))
    send(page, ASK)
    expect(page.get_by_role("dialog")).to_be_visible()
    assert "running threads go on" in workbench.stop()
    expect(page.get_by_text("no connection")).to_be_visible()
    workbench.start(*SETTINGS)
    expect(page.get_by_text("● connected")).to_be_visible()
    answer(page, "y")
    expect(page.get_by_text("exited with code 0")).to_be_visible()
    expect(page.locator("article.user")).to_have_count(1)


def test_a_second_codex_opens_its_thread_in_the_running_server(
    workbench: Workbench, page: Page, context: BrowserContext
) -> None:
    opened(page, workbench.start(*SETTINGS))
    second = context.new_page()
    opened(second, workbench.start("run `ls`", *SETTINGS))
    expect(second.get_by_text("exited with code 0")).to_be_visible()
    assert second.url.split("#")[0] == page.url.split("#")[0]
    assert second.url != page.url
    expect(page.locator(".tile")).to_have_count(2)


def test_files_and_commands_are_offered_and_taken_by_keyboard(workbench: Workbench, page: Page) -> None:
    opened(page, workbench.start(*SETTINGS))
    message(page).press_sequentially("look at @ket")
    expect(page.get_by_role("option").first).to_contain_text("kettle.py")
    page.keyboard.press("Tab")
    expect(message(page)).to_have_value("look at kettle.py ")
    message(page).fill("")
    message(page).press_sequentially("/sta")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Status")).to_contain_text("demo")


def test_hostile_text_stays_text(workbench: Workbench, page: Page) -> None:
    opened(page, workbench.start(*SETTINGS))
    bad = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    page.on("dialog", lambda dialog: (_ for _ in ()).throw(AssertionError(dialog.message)))
    send(page, f"run `echo '{bad}'`")
    expect(page.get_by_text("exited with code 0")).to_be_visible()
    assert page.locator("article img, article script").count() == 0
    expect(page.locator("article.user")).to_contain_text(bad)
    expect(page.locator(".tile .name").first).to_contain_text("<img src=x")


def test_without_the_cookie_there_is_nothing_and_a_link_is_good_once(
    workbench: Workbench, page: Page, context: BrowserContext
) -> None:
    link = workbench.start(*SETTINGS)
    base = link.split("/open")[0]
    assert context.request.get(base + "/").status == 403
    assert context.request.get(link).status == 200  # a preview
    opened(page, link)
    assert context.request.get(base + "/").status == 200
    assert context.request.get(base + "/", headers={"Origin": "http://evil.example"}).status == 403
    again = context.browser.new_context().new_page()  # type: ignore[union-attr]
    again.goto(link)
    expect(again.get_by_text("used before or is too old")).to_be_visible()
    again.context.close()
