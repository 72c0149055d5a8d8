import asyncio
import os
import select
from pathlib import Path

import pytest

from codex_kernel.hooks.process import run_hook

ENV = {"PATH": os.environ["PATH"], "MARK": "inherited"}


async def run(command: str, cwd: Path, payload: bytes = b"{}", timeout_s: float = 20, **env: str):
    return await run_hook(command, payload, cwd, ENV | env, timeout_s)


def gone(pid: int) -> bool:
    """Whether a process has ended, or does within some seconds."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 5)[0])
    finally:
        os.close(descriptor)


async def test_a_hook_reads_json_and_its_end_is_told(tmp_path: Path) -> None:
    done = await run("cat; echo $MARK >&2; pwd; exit 3", tmp_path, b'{"a": 1}')
    assert (done.code, done.stdout, done.stderr) == (3, f'{{"a": 1}}{tmp_path}\n', "inherited\n")
    assert done.failure is None


@pytest.mark.parametrize("shell", ["", "/no/such/shell", "bash", "/bin/bash"])
async def test_a_shell_that_is_none_is_not_used(tmp_path: Path, shell: str) -> None:
    assert (await run("echo ok", tmp_path, SHELL=shell)).stdout == "ok\n"


async def test_a_hook_need_not_read_its_input(tmp_path: Path) -> None:
    assert (await run("exec 0<&-; exit 0", tmp_path, b"x" * 5_000_000)).code == 0


async def test_a_hook_that_takes_too_long_is_ended_with_everything_it_started(tmp_path: Path) -> None:
    command = "sleep 300 & echo $! > a; setsid sleep 300 & echo $! > b; while [ ! -s b ]; do :; done; sleep 300"
    done = await run(command, tmp_path, timeout_s=1)
    assert done.failure == "it took longer than 1 seconds"
    for name in ("a", "b"):
        assert gone(int((tmp_path / name).read_text()))


async def test_what_a_hook_leaves_behind_does_not_hold_it_up(tmp_path: Path) -> None:
    done = await run("echo said; sleep 300 & echo $! > pid", tmp_path)
    assert (done.code, done.stdout) == (0, "said\n")
    os.kill(int((tmp_path / "pid").read_text()), 9)


async def test_an_interrupt_ends_a_hook_and_its_processes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pid")
    task = asyncio.create_task(run("sleep 300 & echo $! > pid; sleep 300", tmp_path))
    pid = await asyncio.to_thread((tmp_path / "pid").read_text)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone(int(pid))


async def test_a_flood_is_refused_and_does_not_block_the_hook(tmp_path: Path) -> None:
    done = await run("head -c 20000000 /dev/zero", tmp_path)
    assert done.failure is not None
    assert "printed more than" in done.failure


async def test_a_directory_that_is_gone_is_a_failure_and_no_exception(tmp_path: Path) -> None:
    done = await run("true", tmp_path / "none")
    assert done.failure is not None
    assert "could not be started" in done.failure


async def test_bytes_that_are_no_text_are_shown_as_such(tmp_path: Path) -> None:
    assert (await run("printf '\\377ok'", tmp_path)).stdout == "\ufffdok"


async def test_many_hooks_leave_no_descriptor_behind(tmp_path: Path) -> None:
    await run("true", tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    await asyncio.gather(*(run("echo x; sleep 300 & echo $! >> pids", tmp_path) for _ in range(8)))
    assert len(os.listdir("/proc/self/fd")) <= before + 2
    for pid in (tmp_path / "pids").read_text().split():
        os.kill(int(pid), 9)
