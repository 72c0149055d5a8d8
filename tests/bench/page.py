"""The page in a real browser: `python -m tests.bench.page [--only NAME …] [--deltas N]`.

What is measured, each against its target: how soon a thread of 1,000 entries stands; how long a delta takes from the
model's socket to the frame that shows it, and what the server spends on that; ten threads at once; fifty idle ones;
memory; and Panel's ChatFeed beside it, with as few messages as it can hold. Load on the machine counts whole.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, expect, sync_playwright

from codex_store.home import Home
from e2e.conftest import FLAGS, Workbench
from tests.support.long_thread import write_long_thread

CONFIG = """model = "paced"
model_provider = "paced"

[model_providers.paced]
name = "paced"
base_url = "{url}"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
"""
ENTRIES = 1000
RATE = 100
END = "This is the end."
_TICKS = os.sysconf("SC_CLK_TCK")

# When each delta was first in a frame: its own time is in its text, which may stand in any block at the end. A chat of
# Panel's lies in shadow roots, which are looked for once.
WATCH = """selector => {
  window.seen = []
  let last = 0, length = 0
  const roots = () => {
    const found = [document]
    for (let at = 0; at < found.length; at++) {
      for (const node of found[at].querySelectorAll('*')) if (node.shadowRoot) found.push(node.shadowRoot)
    }
    return found
  }
  const streamed = root => /t\\d{13}/.test(root?.textContent)
  let inShadow  // where Panel streams to; looked for until there is something
  const newest = () => {
    const entries = document.querySelector('.entries')
    if (entries) return entries.lastElementChild?.querySelector(selector)
    if (!streamed(inShadow)) {
      const hosts = roots().flatMap(root => [...root.querySelectorAll(selector)])
      inShadow = hosts.map(host => host.shadowRoot).find(streamed)
    }
    return inShadow
  }
  const look = () => {
    requestAnimationFrame(look)
    const now = performance.timeOrigin + performance.now()
    const found = newest()
    if (!found) return
    const text = [...found.childNodes].slice(-4).map(node => node.textContent).join(' ')
    if (text.length === length) return
    length = text.length
    for (const [, sent] of text.matchAll(/\\bt(\\d{13}\\.\\d)/g)) {
      if (sent > last) { last = Number(sent); window.seen.push(now - last) }
    }
    window.over = text.includes('This is the end.')
  }
  requestAnimationFrame(look)
}"""
OVER = """limit => new Promise(resolve => {
  const began = performance.now()
  const look = () => window.over || performance.now() - began > limit ? resolve(window.seen) : setTimeout(look, 200)
  look()
})"""
FIRST_ITEM = """() => new Promise(resolve => {
  const look = () => document.querySelector('article.answer') ? resolve(performance.now()) : requestAnimationFrame(look)
  look()
})"""


class Figures:
    """What was measured, as rows of a table."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str]] = []

    def add(self, name: str, value: str, target: str = "") -> None:
        """A row, said at once too."""
        self.rows.append((name, value, target))
        sys.stdout.write(f"| {name} | {value} | {target} |\n")
        sys.stdout.flush()


class Bench:
    """A running `codex` with a paced model, and a browser."""

    def __init__(self, browser: Browser, workbench: Workbench) -> None:
        self.browser = browser
        self.workbench = workbench
        self.home = Home(root=workbench.home)
        self.context: BrowserContext = browser.new_context(viewport={"width": 1400, "height": 900})
        self.context.set_default_timeout(180_000)
        self.base = ""

    @property
    def server(self) -> int:
        """Its process."""
        assert self.workbench.process is not None
        return self.workbench.process.pid

    def start(self) -> Page:
        """The server, and a tab on its first thread."""
        link = self.workbench.start("-s", "workspace-write", demo=False)
        self.base = link.split("/open")[0]
        page = self.context.new_page()
        page.goto(link)
        page.get_by_text("● connected").wait_for()
        return page

    def thread(self, entries: int) -> str:
        """A thread on disk."""
        return write_long_thread(self.home, self.workbench.work, entries, model="paced", provider="paced")

    def another(self) -> Page:
        """A tab on a thread of its own."""
        page = self.context.new_page()
        page.goto(self.workbench.start("-s", "workspace-write", demo=False))
        page.get_by_text("● connected").wait_for()
        return page


def ask(page: Page, deltas: int, rate: int) -> None:
    """Begin a turn that streams."""
    page.get_by_role("textbox", name="Message").fill(f"Write {deltas} deltas at {rate} a second.")
    page.keyboard.press("Enter")


def until_over(page: Page, within_s: float = 300) -> list[float]:
    """The milliseconds that each delta took, once all are there or the time is up."""
    return page.evaluate(OVER, 1000 * within_s)


