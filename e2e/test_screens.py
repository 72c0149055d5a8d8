"""Every state of the page in both themes and three widths: looked at by axe here, and by people as pictures.

`CODEX_PICTURES=FOLDER` writes them all; two of them lie in `app/pictures`, for the README: those were made with
`CODEX_PICTURES_HOME=/home/ada`, in which the repository that they show then lies, and is removed afterwards.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from e2e.axe import grave
from e2e.test_page import message, opened, over, send

if TYPE_CHECKING:
    from e2e.conftest import Workbench

WIDTHS = {1400: 900, 1000: 750, 390: 800}
THEMES = ("light", "dark")
RISKY = "run `rm -rf build && echo one >> made; echo done`"
PLAIN = "run `touch made`"


class Screens:
    """Takes one state in every look, and keeps what axe says of it."""

    def __init__(self, page: Page, folder: Path | None) -> None:
        self.page = page
        self.found: list[str] = []
        self._folder = folder

    def take(self, name: str, *, widths: tuple[int, ...] = tuple(WIDTHS)) -> None:
        for theme in THEMES:
            self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            self.page.mouse.move(0, 0)
            for width in widths:
                self.page.set_viewport_size({"width": width, "height": WIDTHS[width]})
                if self._folder is not None:
                    self.page.screenshot(path=self._folder / f"{name}-{theme}-{width}.png", animations="disabled")
            self.page.set_viewport_size({"width": 1400, "height": 900})
            self.found += [f"{name} {theme}: {problem}" for problem in grave(self.page)]
        self.page.emulate_media(color_scheme="light")


def pictures() -> Path | None:
    named = os.environ.get("CODEX_PICTURES")
    if not named:
        return None
    folder = Path(named)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def workbench(workbench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    named = os.environ.get("CODEX_PICTURES_HOME")
    home = workbench.work.parent if named is None else Path(named)
    workbench.work = Path(shutil.move(workbench.work, home / "kettle"))
    monkeypatch.setenv("HOME", str(home))
    yield workbench
    workbench.end()
    while named and workbench.work.exists():  # its agents take away what is theirs meanwhile
        shutil.rmtree(workbench.work, ignore_errors=True)


def closed(page: Page) -> None:
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def dialogs(page: Page) -> list[tuple[str, Callable[[], object]]]:
    return [
        ("keys", lambda: page.keyboard.press("?")),
        ("status", lambda: send(page, "/status")),
        ("rules", lambda: send(page, "/rules")),
        ("theme", lambda: send(page, "/theme ")),
        ("approvals", lambda: send(page, "/approvals")),
        ("new-in", lambda: send(page, "/new-in ")),
    ]


def test_axe_finds_nothing_serious_in_any_state_and_either_theme(workbench: Workbench, page: Page) -> None:
    screens = Screens(page, pictures())
    (workbench.work / "build").mkdir()
    (workbench.work / "build" / "one.o").write_text("x")
    opened(page, workbench.start("-a", "untrusted", "-s", "workspace-write"))
    expect(page.get_by_text("What should be done here?")).to_be_visible()
    screens.take("empty")
    send(page, RISKY)
    expect(page.locator("dialog.question:not(.asleep)")).to_be_visible()
    screens.take("approval")
    page.keyboard.press("n")
    expect(page.get_by_text("Not allowed by page")).to_be_visible()
    over(page)
    send(page, PLAIN)
    expect(page.locator("dialog.question:not(.asleep)")).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_label(re.compile("Commands that begin with these words"))).to_be_focused()
    screens.take("always")
    page.keyboard.press("Escape")
    expect(page.get_by_text("One question waits for you")).to_be_visible()
    screens.take("put-off")
    page.get_by_text("One question waits for you").click()
    expect(page.locator("dialog.question:not(.asleep)")).to_be_visible()
    page.get_by_role("button", name="Yes, once").focus()
    page.keyboard.press("y")
    expect(page.get_by_text("exited with code 0")).to_be_visible()
    screens.take("done")
    for name, show in dialogs(page):
        message(page).fill("")
        page.locator("body").focus()
        page.evaluate("document.activeElement.blur()")
        show()
        expect(page.get_by_role("dialog")).to_be_visible()
        screens.take(name)
        closed(page)
    page.keyboard.press("Alt+t")
    page.keyboard.press("Alt+t")
    page.get_by_role("button", name=re.compile("^More about")).first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    screens.take("thread-menu")
    closed(page)
    page.get_by_role("searchbox", name="Find a thread").fill("nothing like it")
    expect(page.get_by_text("No thread is left by this filter.")).to_be_visible()
    screens.take("filtered")
    page.set_viewport_size({"width": 390, "height": 800})
    page.get_by_role("button", name=re.compile("Threads")).click()
    expect(page.get_by_role("navigation", name="Threads")).to_be_visible()
    screens.take("list-narrow", widths=(390,))
    assert screens.found == []


def test_a_tour_looks_as_it_should_in_both_themes(workbench: Workbench, page: Page) -> None:
    screens = Screens(page, pictures())
    opened(page, workbench.start("-s", "workspace-write"))
    send(page, "Give me a tour of this directory and write it down.")
    expect(page.get_by_text("The tour is in CODEX_TOUR.md")).to_be_visible()
    expect(page.get_by_text("Today", exact=True)).to_be_visible()  # in the list it is over as well
    screens.take("tour")
    assert screens.found == []


def test_a_first_run_looks_as_it_should_in_both_themes(workbench: Workbench, page: Page) -> None:
    screens = Screens(page, pictures())
    opened(page, workbench.start(demo=False))
    expect(page.get_by_role("dialog", name="How should a model be reached?")).to_be_visible()
    screens.take("login")
    page.get_by_label("API key").fill("sk-test-1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Do you trust this folder?")).to_be_visible()
    screens.take("trust")
    page.get_by_role("button", name="Yes, I trust it").click()
    expect(page.get_by_text("workspace-write")).to_be_visible()
    assert workbench.stop()
    expect(page.get_by_text("no connection")).to_be_visible()
    screens.take("lost")
    assert screens.found == []
