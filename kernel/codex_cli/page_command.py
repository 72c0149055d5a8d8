"""`codex`, `codex resume`, `codex fork`: the page at localhost, with this environment and these flags."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codex_cli.earlier_thread import EarlierThread, earlier_thread
from codex_cli.log_setup import configure_logging
from codex_cli.parser import CommandLineError, Parsed
from codex_kernel.config.directory import current_directory
from codex_protocol.errors import UsageError
from codex_protocol.kernel_options import KernelOptions

if TYPE_CHECKING:
    from codex_store.home import Home
    from codex_store.thread_info import ThreadInfo


def run_page_command(parsed: Parsed) -> int:
    """The exit code, once the page has ended or the running one has taken the thread."""
    configure_logging(os.environ)
    from codex_app.launches import Launch
    from codex_app.server import run_page
    from codex_client.fork_server import current_umask
    from codex_store.home import find_home

    home = find_home()
    home.ensure()
    earlier, prompt = earlier_thread(parsed)
    flags = _flags(parsed)
    cwd = _directory(parsed.one("cd"))
    info = None if earlier is None else _stored(home, earlier, cwd)
    if info is not None and parsed.one("cd") is None and info.cwd and os.path.isdir(info.cwd):
        cwd = Path(info.cwd)
    if parsed.flag("trust"):
        _trust(home, cwd, parsed)
    launch = Launch(
        options=KernelOptions(
            cwd=str(cwd),
            overrides=parsed.many("config"),
            flags=flags,
            resume=info.id if info is not None and earlier is not None and earlier.how == "resume" else None,
            fork=info.id if info is not None and earlier is not None and earlier.how == "fork" else None,
            originator="codex_page",
            stay=True,
        ),
        env=dict(os.environ),
        umask=current_umask(),
        prompt=(prompt or "").strip(),
        images=tuple(_image(path) for value in parsed.many("image") for path in value.split(",") if path),
    )
    return run_page(
        home,
        launch,
        port=_port(parsed),
        browser=not parsed.flag("no_browser"),
        new_secrets=parsed.flag("new_secrets"),
        say=_say,
    )


def _flags(parsed: Parsed) -> dict[str, Any]:
    """Fields of the agent's flags by name, as JSON; those that are not set are left out."""
    if parsed.flag("demo") and parsed.flag("oss"):
        raise CommandLineError("'--demo' and '--oss' contradict each other", parsed.chain)
    flags: dict[str, Any] = {
        "model": parsed.one("model"),
        "profile": parsed.one("profile"),
        "sandbox_mode": parsed.one("sandbox"),
        "approval_policy": parsed.one("ask_for_approval"),
        "add_dirs": parsed.many("add_dir"),
        "full_auto": parsed.flag("full_auto"),
        "bypass": parsed.flag("dangerously_bypass_approvals_and_sandbox"),
        "strict": parsed.flag("strict_config"),
        "oss": parsed.flag("oss"),
        "search": parsed.flag("search"),
        "demo": parsed.flag("demo"),
    }
    return {name: value for name, value in flags.items() if value}


def _stored(home: Home, earlier: EarlierThread, cwd: Path) -> ThreadInfo:
    from codex_store.threads import earlier_thread as stored_thread

    return stored_thread(home, earlier.name, None if earlier.everywhere else cwd)


def _trust(home: Home, cwd: Path, parsed: Parsed) -> None:
    """Take the person's word now and once: threads that the page opens later do not take it again."""
    from codex_kernel.config.flags import Flags
    from codex_kernel.config.load import load_config

    load_config(home=home, cwd=cwd, overrides=parsed.many("config"), flags=Flags(trust=True))


def _directory(given: str | None) -> Path:
    cwd = current_directory(given) / (given or "")
    if not cwd.is_dir():
        raise UsageError(f"there is no directory {given}")
    return cwd


def _image(given: str) -> str:
    path = Path.cwd() / given
    if not path.is_file():
        raise UsageError(f"there is no image {given}")
    return str(path)


def _port(parsed: Parsed) -> int | None:
    given = parsed.one("port")
    if given is None:
        return None
    if not given.isascii() or not given.isdigit() or not 0 < int(given) < 65536:
        raise CommandLineError(f"'--port' takes a number from 1 to 65535, not '{given[:20]}'", parsed.chain)
    return int(given)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
