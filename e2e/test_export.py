"""Exports: from the page to a file, and the file in a browser of its own, where it runs and fetches nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from codex_client.export.thread import export_thread
from codex_store.home import Home
from codex_store.threads import list_threads
from e2e.conftest import Workbench
from tests.support.hostile_texts import HOSTILE
from tests.support.rollouts import write_thread

KEY = "sk-proj-abcdefghijklmnopqrstuvwx1234"


def test_a_thread_is_exported_by_keyboard_after_its_secrets_were_shown(
    workbench: Workbench, page: Page, tmp_path: Path
) -> None:
    page.goto(workbench.start("-s", "read-only"))
    expect(page.get_by_text("connected")).to_be_visible()
    field = page.get_by_role("textbox", name="Message")
    field.fill(f"hello {KEY}")
    field.press("Enter")
    expect(page.locator("article.answer").last).to_contain_text("demo model")
    field.fill("/export")
    field.press("Enter")
    dialog = page.get_by_role("dialog", name="Export this thread")
    expect(dialog).to_contain_text("OpenAI key: sk-p… (36 characters)")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.suffix == ".html"
    assert "hello [redacted: OpenAI key]" in "".join(
        file.read_text().replace('<span class="redacted">', "").split("</span>")
    )
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(field).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_exported_page_of_hostile_texts_runs_and_fetches_nothing(
    browser: Browser, tmp_path: Path, scheme: str
) -> None:
    home = Home(root=tmp_path)
    write_thread(home, *HOSTILE, "\n\n".join(HOSTILE))
    file = tmp_path / "thread.html"
    file.write_text(export_thread(home, list_threads(home)[0], "html", env={}).text)
    context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    page = context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("dialog", lambda dialog: told.append(dialog.message))
    page.on("request", lambda request: told.append(request.url))
    page.goto(file.as_uri())
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(16, 18, 20)" if scheme == "dark" else "rgb(255, 255, 255)")  # its own style is let in
    assert page.evaluate("document.scripts.length") == 0
    assert told == [file.as_uri()]
    page.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/x.png'}))")
    page.wait_for_function("performance.now() > 0")
    assert any("Content Security Policy" in text for text in told[1:])  # whatever got in would be stopped
    context.close()
