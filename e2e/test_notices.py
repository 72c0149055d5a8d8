"""What stands between the answers: errors with what helps, and the summary in the place of a history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

from e2e.test_page import message, opened, send
from tests.support.model_server import ModelServer, Script
from tests.support.replies import fails, says

if TYPE_CHECKING:
    from e2e.conftest import Workbench


def asked_of(server: ModelServer, workbench: Workbench, page: Page) -> None:
    env = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test"}
    opened(page, workbench.start("-s", "workspace-write", demo=False, env=env))


def test_an_error_says_what_helps_and_does_it(workbench: Workbench, page: Page) -> None:
    script: Script = [fails(401, {"error": {"message": "Incorrect API key provided"}}), says("It is 42.")]
    with ModelServer(script) as server:
        asked_of(server, workbench, page)
        send(page, "what is it?")
        notice = page.locator("article.notice.bad")
        expect(notice).to_contain_text("401")
        notice.get_by_role("button", name="Log in …").press("Enter")
        expect(page.get_by_role("dialog", name="How should a model be reached?")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        notice.get_by_role("button", name="Write the message again").press("Enter")
        expect(message(page)).to_have_value("what is it?")
        expect(message(page)).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_text("It is 42.")).to_be_visible()


def test_the_summary_that_took_a_historys_place_unfolds(workbench: Workbench, page: Page) -> None:
    with ModelServer([says("One word. " * 2000), says("SUMMARY: one was said.")]) as server:
        asked_of(server, workbench, page)
        send(page, "say one")
        expect(page.locator("article.answer .acts")).to_have_count(1)
        send(page, "/compact")
        note = page.locator("article.note", has_text="The history was replaced by a summary of it.")
        expect(note).to_be_visible()
        expect(note.get_by_text("SUMMARY: one was said.")).to_be_hidden()
        note.locator("summary").press("Enter")
        expect(note.get_by_text("SUMMARY: one was said.")).to_be_visible()
        page.reload()
        expect(note).to_be_visible()
