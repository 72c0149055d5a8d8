"""Nothing is left: no process, descriptor, mount or file, whatever ends how."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codex_kernel.sandbox.placeholders import Placeholders
from codex_protocol.policy import DangerFullAccess
from tests.support.sandboxes import READ, WRITE, Site, run, shell

ROOT = Path(__file__).parents[3]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def mounts() -> int:
    return len(Path("/proc/self/mountinfo").read_text().splitlines())


def processes_with(marker: str) -> list[str]:
    found: list[str] = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if marker.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except OSError:
            continue
    return found


def descendants(pid: int) -> set[int]:
    parents: dict[int, int] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            parents[int(name)] = int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


async def test_forty_commands_leave_nothing(sandbox, site) -> None:
    await shell(sandbox, site, "true")
    await shell(sandbox, site, "true", pty=True)
    before = descriptors(), mounts(), os.listdir(site.workspace)
    marker = f"61.{os.getpid()}"
    for number in range(40):
        result = await shell(sandbox, site, f"(setsid sleep {marker} &); exit 3", pty=number % 4 == 0)
        assert result.code == 3
    assert (descriptors(), mounts(), os.listdir(site.workspace)) == before
    assert processes_with(marker) == []
    async with asyncio.timeout(60):
        while len(descendants(os.getpid())) > 3:  # noqa: ASYNC110 - the last init is being collected
            await asyncio.sleep(0.01)


WAITING = """
import os, socket, subprocess
from codex_kernel.sandbox.inside import tree

orphan = subprocess.Popen(["sleep", "1000"])
ours, theirs = socket.socketpair()
ours.send(b"K")
tree.outliving(1000, theirs.fileno(), whole_namespace=False)
orphan.kill()
"""


def test_what_a_command_left_is_not_waited_for_once_the_agent_says_a_word() -> None:
    subprocess.run([sys.executable, "-P", "-c", WAITING], cwd=ROOT, check=True, timeout=90)


@pytest.mark.parametrize("ending", ["exit", "sleep 1000"])
async def test_what_lives_shorter_than_a_look_at_it_takes_is_ended_outside_the_sandbox_too(
    ending: str, sandbox, site: Site
) -> None:
    going = site.workspace / "going"
    chain = f"f() {{ test -e going && ( f & ); }}; touch going; f; f; f; echo up; {ending}"
    try:
        for _ in range(5):
            process = await sandbox.start(site.command("bash", "-c", chain, policy=DangerFullAccess()))
            async with asyncio.timeout(60):
                async for chunk in process.output():
                    if b"up" in chunk.data:
                        break
                await asyncio.sleep(0.1)  # the chain has spread
                process.kill()
                await process.wait()
            await process.aclose()
    finally:
        going.unlink(missing_ok=True)  # ends the chain where we did not
    async with asyncio.timeout(60):
        while len(descendants(os.getpid())) > 3:  # noqa: ASYNC110 - the last init is being collected
            await asyncio.sleep(0.01)


async def test_a_thousand_commands_in_a_row_and_nothing_grows(sandbox, site) -> None:
    command = site.command("/bin/true")
    for _ in range(20):
        await run(sandbox, command)
    before = descriptors(), memory_of_helpers()
    for _ in range(1000):
        await run(sandbox, command)
    assert descriptors() == before[0]
    assert memory_of_helpers() < before[1] + 1024 * 1024


def memory_of_helpers() -> int:
    """Of the largest child, in bytes."""
    page = os.sysconf("SC_PAGE_SIZE")
    me = os.getpid()
    sizes = [0]
    for pid in Path(f"/proc/{me}/task/{me}/children").read_text().split():
        sizes.append(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page)
    return max(sizes)


async def test_a_helper_stays_below_twelve_megabytes(sandbox, site) -> None:
    await shell(sandbox, site, "true")
    assert 0 < memory_of_helpers() <= 12 * 1024 * 1024


async def test_sixteen_at_once_all_finish_and_leave_nothing(sandbox, site) -> None:
    await shell(sandbox, site, "true")
    before = descriptors()
    marker = f"62.{os.getpid()}"
    for _ in range(5):
        scripts = [f"sleep 0.0{n % 10}; echo {n}; (setsid sleep {marker} &); exit {n}" for n in range(16)]
        results = await asyncio.gather(*(shell(sandbox, site, script) for script in scripts))
        assert [(result.stdout, result.code) for result in results] == [(f"{n}\n", n) for n in range(16)]
    assert descriptors() == before
    assert processes_with(marker) == []


AGENT = """
import asyncio, sys
from pathlib import Path
from codex_protocol.policy import DangerFullAccess, WorkspaceWrite
from tests.support.sandboxes import Site, run
async def main():
    site = Site(Path(sys.argv[1]))
    sandbox = site.sandbox()
    script = "(setsid sleep %s &) ; (setsid setsid sleep %s & disown) ; echo up; sleep %s" % ((sys.argv[2],) * 3)
    async def one(policy, pty):
        while True:
            process = await sandbox.start(site.command("bash", "-c", script, policy=policy, pty=pty))
            async for chunk in process.output():
                if b"up" in chunk.data: print("up", flush=True); break
            await asyncio.sleep(0.02)
            await process.aclose()
    both = (WorkspaceWrite(), DangerFullAccess())
    await asyncio.gather(*(one(policy, pty) for policy in both for pty in (False, True)))
