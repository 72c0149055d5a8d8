"""Machines that confine less: what the head, the question and the answer say of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

from e2e.test_page import answer, opened, send

if TYPE_CHECKING:
    from e2e.conftest import Workbench

RUNG = "CODEX_SANDBOX_LOWEST_RUNG"


def test_weaker_confinement_is_accepted_once_for_this_machine(workbench: Workbench, page: Page) -> None:
    opened(page, workbench.start("-s", "workspace-write", env={RUNG: "3"}))
    expect(page.locator(".head")).to_contain_text("rung 3 of 5")
    send(page, "run `echo first`")
    dialog = page.get_by_role("dialog", name="Run this?")
    expect(dialog.get_by_label("Exactly this")).to_have_text("echo first")
    expect(dialog).to_contain_text("rung 3")
    expect(dialog).to_contain_text("Approving accepts that.")
    answer(page, "y")
    expect(page.get_by_text("exited with code 0")).to_have_count(1)
    send(page, "run `echo second`")
    expect(page.get_by_text("exited with code 0")).to_have_count(2)
    first = page.url
    page.keyboard.press("Alt+n")
    expect(page).not_to_have_url(first)
    send(page, "run `echo in another thread`")
    expect(page.get_by_text("exited with code 0")).to_have_count(1)
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_where_nothing_confines_every_command_asks_and_the_question_says_so(workbench: Workbench, page: Page) -> None:
    opened(page, workbench.start("-s", "workspace-write", env={RUNG: "5"}))
    expect(page.locator(".head .fact.wait", has_text="rung 5 of 5")).to_be_visible()
    for number, word in enumerate(("first", "second"), 1):
        send(page, f"run `echo {word}`")
        dialog = page.get_by_role("dialog", name=re.compile("^Run this"))
        expect(dialog.get_by_label("Exactly this")).to_have_text(f"echo {word}")
        expect(dialog).to_contain_text("none: it runs with all your rights")
        answer(page, "y")
        expect(page.get_by_text("exited with code 0")).to_have_count(number)
