"""A running `codex` with the demo model, and a browser without a way out."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.socket_dirs import remove_socket_dirs

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nothing but this machine can be reached: the page must not need it.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
_OURS = ("CODEX_", "OPENAI_")


class Workbench:
    """`codex --demo` in a repository of its own."""

    def __init__(self, scratch: Path) -> None:
        self.home = scratch / "home"
        self.work = scratch / "work"
        self.home.mkdir()
        self.work.mkdir()
        subprocess.run(["git", "init", "-q", "-b", "main", str(self.work)], check=True)
        (self.work / "README.md").write_text("# Kettle\n\nBoils water.\n")
        (self.work / "kettle.py").write_text("def boil() -> int:\n    return 100\n")
        self.process: subprocess.Popen[str] | None = None
        self.also: list[subprocess.Popen[bytes]] = []
        """Other programs of a test."""

    def start(self, *arguments: str, demo: bool = True, env: dict[str, str] | None = None) -> str:
        """The printed link; ended by `stop`, or a second `codex` while one runs."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith((*_OURS, "XDG_", "DISPLAY"))}
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "codex_cli.main", *(["--demo"] if demo else []), "--no-browser", *arguments],
            cwd=self.work,
            env={**kept, "CODEX_HOME": str(self.home), **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        guard = threading.Timer(90, process.kill)
        guard.start()
        said = ""
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if found := re.search(r"http://127\.0\.0\.1:\d+/open#\S+", line):
                guard.cancel()
                if "already" in line:
                    assert process.wait(60) == 0
                    process.stdout.close()
                else:
                    self.process = process
                return found[0]
        raise AssertionError(said)

    def stop(self) -> str:
        """Ctrl-C; what it said then."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, out
        self.process = None
        return out

    def end(self) -> None:
        """End what still runs, the kernels too."""
        for other in self.also:
            other.kill()
            other.wait()
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None
        for status in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = status.read_bytes()
            except OSError:
                continue
            if b"fork_server" in line and str(self.home).encode() in line:
                os.kill(int(status.parent.name), signal.SIGTERM)


PATIENCE_MS = 90_000
"""What is waited for comes at once on an idle machine; one that runs other things beside takes its time."""
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Ended before a test from elsewhere: while Playwright runs, so does its loop, and `async` tests would find it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session", autouse=True)
def leaves_no_socket_dirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """As in `tests/conftest.py`."""
    yield
    remove_socket_dirs(tmp_path_factory.getbasetemp())


@pytest.fixture
def workbench(tmp_path: Path) -> Iterator[Workbench]:
    workbench = Workbench(tmp_path)
    yield workbench
    workbench.end()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab that must not complain nor ask anybody else for anything."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith("http://127.0.0.1:") else complaints.append(r.url))
    yield page
    page.close()
    lost = ("WebSocket connection to", "net::ERR_", "not connected so cannot send")  # what a server that ended leaves
    assert [text for text in complaints if not any(word in text for word in lost)] == []