asyncio.run(main())
"""


@pytest.mark.parametrize("seed", range(6))
def test_an_agent_killed_at_any_moment_leaves_nothing_running(site: Site, seed: int) -> None:
    marker = f"63.{os.getpid()}{seed}"
    path = [str(ROOT), str(ROOT / "kernel"), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    agent = subprocess.Popen(
        [sys.executable, "-c", AGENT, str(site.folder), marker], cwd=ROOT, env=env, stdout=subprocess.PIPE
    )
    try:
        assert agent.stdout is not None
        if seed:
            assert agent.stdout.readline() == b"up\n"
        time.sleep(random.Random(seed).uniform(0, 0.2))
        tree = descendants(agent.pid)
    finally:
        agent.send_signal(signal.SIGKILL)
        agent.wait()
        if agent.stdout is not None:
            agent.stdout.close()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and (alive := [pid for pid in tree if is_running(pid)] + processes_with(marker)):
        time.sleep(0.02)
    assert alive == []


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def test_the_next_start_sweeps_what_a_killed_agent_left(site: Site) -> None:
    test_an_agent_killed_at_any_moment_leaves_nothing_running(site, 1)
    assert ".git" in os.listdir(site.workspace)
    (site.workspace / ".agents" / "mine").mkdir()

    async def next_start() -> None:
        sandbox = site.sandbox()
        await shell(sandbox, site, "true", policy=READ)
        await sandbox.aclose()

    asyncio.run(next_start())
    assert os.listdir(site.workspace) == [".agents"]


async def test_sandboxes_side_by_side_keep_each_others_placeholders(site) -> None:
    first, second = site.sandbox(), site.sandbox()
    await shell(first, site, "true")
    running = await second.start(site.command("sh", "-c", "read x; mkdir .git/hooks; echo x > .git/config", stdin=True))
    await first.aclose()
    await running.write(b"\n")
    await running.wait()
    await running.aclose()
    await shell(second, site, "mkdir .codex/x .agents/x")
    assert [os.listdir(site.workspace / name) for name in (".git", ".codex", ".agents")] == [[], [], []]
    await second.aclose()
    assert os.listdir(site.workspace) == []


async def test_agents_with_runtime_directories_of_their_own_keep_each_others_placeholders(site) -> None:
    """As one started in a desktop session and one started by cron."""
    elsewhere = site.folder / "elsewhere"
    first, second = site.sandbox(), site.sandbox(runtime=elsewhere)
    await shell(first, site, "true")
    running = await second.start(site.command("sh", "-c", "read x; mkdir .git/hooks; echo x > .git/config", stdin=True))
    await first.aclose()
    await running.write(b"\n")
    await running.wait()
    await running.aclose()
    assert [os.listdir(site.workspace / name) for name in (".git", ".codex", ".agents")] == [[], [], []]
    await second.aclose()
    third = site.sandbox()
    await shell(third, site, "true", policy=READ)
    await third.aclose()
    assert os.listdir(site.workspace) == []


def test_only_what_was_made_and_is_empty_is_removed(site: Site) -> None:
    absent, there = site.workspace / "absent", site.workspace / "there"
    there.mkdir()
    held = Placeholders(site.runtime)
    held.hold([str(absent), str(there), str(site.workspace / "filled")])
    (site.workspace / "filled" / "x").mkdir()
    Placeholders(site.runtime).sweep()  # another agent starts: this one lives
    assert absent.is_dir()
    held.clear()
    assert sorted(os.listdir(site.workspace)) == ["filled", "there"]
    assert os.listdir(site.runtime / "placeholders") == ["lock"]


async def test_an_idle_helper_ends_and_the_next_command_starts_another(site, monkeypatch) -> None:
    monkeypatch.setattr("codex_kernel.sandbox.slot.IDLE_S", 0.05)
    sandbox = site.sandbox()
    of_others = descendants(os.getpid())
    await shell(sandbox, site, "true", policy=WRITE)
    async with asyncio.timeout(20):
        while descendants(os.getpid()) - of_others or os.listdir(site.workspace):  # noqa: ASYNC110 - the system tells nobody
            await asyncio.sleep(0.02)
    assert (await shell(sandbox, site, "echo on")).stdout == "on\n"
    await sandbox.aclose()
