"""`python -m tests.bench.inspector`: what Panel costs the page: start, memory, and the way to the first plot.

Three programs in the same run, in turns: `codex` with the demo model, the same with its inspector opened, and a bare
`pn.serve` of one figure. A browser looks at each.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from pathlib import Path

from playwright.sync_api import Browser, CDPSession, sync_playwright

from codex_store.home import Home
from e2e.conftest import FLAGS, Workbench
from tests.support.busy_thread import write_busy_thread

TURNS = 40
BARE = """
import sys
import panel as pn
from bokeh.plotting import figure
def app():
    plot = figure(height=200)
    plot.vbar(x=[1, 2, 3], top=[1, 2, 3])
    return pn.pane.Bokeh(plot)
pn.serve(app, port=int(sys.argv[1]), address="127.0.0.1", show=False)
"""
Figures = dict[str, list[float]]


def codex(browser: Browser, figures: Figures, scratch: Path) -> None:
    """One start of ours, and one opened inspector."""
    workbench = Workbench(scratch)
    workbench.home.chmod(0o700)
    thread = write_busy_thread(Home(root=workbench.home), workbench.work, [f"step {n}" for n in range(TURNS)])
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(120_000)
    try:
        began = time.perf_counter()
        link = workbench.start("-s", "workspace-write")
        figures["codex: answers, s"].append(time.perf_counter() - began)
        page.goto(link)
        page.get_by_text("● connected").wait_for()
        figures["codex: usable, s"].append(time.perf_counter() - began)
        assert workbench.process is not None
        figures["codex: server before Panel, MB"].append(_rss_mb(workbench.process.pid))
        page.evaluate("fetch('/panel/ready')")
        figures["codex: Panel is there, s"].append(time.perf_counter() - began)
        figures["codex: server with Panel, MB"].append(_rss_mb(workbench.process.pid))
        page.goto(f"{link.split('/open')[0]}/#{thread}")
        page.get_by_text(f"Answer {TURNS}").wait_for()
        session = context.new_cdp_session(page)
        figures["page: heap before, MB"].append(_heap_mb(session))
        for times in ("first", "again"):
            began = time.perf_counter()
            page.keyboard.press("Alt+p")
            page.frame_locator("#inspector iframe").get_by_text(f"of {TURNS} turns").wait_for()
            figures[f"inspector: opened to numbers drawn, {times}, s"].append(time.perf_counter() - began)
            if times == "first":
                figures["page: heap with the inspector, MB"].append(_heap_mb(session))
            page.keyboard.press("Alt+p")
            page.locator("#inspector iframe").wait_for(state="detached")
        figures["page: heap when it is closed, MB"].append(_heap_mb(session))
        figures["codex: server after plots, MB"].append(_rss_mb(workbench.process.pid))
    finally:
        context.close()
        workbench.end()


def bare(browser: Browser, figures: Figures, port: int) -> None:
    """One start of a bare Panel server."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-P", "-c", BARE, str(port)], stderr=subprocess.DEVNULL)
    page = browser.new_page()
    page.set_default_timeout(120_000)
    try:
        while not _answers(port):
            time.sleep(0.02)
        figures["pn.serve: answers, s"].append(time.perf_counter() - began)
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator(".bk-Figure").first.wait_for()
        figures["pn.serve: usable, s"].append(time.perf_counter() - began)
        figures["pn.serve: server, MB"].append(_rss_mb(process.pid))
    finally:
        page.close()
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
            return answer.status == 200
    except OSError:
        return False


def _rss_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def _heap_mb(session: CDPSession) -> float:
    session.send("HeapProfiler.enable")
    session.send("HeapProfiler.collectGarbage")
    return session.send("Runtime.getHeapUsage")["usedSize"] / 2**20


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=3, help="starts of each")
    parser.add_argument("--port", type=int, default=7399, help="for the bare server")
    asked = parser.parse_args()
    figures: Figures = defaultdict(list)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for _ in range(asked.n):
            with tempfile.TemporaryDirectory() as folder:
                codex(browser, figures, Path(folder))
            bare(browser, figures, asked.port)
        browser.close()
    load = Path("/proc/loadavg").read_text().split()[0]
    print(f"| medians of {asked.n}, load {load} | |\n|---|---|")
    for name, values in figures.items():
        print(f"| {name} | {statistics.median(values):.2f} |")


if __name__ == "__main__":
    main()
