"""What changed, beside the conversation: by commands too, with comments, and taken back where nobody has been since."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

from e2e.axe import grave

if TYPE_CHECKING:
    from e2e.conftest import Workbench

KETTLE = "".join(f"step_{n} = {n}\n" for n in range(1, 31))
COMMAND = "sed -i -e 's/= 2$/= 200/' -e 's/= 20$/= 2000/' kettle.py; echo new > new.md"


def changed(workbench: Workbench, page: Page) -> None:
    """A turn of the demo model ran a command that changed files, and the diff is open."""
    (workbench.work / "kettle.py").write_text(KETTLE)
    page.goto(workbench.start(f"run `{COMMAND}`", "-a", "never", "-s", "workspace-write"))
    expect(page.get_by_text("exited with code 0")).to_be_visible()
    page.keyboard.press("Alt+d")
    expect(page.locator(".changed .diff-file")).to_have_count(2)
    expect(page.locator(".changed .diff-hunk").first).to_be_focused()


def test_what_a_command_changed_is_shown_and_taken_back_by_keyboard(workbench: Workbench, page: Page) -> None:
    changed(workbench, page)
    expect(page.get_by_role("radio", name="Thread")).to_be_checked()
    page.get_by_role("radio", name="Thread").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Last turn")).to_be_checked()
    expect(page.locator(".changed .added .dt").first).to_have_text("step_2 = 200")
    page.keyboard.press("j")
    expect(page.locator(".changed .diff-hunk").nth(1)).to_be_focused()
    page.keyboard.press("r")
    expect(page.locator(".toast")).to_contain_text("Press it again")
    assert "2000" in (workbench.work / "kettle.py").read_text()
    page.keyboard.press("r")
    expect(page.get_by_text("Taken back: kettle.py")).to_be_visible()
    assert (workbench.work / "kettle.py").read_text() == KETTLE.replace("= 2\n", "= 200\n")
    expect(page.locator(".changed .diff-hunk")).to_have_count(2)


def test_what_was_edited_since_stays(workbench: Workbench, page: Page) -> None:
    changed(workbench, page)
    mine = (workbench.work / "kettle.py").read_text().replace("step_2 = 200", "step_2 = 'mine'")
    (workbench.work / "kettle.py").write_text(mine)
    page.get_by_role("radio", name="Last turn").click()
    expect(page.get_by_text("changed since")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Shift+R")
    page.keyboard.press("Shift+R")
    expect(page.get_by_text("kettle.py was left alone")).to_be_visible()
    assert (workbench.work / "kettle.py").read_text() == mine


def test_comments_go_to_the_model_as_one_message(workbench: Workbench, page: Page) -> None:
    changed(workbench, page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("c")
    page.get_by_role("textbox", name="Comment on this line").fill("why is this one here?")
    page.keyboard.press("Enter")
    page.keyboard.press("j")
    page.keyboard.press("c")
    page.get_by_role("textbox", name="Comment on this part").fill("twenty is enough")
    page.keyboard.press("Enter")
    page.keyboard.press("c")
    page.get_by_role("textbox", name="Comment on this part").fill("better not said")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="remove").last.click()
    expect(page.locator(".changed .comment")).to_have_text(["why is this one here?", "twenty is enough"])
    page.reload()
    expect(page.get_by_text("connected")).to_be_visible()
    page.keyboard.press("Alt+d")
    expect(page.get_by_role("button", name=re.compile("Send 2 comments as one message"))).to_be_visible()
    expect(page.locator(".changed .diff-hunk").first).to_be_focused()
    page.keyboard.press("Control+Enter")
    said = page.locator("article.user").last
    expect(said).to_contain_text("Comments on your changes:")
    expect(said).to_contain_text("kettle.py, line 1:")
    expect(said).to_contain_text("> +step_20 = 2000")
    expect(said).to_contain_text("twenty is enough")
    expect(page.locator(".comments")).to_be_hidden()


def test_a_file_that_stays_the_same_is_not_drawn_again(workbench: Workbench, page: Page) -> None:
    changed(workbench, page)
    page.locator("[data-path='kettle.py']").first.evaluate("file => { file.mark = 'this very one' }")
    page.get_by_role("textbox", name="Message").fill("run `echo more >> new.md`")
    page.keyboard.press("Enter")
    expect(page.locator("[data-path='new.md'] .added")).to_have_count(2)
    assert page.locator(".changed [data-path='kettle.py']").evaluate("file => file.mark") == "this very one"


def test_any_turn_is_shown_by_what_was_said_before_it_and_by_keys(workbench: Workbench, page: Page) -> None:
    page.goto(workbench.start("-a", "never", "-s", "workspace-write"))
    expect(page.get_by_text("connected")).to_be_visible()
    for number, word in enumerate(("one", "two", "three", "four"), 1):
        page.get_by_role("textbox", name="Message").fill(f"run `echo {word} > {word}.txt`")
        page.keyboard.press("Enter")
        expect(page.get_by_text("exited with code 0")).to_have_count(number)
        expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.keyboard.press("Alt+d")
    paths = page.locator(".changed .diff-path")
    expect(paths).to_have_text(["four.txt", "one.txt", "three.txt", "two.txt"])
    expect(page.locator(".changed .diff-hunk").first).to_be_focused()
    turn = page.get_by_role("combobox", name="What one turn changed")
    expect(turn.locator("option:not([hidden])")).to_have_text(
        [f"{n} · run `echo {w} > {w}.txt`" for n, w in ((4, "four"), (3, "three"), (2, "two"), (1, "one"))]
    )
    turn.select_option("2")
    expect(paths).to_have_text(["two.txt"])
    expect(page.get_by_text("Turn 2 of 4 · 1 file")).to_be_visible()
    page.get_by_role("radio", name="Thread").click()
    expect(paths).to_have_count(4)
    for word in ("four", "three", "two"):
        page.keyboard.press(",")
        expect(paths).to_have_text([f"{word}.txt"])
    page.keyboard.press(".")
    expect(paths).to_have_text(["three.txt"])
    expect(turn).to_have_value("3")
    page.keyboard.press("j")
    page.keyboard.press("Shift+R")
    page.keyboard.press("Shift+R")
    expect(page.get_by_text("Taken back: three.txt")).to_be_visible()
    assert sorted(file.name for file in workbench.work.glob("*.txt")) == ["four.txt", "one.txt", "two.txt"]
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        assert grave(page) == [], theme
