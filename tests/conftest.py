"""What holds for every test: its own home, no credentials or proxies from outside, nothing left out silently."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from tests.support.socket_dirs import remove_socket_dirs

FOREIGN = ("OPENAI_", "CODEX_", "AZURE_OPENAI_", "OLLAMA_", "LMSTUDIO_", "XDG_", "GIT_", "PYTEST_ADDOPTS", "RUST_LOG")
PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"}

LIMIT_S = float(os.environ.get("TEST_LIMIT_S", "120"))
"""Longest time one test may take, several times what the slowest one needs on a busy machine."""


def _is_root() -> bool:
    return os.geteuid() == 0


def pytest_configure(config: pytest.Config) -> None:
    """Give the whole run a home, so that no test can read or write the developer's own."""
    home = Path(tempfile.mkdtemp(prefix="codex-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    for name in list(os.environ):
        if name.startswith(FOREIGN) or name.lower() in PROXIES:
            del os.environ[name]
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell's background job; programs of ours would as well
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.pluginmanager.hasplugin("hypothesispytest"):
        from hypothesis import HealthCheck, settings

        # How long a machine that others use takes to draw examples says nothing of the code.
        settings.register_profile("busy", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
        settings.load_profile("busy")
    (home / ".codex").mkdir()
    os.environ |= {
        "HOME": str(home),
        "CODEX_HOME": str(home / ".codex"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),  # not the null device: `git config --global` as root replaces it
        "GIT_AUTHOR_NAME": "A. Tester",
        "GIT_AUTHOR_EMAIL": "tester@example.org",
        "GIT_COMMITTER_NAME": "A. Tester",
        "GIT_COMMITTER_EMAIL": "tester@example.org",
    }


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A case that needs root is not run for an ordinary user; where `CI=true` that is a failure."""
    if item.get_closest_marker("needs_root") and not _is_root():
        if os.environ.get("CI") == "true":
            pytest.fail("needs root, and CI=true: run the tests as root there", pytrace=False)
        pytest.skip("needs root")


@pytest.fixture(scope="session", autouse=True)
def leaves_no_socket_dirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What homes of tests had under /var/tmp goes with them."""
    yield
    remove_socket_dirs(tmp_path_factory.getbasetemp())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A test that runs the command in this process sets up logging: the next one finds it as it was."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        return (yield)
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test that hangs fails after `LIMIT_S`; the alarm also interrupts a waiting event loop."""

    def give_up(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"still running after {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what was not run, one line each, with its reason."""
    skipped: list[pytest.TestReport] = terminalreporter.getreports("skipped")
    if not skipped:
        return
    terminalreporter.section(f"NOT RUN: {len(skipped)}")
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        terminalreporter.write_line(f"{report.nodeid}: {reason.removeprefix('Skipped: ')}")