def opening(bench: Bench, figures: Figures) -> None:
    """1,000 entries: from disk with no agent running, reloaded, and in a tab that is open."""
    taken: dict[str, list[float]] = {"from disk": [], "again": []}
    page = bench.start()
    page.close()
    for _ in range(5):
        thread = bench.thread(ENTRIES)
        page = bench.context.new_page()
        for times in taken:
            page.goto("about:blank")
            page.goto(f"{bench.base}/#{thread}")
            taken[times].append(page.evaluate(FIRST_ITEM))
            assert page.locator("article").count() > 20
        page.close()
    for times, about in (("from disk", "no agent runs yet"), ("again", "a new tab, the agent runs")):
        value = f"{statistics.median(taken[times]):.0f} ms (worst {max(taken[times]):.0f})"
        figures.add(f"1,000 entries to the first ones, {about}", value, "1,200 ms")
    figures.add("memory of the server with five such threads", f"{rss_mb(bench.server):.0f} MB")


def streaming(bench: Bench, figures: Figures, deltas: int) -> None:
    """Deltas on top of 1,000 entries."""
    first = bench.start()
    thread = bench.thread(ENTRIES)
    page = first
    page.goto(f"{bench.base}/#{thread}")
    page.get_by_text("● connected").wait_for()
    page.locator("article.answer").first.wait_for()
    page.evaluate(WATCH, "article.answer .markdown")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    before, tasks = cpu_s(bench.server), tasks_s(session)
    began = time.perf_counter()
    ask(page, deltas, RATE)
    seen = until_over(page)
    wall = time.perf_counter() - began
    spent, tasks = cpu_s(bench.server) - before, tasks_s(session) - tasks
    figures.add(f"{deltas:,} deltas at {RATE}/s, delta to screen: p50 / p95 / worst", spread(seen), "p95 60 ms")
    figures.add("the same: CPU of the server", f"{100 * spent / wall:.1f} % of a core", "10 %")
    figures.add("the same: work of the page", f"{100 * tasks / wall:.1f} % of a core")
    figures.add("the same: it took", f"{wall:.1f} s of {deltas / RATE:.0f}")
    figures.add("the same: memory of server / heap of the page", f"{rss_mb(bench.server):.0f} / {heap_mb(page):.1f} MB")
    assert len(seen) > 0.9 * deltas, f"{len(seen)} of {deltas} deltas were seen"  # some leave in the same moment


def many(bench: Bench, figures: Figures, deltas: int, threads: int = 10, rate: int = 50) -> None:
    """Ten tabs with a thread each, all streaming."""
    pages = [bench.start(), *(bench.another() for _ in range(threads - 1))]
    for page in pages:
        page.evaluate(WATCH, "article.answer .markdown")
    before = cpu_s(bench.server)
    began = time.perf_counter()
    for page in pages:
        ask(page, deltas, rate)
    seen = [took for page in pages for took in until_over(page)]
    wall = time.perf_counter() - began
    spent = cpu_s(bench.server) - before
    figures.add(f"{threads} threads at {rate}/s, delta to screen: p50 / p95 / worst", spread(seen))
    figures.add("the same: it took", f"{wall:.1f} s of {deltas / rate:.0f}", "keeps pace")
    figures.add("the same: CPU of the server", f"{100 * spent / wall:.1f} % of a core")


def idle(bench: Bench, figures: Figures, threads: int = 50) -> None:
    """Many threads that do nothing, and one tab."""
    page = bench.start()
    bare = rss_mb(bench.server)
    for _ in range(threads - 1):
        place = page.url
        page.keyboard.press("Alt+n")
        page.wait_for_url(lambda url, place=place: url != place)
    time.sleep(5)  # what was begun comes to rest
    kernels = _kernels(bench.workbench.home)
    before, kernels_before = cpu_s(bench.server), sum(map(cpu_s, kernels))
    began = time.perf_counter()
    time.sleep(20)
    wall = time.perf_counter() - began
    figures.add(
        f"{threads} idle threads: CPU of the server", f"{100 * (cpu_s(bench.server) - before) / wall:.2f} % of a core"
    )
    spent = sum(map(cpu_s, kernels)) - kernels_before
    figures.add(
        f"{threads} idle threads: CPU of their {len(kernels)} processes", f"{100 * spent / wall:.2f} % of a core"
    )
    figures.add(f"{threads} idle threads: memory of the server", f"{rss_mb(bench.server):.0f} MB, {bare:.0f} with one")
    shared = sum(map(pss_mb, kernels))
    figures.add(
        f"{threads} idle threads: memory of the agents", f"{shared:.0f} MB, {shared / threads:.1f} each (their share)"
    )
    figures.add(f"{threads} idle threads: heap of the page", f"{heap_mb(page):.1f} MB")


