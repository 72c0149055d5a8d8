"""Scripts of `exec_command` and `write_stdin` for tests: the sandbox, the session a script is in, what was answered."""

from __future__ import annotations

from pathlib import Path

from codex_kernel.model.scripted import calls
from codex_kernel.sandbox.launcher import make_sandbox
from codex_protocol.policy import WorkspaceWrite
from tests.support.threads import make_config

WHEN_UP = calls("exec_command", {"cmd": "until test -e up; do sleep 0.02; done", "login": False})
"""Goes on as soon as the session has made the file `up`."""


def real(folder: Path):
    config = make_config(folder, sandbox_policy=WorkspaceWrite())
    run = folder / "run"
    run.mkdir(mode=0o700, exist_ok=True)
    return make_sandbox(config, folder / "home", run)


def session_of(prompt) -> int:
    texts = [item.text() for item in prompt.input if hasattr(item, "output")]
    return int(next(text for text in texts if "session ID" in text).split("session ID ")[1].split()[0])


def types(chars: str, **more):
    return lambda prompt: [calls("write_stdin", {"session_id": session_of(prompt), "chars": chars, **more})]


def texts(watched) -> list[str]:
    return [item.text() for item in watched.sent() if hasattr(item, "output")]
