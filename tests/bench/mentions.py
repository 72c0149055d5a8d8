"""The keystroke of `@` in a browser, from the key to its list: `python -m tests.bench.mentions [--files N]`.

The page, the server, a kernel and Chromium are all real; the directory holds many small names. Needs Debian's chromium.
Load on the machine counts whole: run it on an idle one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from e2e.conftest import FLAGS, Workbench

WATCH = """() => { window.drawn = new Promise(resolve => {
  let from
  const field = document.querySelector('textarea')
  field.addEventListener('input', () => { from = performance.now() }, {once: true, capture: true})
  new MutationObserver((_, observer) => {
    observer.disconnect()
    requestAnimationFrame(() => resolve(performance.now() - from))
  }).observe(document.querySelector('.popup'), {childList: true})
}) }"""
PER_FOLDER = 1000
WORDS = ("module_99", "pack31mod", "test_77")


def keystrokes(page: Page) -> tuple[float, list[float]]:
    """Milliseconds of the first one, when the files are listed, and of each one after it."""
    page.get_by_role("textbox", name="Message").focus()
    page.keyboard.type("@")
    taken: list[float] = []
    for word in WORDS:
        for letter in word:
            page.evaluate(WATCH)
            page.keyboard.insert_text(letter)
            taken.append(page.evaluate("window.drawn"))
        for _ in word:
            page.keyboard.press("Backspace")
            page.wait_for_timeout(50)
    return taken[0], taken[1:]


def main() -> int:
    """Measure, and print a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        workbench = Workbench(Path(scratch))
        for number in range(files):
            folder = workbench.work / f"package_{number // PER_FOLDER}"
            if number % PER_FOLDER == 0:
                folder.mkdir()
            (folder / f"{'test' if number % 3 else 'module'}_{number % PER_FOLDER}.py").touch()
        try:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            page = browser.new_page()
            page.set_default_timeout(120_000)
            page.goto(workbench.start("-s", "workspace-write"))
            expect(page.get_by_text("connected")).to_be_visible()
            first, taken = keystrokes(page)
            browser.close()
        finally:
            workbench.end()
    middle, worst = statistics.median(taken), max(taken)
    print(f"{files:,} files: {middle:.0f} ms from a key to its list (median of {len(taken)}), {worst:.0f} at worst")
    print(f"the first one, which lists the files: {first:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
