"""`codex apply`: what a thread or a task in the cloud changed last, put into the working tree here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from codex_cli.log_setup import configure_logging
from codex_cli.parser import Parsed
from codex_kernel.config.directory import current_directory
from codex_protocol.errors import CodexError, RolloutError
from codex_render.safe_text import visible
from codex_store.home import Home, find_home
from codex_store.thread_info import ThreadInfo
from codex_store.threads import find_thread
from codex_store.turn_diffs import last_diff

_CLOUD = "task_"


def run_apply_command(parsed: Parsed) -> int:
    """0, also when the tree has the change already.

    Raises:
        CodexError: There is no such thread or task, it changed nothing, or the change does not fit here.
    """
    configure_logging(os.environ)
    from codex_kernel.config.load import Flags, load_config
    from codex_kernel.sandbox.git_apply import apply_diff

    home, name, cd = find_home(), parsed.words[0], parsed.one("cd")
    flags = Flags(cd=Path(cd) if cd is not None else None)
    config = load_config(home=home, cwd=current_directory(cd), overrides=parsed.many("config"), flags=flags)
    info = _thread(home, name)
    if info is not None:
        diff = _diff_of(info)
    else:
        from codex_cli.cloud_task import task_diff

        diff = task_diff(name, config, home)
    if not diff.strip():
        raise CodexError(f"{name} changed nothing")
    done = apply_diff(diff, config.cwd)
    sentence = {
        "applied": "Applied",
        "merged": "Applied, merged with other changes of the same files",
        "there already": "Nothing to do, the working tree has this change already",
    }[done]
    sys.stdout.write(f"{sentence}:\n" + "".join(f"  {visible(file)}\n" for file in _files(diff)))
    sys.stdout.flush()
    return 0


def _thread(home: Home, name: str) -> ThreadInfo | None:
    """The thread of that name; None when it can only be a task's id."""
    try:
        return find_thread(home, name)
    except RolloutError as error:
        if name.startswith(_CLOUD):
            return None
        raise RolloutError(f"{str(error).rstrip('.')}; ids of tasks in the cloud begin with {_CLOUD}") from error


def _diff_of(info: ThreadInfo) -> str:
    diff = last_diff(info.path)
    if diff is None:
        raise CodexError(
            f"no patch of the thread {info.id} changed a file, or another program made it; what its commands changed "
            "is not kept"
        )
    return diff


def _files(diff: str) -> list[str]:
    """The files a git-style diff names, as it names them."""
    return [line.rpartition(" b/")[2] for line in diff.splitlines() if line.startswith("diff --git ")]
