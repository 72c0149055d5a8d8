"""What `test_lifetimes.py` does not look at: the helper's own descriptors after ends of every kind, and the command
line killed at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from codex_protocol.errors import SandboxError
from tests.support.sandboxes import Site, shell

ROOT = Path(__file__).parents[3]


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in os.listdir(f"/proc/{pid}/task"):
        found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def helpers() -> list[int]:
    """Of this process: each with one init in waiting."""
    return [pid for pid in children(os.getpid()) if b"zygote" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def open_descriptors(pid: int) -> list[str]:
    found: list[str] = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(f"/proc/{pid}/fd/{fd}").split(":")[0])
    return sorted(found)


async def settled(pid: int) -> list[str]:
    """What a helper has open once it has collected every command and made its spare."""
    before: list[str] = []
    async with asyncio.timeout(10):
        while len(children(pid)) != 1 or (now := open_descriptors(pid)) != before:
            before = open_descriptors(pid)
            await asyncio.sleep(0.05)
    return now


async def test_ends_of_every_kind_mixed_leave_nothing_in_agent_or_helper(sandbox, site: Site) -> None:
    await shell(sandbox, site, "true")
    await shell(sandbox, site, "true", pty=True)
    (helper,) = helpers()
    here, there = len(os.listdir("/proc/self/fd")), await settled(helper)
    chance = random.Random(4711)
    seconds = f"66.{os.getpid()}"

    async def one(kind: int) -> None:
        script = f"(setsid sleep {seconds} &); echo up; sleep 0.01; exit 1"
        if kind == 0:
            with contextlib.suppress(SandboxError):
                await sandbox.start(site.command("no-such-program"))
            return
        process = await sandbox.start(site.command("bash", "-c", script, pty=kind == 1, stdin=kind == 2))
        if kind == 3:
            process.kill()
        if kind == 4:
            process.interrupt()
        if kind == 5:
            await asyncio.sleep(chance.uniform(0, 0.02))  # somewhere in its life
        else:
            await process.wait()
        await process.aclose()

    async def one_that_is_cancelled() -> None:
        task = asyncio.ensure_future(one(chance.randrange(1, 6)))
        await asyncio.sleep(chance.uniform(0, 0.02))
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    for _ in range(12):
        await asyncio.gather(
            *(one(chance.randrange(6)) for _ in range(12)), *(one_that_is_cancelled() for _ in range(4))
        )
    assert helpers() == [helper]
    assert await settled(helper) == there
    assert len(os.listdir("/proc/self/fd")) == here
    assert not _running(seconds)


def _running(word: str) -> list[str]:
    found: list[str] = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/cmdline").read_text()
            if text.startswith("sleep\0") and word in text.split("\0"):
                found.append(pid)
    return found


def test_the_command_line_killed_at_any_moment_leaves_nothing_running(site: Site) -> None:
    site.runtime.chmod(0o700)
    env = {**os.environ, "CODEX_HOME": str(site.home), "HOME": str(site.folder)}
    argv = [sys.executable, "-P", "-m", "codex_cli.main", "sandbox", "-s", "workspace-write", "--"]
    chance = random.Random(1)
    for number in range(8):
        seconds = f"67.{os.getpid()}{number}"
        script = f"(setsid sleep {seconds} &); exec sleep {seconds}"
        agent = subprocess.Popen([*argv, "bash", "-c", script], cwd=site.workspace, env=env, stdin=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.05, 0.5))
        agent.send_signal(signal.SIGKILL)
        agent.wait()
        deadline = time.monotonic() + 5
        while _running(seconds):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    done = subprocess.run([*argv, "true"], cwd=site.workspace, env=env, check=False)
    assert done.returncode == 0
    assert os.listdir(site.workspace) == [], "the next start sweeps what the killed ones left"
    assert os.listdir(site.runtime / "placeholders") == ["lock"]
