"""Commands that would take the machine down are ended, and told why."""

from __future__ import annotations

import asyncio
import os

from codex_kernel.sandbox.inside.watch import Watch
from tests.support.sandboxes import Site, run, shell, small_limits

MIB = 1024 * 1024


async def test_a_fork_bomb_stays_small(site: Site) -> None:
    site.settings = small_limits(max_processes=301)
    sandbox = site.sandbox()
    program = (
        "import os, time\n"
        "made = 0\n"
        "try:\n"
        "    while made < 3000:\n"
        "        if os.fork() == 0: time.sleep(60); os._exit(0)\n"
        "        made += 1\n"
        "except OSError: print(made < 302)\n"
    )
    result = await run(sandbox, site.command("python3", "-c", program))
    await sandbox.aclose()
    assert result.stdout == "True\n" or "processes" in (result.exit.killed_because or "")


async def test_a_memory_hog_is_ended_with_a_sentence(site) -> None:
    site.settings = small_limits(max_memory_bytes=200 * MIB)
    sandbox = site.sandbox()
    result = await run(sandbox, site.command("python3", "-c", "import time; x = b'x' * (400 << 20); time.sleep(30)"))
    await sandbox.aclose()
    assert result.code == 137
    assert "memory" in (result.exit.killed_because or "")


async def test_a_memory_hog_that_first_blinds_its_watcher_is_ended_all_the_same(site) -> None:
    site.settings = small_limits(max_memory_bytes=200 * MIB)
    sandbox = site.sandbox()
    program = (
        "import os, resource, time\n"
        "def tried(what, *arguments):\n"
        "    try: what(*arguments)\n"
        "    except PermissionError: print('refused', flush=True)\n"
        "tried(resource.prlimit, 1, resource.RLIMIT_NOFILE, (3, 3))\n"
        "tried(os.sched_setscheduler, 1, os.SCHED_IDLE, os.sched_param(0))\n"
        "tried(os.sched_setaffinity, 1, {0})\n"
        "tried(os.setpriority, os.PRIO_PROCESS, 1, 19)\n"
        "x = b'x' * (400 << 20)\n"
        "time.sleep(30)\n"
    )
    result = await run(sandbox, site.command("python3", "-c", program))
    await sandbox.aclose()
    assert result.stdout == "refused\n" * 4
    assert result.code == 137
    assert "memory" in (result.exit.killed_because or "")


async def test_shared_memory_counts_as_memory(site) -> None:
    site.settings = small_limits(max_memory_bytes=200 * MIB)
    sandbox = site.sandbox()
    result = await shell(sandbox, site, "head -c 300M /dev/zero > /dev/shm/x && sleep 30")
    await sandbox.aclose()
    assert result.exit.killed_because is not None or "No space left" in result.stderr


async def test_memory_shared_by_many_processes_counts_once(site) -> None:
    site.settings = small_limits(max_memory_bytes=400 * MIB)
    sandbox = site.sandbox()
    program = (
        "import os, time\nx = b'x' * (150 << 20)\nfor _ in range(5):\n"
        "  if os.fork() == 0: time.sleep(1); os._exit(0)\ntime.sleep(1); print('fine')"
    )
    result = await run(sandbox, site.command("python3", "-c", program))
    await sandbox.aclose()
    assert (result.stdout, result.exit.killed_because) == ("fine\n", None)


async def test_a_file_cannot_grow_past_its_limit(site) -> None:
    site.settings = small_limits(max_file_bytes=MIB)
    sandbox = site.sandbox()
    result = await shell(sandbox, site, "head -c 5M /dev/zero > big")
    await sandbox.aclose()
    assert (site.workspace / "big").stat().st_size == MIB
    assert result.code != 0


async def test_a_disk_filler_is_ended_with_a_sentence(site) -> None:
    free = os.statvfs(site.workspace)
    floor = free.f_bavail * free.f_frsize - 64 * MIB
    site.settings = small_limits(min_free_disk_bytes=floor)
    sandbox = site.sandbox()
    result = await shell(sandbox, site, "for n in $(seq 20); do head -c 30M /dev/zero > f$n; done; sleep 30")
    await sandbox.aclose()
    assert "were left on the disk" in (result.exit.killed_because or "")


def test_a_full_disk_does_not_forbid_every_command(tmp_path) -> None:
    limits = {"processes": None, "rlimit_processes": None, "file_bytes": None, "memory_bytes": None,
              "free_disk_bytes": 1 << 62, "disks": [str(tmp_path)]}  # fmt: skip
    assert Watch(limits, shared_memory=None).complaint([]) is None  # pyright: ignore[reportArgumentType]


async def test_no_core_file_is_written(sandbox, site) -> None:
    await shell(sandbox, site, "sh -c 'kill -SEGV $$'; true")
    assert [name for name in os.listdir(site.workspace) if "core" in name] == []


async def test_other_commands_go_on_when_one_is_ended(site) -> None:
    site.settings = small_limits(max_memory_bytes=200 * MIB)
    sandbox = site.sandbox()
    hog = site.command("python3", "-c", "import time; x = b'x' * (400 << 20); time.sleep(30)")
    other, result = await asyncio.gather(shell(sandbox, site, "sleep 1; echo here"), run(sandbox, hog))
    await sandbox.aclose()
    assert other.stdout == "here\n"
    assert result.exit.killed_because is not None
