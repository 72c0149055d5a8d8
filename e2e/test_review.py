"""Reviewing patches in a real browser: by hunk, by keyboard, in both themes, fast."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

from e2e.axe import grave

if TYPE_CHECKING:
    from e2e.conftest import Workbench

SETTINGS = ("-a", "untrusted", "-s", "workspace-write")
KETTLE = "".join(f"step_{n} = {n}\n" for n in range(1, 31))
PATCH = """*** Begin Patch
*** Update File: kettle.py
@@
-step_2 = 2
+step_2 = 200
@@
-step_20 = 20
+step_20 = 2000
+step_20b = 2001
@@
-step_30 = 30
+step_30 = 3000
*** Add File: new.md
+# New
*** Delete File: README.md
*** End Patch"""


def asked(workbench: Workbench, page: Page, patch: str) -> None:
    """A patch of the demo model waits for an answer."""
    page.goto(workbench.start(f"run `apply_patch <<'END'\n{patch}\nEND`", *SETTINGS))
    expect(page.locator("dialog.reviewing:not(.asleep) .diff-file").first).to_be_visible()


def test_a_patch_is_taken_in_part_by_keyboard_alone(workbench: Workbench, page: Page) -> None:
    (workbench.work / "kettle.py").write_text(KETTLE)
    asked(workbench, page, PATCH)
    expect(page.get_by_text("3 files, 5 parts")).to_be_visible()
    page.keyboard.press("Shift+J")  # README.md, which goes
    page.keyboard.press("Shift+J")  # kettle.py
    page.keyboard.press("x")
    page.keyboard.press("c")
    page.keyboard.type("two is enough")
    page.keyboard.press("Enter")
    page.keyboard.press("j")
    page.keyboard.press("e")
    editor = page.get_by_role("textbox", name="The text that shall stand there")
    expect(editor).to_have_value("step_19 = 19\nstep_20 = 2000\nstep_20b = 2001\nstep_21 = 21\n")
    editor.press("ControlOrMeta+a")
    page.keyboard.type("step_19 = 19\nstep_20 = 22\nstep_21 = 21\n")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".hunk-preview .added")).to_have_text(re.compile("step_20 = 22"))
    page.keyboard.press("Shift+K")
    page.keyboard.press("Shift+X")
    expect(page.get_by_role("button", name="Yes, apply 3 of 5 parts with my text")).to_be_enabled()
    page.keyboard.press("y")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("article.patch")).to_be_visible()
    expect(page.get_by_text("Allowed in part by page")).to_be_visible()
    expected = KETTLE.replace("step_20 = 20\n", "step_20 = 22\n").replace("step_30 = 30\n", "step_30 = 3000\n")
    assert (workbench.work / "kettle.py").read_text() == expected
    assert (workbench.work / "README.md").exists()
    assert (workbench.work / "new.md").read_text() == "# New\n"


def test_what_was_put_off_or_is_shown_anew_keeps_what_was_chosen(workbench: Workbench, page: Page) -> None:
    (workbench.work / "kettle.py").write_text(KETTLE)
    asked(workbench, page, PATCH)
    hunks = page.locator(".diff-file[data-path='kettle.py'] .diff-hunk")
    hunks.nth(0).get_by_role("button", name="✓ taken").click()
    expect(hunks.nth(0).get_by_role("button", name="✕ not taken")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_text("One question waits for you").click()
    expect(hunks.nth(0).get_by_role("button", name="✕ not taken")).to_be_visible()
    (workbench.work / "kettle.py").write_text(KETTLE + "mine = 1\n")
    expect(page.locator("dialog.question:not(.asleep)")).to_be_visible()
    page.keyboard.press("y")
    expect(page.get_by_role("dialog")).to_contain_text("kettle.py changed while you were asked")
    assert (workbench.work / "kettle.py").read_text() == KETTLE + "mine = 1\n"
    expect(hunks.nth(0).get_by_role("button", name="✕ not taken")).to_be_visible()
    expect(page.locator("dialog.question:not(.asleep)")).to_be_visible()
    page.keyboard.press("y")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("article.patch")).to_be_visible()
    text = (workbench.work / "kettle.py").read_text()
    assert "step_2 = 2\n" in text
    assert "step_20b" in text
    assert text.endswith("mine = 1\n")


def test_unchanged_lines_are_unfolded_by_keyboard_and_by_pointer(workbench: Workbench, page: Page) -> None:
    (workbench.work / "kettle.py").write_text(KETTLE.replace("= 10\n", "= '<b>'\n"))
    asked(workbench, page, PATCH)
    file = page.locator(".diff-file[data-path='kettle.py']")
    hunks = file.locator(".diff-hunk")
    expect(hunks.nth(1).get_by_role("button", name="15 unchanged lines")).to_be_visible()
    hunks.nth(1).get_by_role("button", name="15 unchanged lines").click()
    added = hunks.nth(1).locator(".unfolded .old .dt")
    shown = KETTLE.split("\n")[3:18]
    shown[6] = "step_10 = '<b>'"
    expect(added).to_have_text(shown)
    expect(hunks.nth(1).locator(".unfolded .old .dn")).to_have_text(
        [str(n + by) for n in range(4, 19) for by in (0, 0)]
    )
    expect(hunks.nth(1).get_by_role("button", name="unchanged lines")).to_have_count(0)
    page.keyboard.press("j")
    expect(hunks.nth(2)).to_be_focused()
    page.keyboard.press("Shift+K")  # README.md, which goes: nothing to unfold
    page.keyboard.press("u")
    page.keyboard.press("Shift+J")
    expect(hunks.nth(0)).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("Shift+U")
    expect(hunks.nth(1).locator(".unfolded .new .dn").last).to_have_text("29")
    page.keyboard.press("j")
    expect(hunks.nth(2).get_by_role("button", name="unchanged lines")).to_have_count(0)
    expect(hunks.nth(2).locator(".unfolded")).to_have_count(0)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        assert grave(page) == [], theme
    file.get_by_role("button", name="what follows").click()
    expect(page.locator(".hunk-bar.below")).to_have_count(0)


def test_both_views_show_the_same_and_the_choice_is_kept(workbench: Workbench, page: Page) -> None:
    (workbench.work / "kettle.py").write_text(KETTLE)
    asked(workbench, page, PATCH)
    page.keyboard.press("v")
    old = page.locator(".diff-file[data-path='kettle.py'] .removed").first.bounding_box()
    new = page.locator(".diff-file[data-path='kettle.py'] .added").first.bounding_box()
    assert old is not None
    assert new is not None
    assert abs(old["y"] - new["y"]) < 1
    assert new["x"] > old["x"] + 100
    page.reload()
    expect(page.locator("dialog .walk.split .added").first).to_be_visible()
    page.keyboard.press("v")
    expect(page.locator("dialog .walk.split")).to_have_count(0)
    expect(page.locator("dialog .added .ds").first).to_have_text("+")


def test_a_patch_of_five_thousand_lines_is_drawn_whole_and_does_not_hold_up_keys(
    workbench: Workbench, page: Page
) -> None:
    (workbench.work / "big.txt").write_text("".join(f"line {n}\n" for n in range(1800)))
    chunks = "".join(f"@@\n line {n}\n-line {n + 1}\n+row {n + 1}\n" for n in range(0, 1800, 6))
    lines = "".join(f"+x = {n}\n" for n in range(3801))
    update = f"*** Update File: big.txt\n{chunks}"
    asked(workbench, page, f"*** Begin Patch\n{update}*** Add File: n.txt\n{lines}*** End Patch")
    expect(page.locator("dialog .dl.added")).to_have_count(300 + 3801)
    page.keyboard.press("Escape")
    page.get_by_text("One question waits for you").click()
    expect(page.locator("dialog .diff-hunk").first).to_be_visible()
    page.keyboard.press("j")  # the rest may still be on its way
    expect(page.locator("dialog .diff-hunk").first).to_be_focused()
    expect(page.locator("dialog .dl.added")).to_have_count(300 + 3801)
    expect(page.get_by_text("2 files, 301 parts")).to_be_visible()
