"""A diff of 5,000 lines in a browser, and typing while one is drawn: `python -m tests.bench.diff [--rounds N]`.

Opened: from the click on the waiting question to the frame that shows its first lines, and to the one in which all of
them are there; one file of 5,000 new lines, one of 300 hunks and fifty files in turn. Typed: from the key (as the
browser stamped it) to the frame after its letter, with nothing else to do and while 5,000 changed lines are drawn over
and over beside the conversation, in turn. Everything is real but the model. Load on the machine counts whole.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from e2e.conftest import FLAGS, Workbench

LINES = 5000
TARGET_MS = 500
LETTERS = 60
SHAPES = ("one new file", "300 hunks", "50 files")
OPEN = """lines => new Promise(resolve => {
  const began = performance.now()
  const added = document.getElementsByClassName('dl added'), removed = document.getElementsByClassName('dl removed')
  let first
  const look = () => requestAnimationFrame(() => {
    const drawn = added.length + removed.length
    if (drawn && !first) first = performance.now() - began
    drawn >= lines ? requestAnimationFrame(() => resolve([first, performance.now() - began])) : look()
  })
  ;[...document.querySelectorAll('button')].find(one => one.textContent.includes('question waits')).click()
  look()
})"""
FILL = "(field, text) => { field.value = text; field.dispatchEvent(new Event('input')); field.focus() }"
WATCH_KEYS = """() => {
  window.taken = []
  document.querySelector('textarea').addEventListener('input', event => {
    const from = event.timeStamp
    requestAnimationFrame(() => setTimeout(() => window.taken.push(performance.now() - from)))
  })
}"""
DRAW_ON = """() => {
  const names = ['thread', '0']
  let at = 0
  window.drawing = setInterval(() => document.querySelector(`[data-scope="${names[at++ % 2]}"]`)?.click(), 250)
}"""


def patch_of(shape: str, work: Path) -> tuple[str, int]:
    """A patch of that shape, with the files it changes; and how many lines its diff has."""
    if shape == "one new file":
        return "*** Add File: new.txt\n" + "".join(f"+value_{n} = compute({n})\n" for n in range(LINES)), LINES
    if shape == "300 hunks":
        (work / "big.txt").write_text("".join(f"line {n}\n" for n in range(300 * 20)))
        rows = 14  # each hunk: a line of context on either side, fourteen of fifteen changed ones
        chunks = "".join(
            f"@@\n line {n}\n"
            + "".join(f"-line {n + k}\n" for k in range(1, rows // 2 + 1))
            + "".join(f"+row {n + k} of it\n" for k in range(1, rows // 2 + 1))
            for n in range(0, 300 * 20, 20)
        )
        return f"*** Update File: big.txt\n{chunks}", 300 * rows
    files = [f"*** Add File: f{n}.py\n" + "".join(f"+x_{k} = {n}\n" for k in range(100)) for n in range(50)]
    return "".join(files), LINES


def opened(browser: Browser, shape: str) -> tuple[float, float]:
    """Milliseconds to the first lines, and to all of them."""
    with tempfile.TemporaryDirectory() as scratch:
        workbench = Workbench(Path(scratch))
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        try:
            patch, lines = patch_of(shape, workbench.work)
            text = f"run `apply_patch <<'END'\n*** Begin Patch\n{patch}*** End Patch\nEND`"
            page.goto(workbench.start("-a", "untrusted", "-s", "workspace-write"))
            expect(page.get_by_text("connected")).to_be_visible()
            page.get_by_role("textbox", name="Message").evaluate(FILL, text)
            page.keyboard.press("Enter")
            expect(page.locator("dialog.reviewing:not(.asleep) .diff-file").first).to_be_visible()
            page.keyboard.press("Escape")
            expect(page.get_by_text("One question waits for you")).to_be_visible()
            page.wait_for_timeout(500)
            first, whole = page.evaluate(OPEN, lines)
            return first, whole
        finally:
            page.close()
            workbench.end()


def typed(page: Page, *, drawing: bool) -> list[float]:
    """Milliseconds of each key."""
    if drawing:
        page.evaluate(DRAW_ON)
        page.wait_for_timeout(600)
    page.evaluate("window.taken = []")
    field = page.get_by_role("textbox", name="Message")
    field.focus()
    for number in range(LETTERS):
        page.keyboard.press("abcdefgh"[number % 8])
        page.wait_for_timeout(60)
    page.evaluate("clearInterval(window.drawing)")
    page.wait_for_timeout(500)
    field.fill("")
    return page.evaluate("window.taken")


def typing(browser: Browser, rounds: int, figures: dict[str, list[float]]) -> None:
    """Keys with and without a diff that is drawn anew."""
    with tempfile.TemporaryDirectory() as scratch:
        workbench = Workbench(Path(scratch))
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        try:
            (workbench.work / "big.txt").write_text("".join(f"line {n}\n" for n in range(LINES // 2)))
            page.goto(workbench.start("run `sed -i 's/^/a /' big.txt`", "-a", "never", "-s", "workspace-write"))
            expect(page.get_by_text("exited with code 0")).to_have_count(1)
            field = page.get_by_role("textbox", name="Message")
            field.fill("run `sed -i 's/$/ b/' big.txt`")
            page.keyboard.press("Enter")
            expect(page.get_by_text("exited with code 0")).to_have_count(2)
            page.keyboard.press("Alt+d")
            expect(page.locator(".changed .dl.added").first).to_be_attached()
            page.evaluate(WATCH_KEYS)
            for _ in range(rounds):
                figures["key, idle"] += typed(page, drawing=False)
                figures["key, drawing"] += typed(page, drawing=True)
        finally:
            page.close()
            workbench.end()


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    figures: dict[str, list[float]] = defaultdict(list)
    load = os.getloadavg()[0]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for number in range(rounds):
            for shape in SHAPES[number % 3 :] + SHAPES[: number % 3]:
                first, whole = opened(browser, shape)
                figures[f"{shape}: first lines"].append(first)
                figures[f"{shape}: all"].append(whole)
        typing(browser, max(1, rounds // 3), figures)
        browser.close()
    for name, taken in figures.items():
        taken.sort()
        most = taken[min(len(taken) - 1, int(0.95 * len(taken)))]
        print(f"{name}: {statistics.median(taken):.0f} ms (median of {len(taken)}), 95 % within {most:.0f}")
    print(f"load {load:.1f} before, {os.getloadavg()[0]:.1f} after; the target for all lines is {TARGET_MS} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
