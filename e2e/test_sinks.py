"""Nothing that others wrote runs in the page or makes it ask anybody for anything; every sink is tried."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from codex_protocol import events as ev
from e2e.sinks import CORPUS, SINKS, UNSEEN, kinds_in_table
from e2e.test_page import message, opened, send

FOREIGN = (
    "script:not([nonce]), iframe[srcdoc], object, embed, base, meta[http-equiv], form[action], svg [onload], template,"
    " math, main img:not([src^='/picture/']), dialog img, nav img, [onerror], [onclick], [onload], [onfocus],"
    " [onmouseover]"
)
CLEAN = r"""foreign => [
  String(window.hit ?? ''), ...[...document.querySelectorAll(foreign)].map(e => e.outerHTML),
  ...[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))
    .filter(href => !/^(https?:|mailto:|vscode:|#|\/picture\/)/.test(href)),
  ...[document.title, document.body.innerText]
    .map(text => /.{0,20}[\u0000-\u0008\u000e-\u001f\u007f-\u009f\u200b\u202a-\u202e\u2066-\u2069].{0,40}/.exec(text))
    .filter(Boolean).map(found => `shown as it is: ${found[0]}`)]"""
DIALOGS = ("/rules", "/waiting", "/login", "/trust", "/status")


def test_every_kind_of_event_stands_in_the_table_of_sinks() -> None:
    missing = {str(kind) for kind in ev.EVENT_KINDS} - kinds_in_table() - set(UNSEEN)
    assert missing == set()
    assert [name for name, make in SINKS.items() if not make("x")] == []


@pytest.fixture
def link(tmp_path: Path) -> Iterator[str]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    process = subprocess.Popen(
        [sys.executable, "-m", "e2e.sink_page", str(home)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    yield process.stdout.readline().strip()
    process.stdin.close()
    process.stdout.close()
    process.wait(20)


def clean(page: Page) -> list[str]:
    """What of the text became more than text, or shows control, bidi or zero-width characters as they are."""
    return [one for one in page.evaluate(CLEAN, FOREIGN) if one]


def dismissed(page: Page) -> None:
    for _ in range(40):
        if not page.locator("dialog[open]").count():
            return
        page.keyboard.press("Escape")
    raise AssertionError("a dialog does not close")


def offered(page: Page) -> None:
    """The list below `@`; typed again where a late dialog took the keys."""
    for letter in "abc":
        message(page).fill("")
        message(page).press_sequentially(f"@{letter}")
        with contextlib.suppress(AssertionError):
            expect(page.get_by_role("option").first).to_be_visible(timeout=3000)
            return
    raise AssertionError("no files are offered")


def test_nothing_of_the_corpus_runs_or_leaves_in_any_sink(link: str, page: Page) -> None:
    problems: list[str] = []
    page.route("**/picture/**", lambda route: route.fulfill(status=200, content_type="image/png", body=b""))
    opened(page, link)
    for number in range(len(CORPUS)):
        dismissed(page)
        page.locator(f'.tile[data-thread="bad-{number}"]').click()
        expect(page.locator("dialog[open]").first).to_be_visible()
        for _ in range(40):  # every question of the thread, and the first run's
            problems += [f"{number}: {one}" for one in clean(page)]
            if not page.locator("dialog[open]").count():
                break
            page.keyboard.press("Escape")
        expect(page.get_by_text(f"all of {number} is said")).to_be_attached()
        page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
        offered(page)
        problems += [f"{number} in the popup: {one}" for one in clean(page)]
        message(page).fill("")
        for command in DIALOGS:
            send(page, command)
            expect(page.locator("dialog[open]").first).to_be_visible()
            problems += [f"{number} {command}: {one}" for one in clean(page)]
            dismissed(page)
        send(page, "hello")
        expect(page.locator(".toast")).to_be_visible()
        problems += [f"{number} refused: {one}" for one in clean(page)]
        message(page).fill("")
    assert "\n".join(sorted(set(problems))) == ""
