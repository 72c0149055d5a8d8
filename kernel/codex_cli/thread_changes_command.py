"""`codex archive`, `codex unarchive`, `codex delete`: threads put away, taken back, and deleted for good."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable

from codex_cli.parser import Parsed
from codex_protocol.errors import CodexError, ThreadError, UsageError
from codex_render.safe_text import one_line
from codex_store.home import Home, find_home
from codex_store.running import running_thread
from codex_store.thread_changes import archive, delete, unarchive
from codex_store.thread_info import ThreadInfo
from codex_store.threads import find_thread

_END_S = 10.0
_POLL_S = 0.02


def run_thread_changes_command(parsed: Parsed) -> int:
    """The exit code: 0; 1 when a thread could not be changed (the others are), or the person said no.

    Raises:
        RolloutError: A word names no thread, or several; then nothing is changed.
        UsageError: Nobody can be asked before threads are deleted.
    """
    home = find_home()
    threads = list({info.id: info for info in (find_thread(home, word) for word in parsed.words)}.values())
    what = parsed.path[0]
    if what == "delete" and not parsed.flag("yes") and not _agreed(threads):
        _say("Nothing was deleted.")
        return 1
    changes: dict[str, tuple[Callable[[Home, str], object], str]] = {
        "archive": (archive, "Archived"),
        "unarchive": (unarchive, "Taken back"),
        "delete": (delete, "Deleted"),
    }
    change, done = changes[what]
    failed = 0
    for info in threads:
        try:
            _let_go(home, info)
            change(home, info.id)
        except CodexError as error:
            failed += 1
            _say(f"Error: {one_line(str(error))}")
        else:
            sys.stdout.write(f"{done}: {_title(info)}\n")
    sys.stdout.flush()
    return 1 if failed else 0


def _agreed(threads: list[ThreadInfo]) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("deleting is for good and nobody can be asked here; add --yes")
    for info in threads:
        _say(f"  {_title(info)}")
    sys.stderr.write(
        f"Delete {'this thread' if len(threads) == 1 else f'these {len(threads)} threads'} for good? [y/N] "
    )
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _title(info: ThreadInfo) -> str:
    called = one_line(" ".join((info.name or info.preview).split()))[:60]
    return f"{info.id} {called}".rstrip()


def _let_go(home: Home, info: ThreadInfo) -> None:
    """End the kernel that the page keeps for an idle thread; a thread that is at work is left alone.

    Raises:
        ThreadError: It is at work, or its kernel does not end.
    """
    running = running_thread(home, info.id)
    if running is None or not running.stay:
        return  # another process that writes it holds its lock, and says so
    if running.state != "idle":
        raise ThreadError(f"The thread {info.id} is at work; interrupt it first, or wait for its end.")
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + _END_S
    while running_thread(home, info.id) is not None:
        if time.monotonic() > deadline:
            raise ThreadError(f"The kernel {running.pid} of the thread {info.id} does not end.")
        time.sleep(_POLL_S)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
