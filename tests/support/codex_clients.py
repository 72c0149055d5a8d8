"""`Codex` clients for tests: a home of their own, a scripted model server, kernels that end with the test."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

from codex_client import AsyncThread, Thread
from codex_client.launch import OwnKernel
from tests.support.model_server import ModelServer


def make_home(scratch: Path, server: ModelServer | None = None, *, more: str = "") -> dict[str, Any]:
    """Settings for `Codex`: works in `scratch`/work, with its home in `scratch`/home, against `server`."""
    home, work = scratch / "home", scratch / "work"
    home.mkdir()
    (work / ".git").mkdir(parents=True)
    (work / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    if server is not None:
        (home / "config.toml").write_text(
            f'model = "gpt-5.5"\nmodel_provider = "scripted"\n{more}\n[model_providers.scripted]\n'
            f'name = "scripted"\nbase_url = "{server.url}"\nrequest_max_retries = 0\nstream_max_retries = 1\n'
        )
    return {"cwd": str(work), "env": {"CODEX_HOME": str(home)}, "fork": False}


def kernel_of(thread: AsyncThread | Thread) -> OwnKernel:
    """The thread's present agent, which is the client's own."""
    driven = thread._thread if isinstance(thread, Thread) else thread  # pyright: ignore[reportPrivateUsage]
    assert driven.kernel is not None
    return driven.kernel


def end_servers(home: str) -> None:
    """End the fork servers of a home, which would stay for ten minutes."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"codex_kernel.jupyter.fork_server" in words and os.fsencode(home) in words:
                os.kill(int(entry.name), signal.SIGTERM)
