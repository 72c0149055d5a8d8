"""Commands without a helper, as on macOS; tried here, because nothing in it is of one system."""

from __future__ import annotations

import asyncio
import os

import pytest

from codex_kernel.sandbox.direct import DirectProcess, start_directly
from codex_kernel.sandbox.interface import Command, Exit
from codex_kernel.sandbox.process import Ending
from codex_protocol.errors import SandboxError
from codex_protocol.policy import DangerFullAccess
from tests.support.sandboxes import WRITE, Site


def describe(ending: Ending) -> Exit:
    return Exit(code=ending.code, signal=ending.signal or None)


async def start(command: Command) -> DirectProcess:
    return await start_directly(command, command.argv, command.env, confined=False, describe=describe)


async def said(process: DirectProcess) -> str:
    async with asyncio.timeout(10):
        text = b"".join([chunk.data async for chunk in process.output()]).decode()
    await process.aclose()
    return text


async def test_streams_and_status_arrive(site: Site) -> None:
    process = await start(site.command("sh", "-c", "echo out; echo err >&2; exit 7"))
    chunks = {chunk.stream: chunk.data async for chunk in process.output()}
    assert chunks == {"stdout": b"out\n", "stderr": b"err\n"}
    assert (await process.wait()).code == 7
    await process.aclose()


async def test_signals_are_told(site: Site) -> None:
    process = await start(site.command("sh", "-c", "kill -TERM $$"))
    assert await process.wait() == Exit(code=143, signal=15)
    await process.aclose()


async def test_input_arrives_and_ends(site: Site) -> None:
    process = await start(site.command("wc", "-c", stdin=True))
    await process.write(b"x" * 500_000)
    process.close_stdin()
    assert (await said(process)).strip() == "500000"


async def test_a_terminal_is_one_and_can_be_interrupted(site: Site) -> None:
    script = "trap 'stty size; exit 9' INT; test -t 0 && echo tty; while :; do sleep 0.05; done"
    process = await start(site.command("bash", "-c", script, pty=True))
    chunks = process.output()
    assert b"tty" in (await anext(chunks)).data
    process.resize(40, 100)
    process.interrupt()
    assert b"40 100" in b"".join([chunk.data async for chunk in chunks])
    assert (await process.wait()).code == 9
    await process.aclose()


async def test_the_whole_group_ends_with_it(site: Site) -> None:
    process = await start(site.command("bash", "-c", "sleep 66.5 & echo $!; sleep 66.5"))
    child = int((await anext(process.output())).data)
    process.kill()
    assert (await process.wait()).signal == 9
    await process.aclose()
    async with asyncio.timeout(5):
        while os.path.exists(f"/proc/{child}"):  # noqa: ASYNC110 - the system tells nobody
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("argv", "cwd"), [(("no-such-program",), "."), (("true",), "gone")])
async def test_what_cannot_start_leaves_no_descriptor(site: Site, argv: tuple[str, ...], cwd: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for pty in (False, True):
        with pytest.raises(SandboxError, match="No such file"):
            await start(site.command(*argv, cwd=site.workspace / cwd, pty=pty, stdin=not pty))
    assert len(os.listdir("/proc/self/fd")) <= before + 2  # asyncio may open its own, once


async def test_systems_without_a_sandbox_say_so_and_still_answer_about_paths(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    sandbox = site.sandbox()
    sandbox.warm(WRITE, site.workspace)
    assert sandbox.facts(WRITE).rung == 5
    with pytest.raises(SandboxError, match="cannot be run on this system"):
        await sandbox.start(site.command("true"))
    assert sandbox.may_write(site.workspace / "x", WRITE, site.workspace)
    assert not sandbox.may_read(site.home / "auth.json")
    await sandbox.aclose()


async def test_where_nothing_confines_only_full_access_starts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    sandbox = site.sandbox()
    assert sandbox.facts(WRITE).rung == 5
    with pytest.raises(SandboxError, match="cannot be confined"):
        await sandbox.start(site.command("true"))
    process = await sandbox.start(site.command("echo", "free", policy=DangerFullAccess()))
    assert await said(process) == "free\n"
    await sandbox.aclose()