def beside(bench: Bench, figures: Figures, deltas: int, messages: int = 20) -> None:
    """What a chat of Panel's takes for so few that it can run, and ours for the same."""
    page = bench.start()
    thread = bench.thread(messages)
    page.goto("about:blank")
    page.goto(f"{bench.base}/#{thread}")
    ours = page.evaluate(FIRST_ITEM)
    page.get_by_text("● connected").wait_for()
    page.evaluate(WATCH, "article.answer .markdown")
    before, began = cpu_s(bench.server), time.perf_counter()
    ask(page, deltas, RATE)
    seen = until_over(page)
    spent, wall = cpu_s(bench.server) - before, time.perf_counter() - began
    figures.add(f"ours, {messages} entries, {deltas} deltas at {RATE}/s: first ones", f"{ours:.0f} ms")
    figures.add("ours: delta to screen", spread(seen))
    figures.add("ours: CPU of the server, time", f"{100 * spent / wall:.0f} %, {wall:.1f} s of {deltas / RATE:.0f}")
    with chat_feed(messages, deltas) as (address, process):
        page = bench.context.new_page()
        page.goto(address)
        page.get_by_text("It begins.").wait_for()
        theirs = page.evaluate("performance.now()")
        page.evaluate(WATCH, ".message")
        before, began = cpu_s(process.pid), time.perf_counter()
        fed = until_over(page, within_s=60)
        spent, wall = cpu_s(process.pid) - before, time.perf_counter() - began
        figures.add(f"ChatFeed, the same: first ones (ratio {theirs / ours:.0f})", f"{theirs:.0f} ms")
        figures.add(f"ChatFeed: delta to screen, {len(fed)} of {deltas} seen in time", spread(fed))
        figures.add(
            "ChatFeed: CPU of the server, time", f"{100 * spent / wall:.0f} %, {wall:.1f} s of {deltas / RATE:.0f}"
        )


@contextlib.contextmanager
def chat_feed(messages: int, deltas: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Panel's server; its address and process."""
    port = 7398
    address = f"http://127.0.0.1:{port}/"
    numbers = [str(number) for number in (port, messages, deltas, RATE)]
    command = [sys.executable, "-P", "-m", "tests.bench.chat_feed", *numbers]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": "."})
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield address, process
    finally:
        process.kill()
        process.wait()


def spread(taken: list[float]) -> str:
    """Median, 95 % and the worst."""
    if not taken:
        return "none"
    taken = sorted(taken)
    return f"{statistics.median(taken):.0f} / {taken[math.ceil(0.95 * len(taken)) - 1]:.0f} / {taken[-1]:.0f} ms"


def cpu_s(pid: int) -> float:
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def rss_mb(pid: int) -> float:
    """What it has resident."""
    return _kb(Path(f"/proc/{pid}/status").read_text(), "VmRSS") / 1024


def pss_mb(pid: int) -> float:
    """Its share of what it has resident."""
    return _kb(Path(f"/proc/{pid}/smaps_rollup").read_text(), "Pss") / 1024


def _kb(text: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1])


def heap_mb(page: Page) -> float:
    """The page's JavaScript, after a collection."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.enable")
    session.send("HeapProfiler.collectGarbage")
    return session.send("Runtime.getHeapUsage")["usedSize"] / 2**20


def tasks_s(session: CDPSession) -> float:
    """Seconds that the page's main thread has worked."""
    told = session.send("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in told if metric["name"] == "TaskDuration")


def _kernels(home: Path) -> list[int]:
    """The fork server of a home and all it made."""
    parents: dict[int, int] = {}
    roots: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            pid = int(folder.name)
            parents[pid] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            line = (folder / "cmdline").read_bytes()
            if b"fork_server" in line and str(home).encode() in line:
                roots.append(pid)
    found = set(roots)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


@contextlib.contextmanager
def paced_model() -> Iterator[str]:
    """The model's base URL."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tests.bench.paced_model"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=["open", "stream", "ten", "idle", "feed"])
    parser.add_argument("--deltas", type=int, default=5000, help="of the long stream; the others take a fifth")
    asked = parser.parse_args()
    fifth = asked.deltas // 5
    scenarios: dict[str, Callable[[Bench, Figures], None]] = {
        "open": opening,
        "stream": lambda bench, figures: streaming(bench, figures, asked.deltas),
        "ten": lambda bench, figures: many(bench, figures, fifth),
        "idle": idle,
        "feed": lambda bench, figures: beside(bench, figures, fifth),
    }
    figures = Figures()
    loads: list[float] = []
    expect.set_options(timeout=180_000)
    with sync_playwright() as playwright, paced_model() as url:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for name in asked.only or scenarios:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
                workbench = Workbench(Path(scratch))
                workbench.home.chmod(0o700)
                (workbench.home / "config.toml").write_text(CONFIG.format(url=url))
                try:
                    bench = Bench(browser, workbench)
                    scenarios[name](bench, figures)
                    bench.context.close()
                finally:
                    workbench.end()
            loads.append(os.getloadavg()[0])
        browser.close()
    sys.stdout.write(f"load while it ran: {min(loads):.1f} to {max(loads):.1f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
