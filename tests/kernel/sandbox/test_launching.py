from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from codex_kernel.sandbox.interface import Process, Sandbox
from codex_protocol.errors import SandboxError
from codex_protocol.policy import DangerFullAccess, SandboxPolicy
from tests.support.sandboxes import READ, WRITE, Site, run, shell

FULL = DangerFullAccess()
every_policy = pytest.mark.parametrize(
    "policy", [READ, WRITE, FULL], ids=["read-only", "workspace-write", "full-access"]
)


async def read_until(process: Process, wanted: bytes) -> bytes:
    said = b""
    async with asyncio.timeout(10):
        async for chunk in process.output():
            said += chunk.data
            if wanted in said:
                return said
    raise AssertionError(f"{wanted!r} never came, only {said!r}")


@every_policy
async def test_streams_and_status_arrive(sandbox: Sandbox, site: Site, policy: SandboxPolicy) -> None:
    result = await shell(sandbox, site, "echo out; echo err >&2; exit 7", policy=policy)
    assert (result.code, result.stdout, result.stderr, result.exit.signal) == (7, "out\n", "err\n", None)


@every_policy
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGPIPE])
async def test_status_of_a_signalled_command_is_128_plus_the_signal(sandbox, site, policy, number) -> None:
    result = await shell(sandbox, site, f"kill -{int(number)} $$", policy=policy)
    assert (result.code, result.exit.signal) == (128 + number, number)


async def test_the_command_gets_exactly_its_environment_and_the_sandbox_variables(sandbox, site) -> None:
    result = await run(sandbox, site.command("/usr/bin/env", env={"A": "b c", "NAME": "\udcff"}))
    lines = set(result.stdout.splitlines())
    assert {"A=b c", "CODEX_SANDBOX_NETWORK_DISABLED=1", f"HOME={os.environ['HOME']}"} <= lines
    assert {line.split("=")[0] for line in lines} == {"A", "NAME", "PATH", "HOME", "CODEX_SANDBOX_NETWORK_DISABLED"}


async def test_full_access_says_nothing_about_a_disabled_network(sandbox, site) -> None:
    result = await run(sandbox, site.command("/usr/bin/env", policy=FULL))
    assert "CODEX_SANDBOX" not in result.stdout


async def test_signals_python_ignores_are_default_again(sandbox, site) -> None:
    result = await shell(sandbox, site, "grep SigIgn /proc/self/status; grep SigBlk /proc/self/status")
    ignored, blocked = (int(line.split()[1], 16) for line in result.stdout.splitlines())
    # 32 and 33 are the C library's own: nobody can set them, and who ignores them is no business of ours.
    by_python = sum(1 << (number - 1) for number in (signal.SIGPIPE, signal.SIGXFSZ, 32, 33))
    ours = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("SigIgn"))
    # What whoever started the tests has ignored, as a shell does for jobs in its background, stays ignored.
    assert (ignored, blocked) == (int(ours.split()[1], 16) & ~by_python, 0)


@every_policy
async def test_no_descriptor_of_ours_reaches_the_command(sandbox, site, policy) -> None:
    keep = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(keep, True)
    try:
        script = "import os; print(sorted(int(f) for f in os.listdir('/proc/self/fd')))"
        result = await run(sandbox, site.command("python3", "-c", script, policy=policy))
    finally:
        os.close(keep)
    assert result.stdout in ("[0, 1, 2, 3]\n", "[0, 1, 2]\n")


@every_policy
async def test_stdin_is_empty_unless_it_was_asked_for(sandbox, site, policy) -> None:
    assert (await shell(sandbox, site, "cat; echo end", policy=policy)).stdout == "end\n"


@every_policy
async def test_written_input_arrives_in_order_and_ends(sandbox, site, policy) -> None:
    process = await sandbox.start(site.command("wc", "-c", policy=policy, stdin=True))
    for _ in range(20):
        await process.write(b"x" * 100_000)
    process.close_stdin()
    assert (await read_until(process, b"\n")).split() == [b"2000000"]
    assert (await process.wait()).code == 0
    with pytest.raises(SandboxError):
        await process.write(b"more")
    await process.aclose()


async def test_writing_to_a_command_without_stdin_is_refused(sandbox, site) -> None:
    process = await sandbox.start(site.command("sleep", "5"))
    with pytest.raises(SandboxError, match="no standard input"):
        await process.write(b"x")
    await process.aclose()


async def test_a_writer_is_told_when_the_command_stops_reading(sandbox, site) -> None:
    process = await sandbox.start(site.command("true", stdin=True))
    with pytest.raises(SandboxError):
        await process.write(b"x" * 10_000_000)
    await process.aclose()


@every_policy
async def test_a_terminal_is_one(sandbox, site, policy) -> None:
    result = await shell(
        sandbox, site, "tty; stty size; test -t 0 && test -t 1 && test -t 2 && echo all", pty=True, policy=policy
    )
    first, *rest = result.stdout.split("\r\n")
    assert first.startswith("/dev/pts/")
    assert rest == ["24 80", "all", ""]


async def test_a_terminal_takes_input_resizes_and_interrupts(sandbox, site) -> None:
    script = "trap 'echo got $(stty size); exit 9' INT; read line; echo \"read $line\"; while :; do sleep 0.05; done"
    process = await sandbox.start(site.command("bash", "-c", script, pty=True))
    await process.write(b"hello\n")
    await read_until(process, b"read hello")
    process.resize(50, 132)
    process.interrupt()
    await read_until(process, b"got 50 132")
    assert (await process.wait()).code == 9
    await process.aclose()


async def test_end_of_transmission_ends_a_terminals_input(sandbox, site) -> None:
    process = await sandbox.start(site.command("cat", pty=True))
    await process.write(b"line\n")
    process.close_stdin()
    assert (await process.wait()).code == 0
    await process.aclose()


async def test_job_control_works_in_a_terminal(sandbox, site) -> None:
    process = await sandbox.start(site.command("bash", "--norc", "-i", pty=True))
    await process.write(b"sh -c 'echo rea\"\"dy; read x'\n")
    await read_until(process, b"ready")
    await process.write(b"\x1a")
    await read_until(process, b"Stopped")
    await process.write(b"fg\n")
    await read_until(process, b"read x")
    await process.aclose()


@every_policy
async def test_interrupting_pipes_reaches_the_command(sandbox, site, policy) -> None:
    process = await sandbox.start(
        site.command("bash", "-c", "trap 'exit 5' INT; echo up; sleep 60 & wait", policy=policy)
    )
    await read_until(process, b"up")
    process.interrupt()
    async with asyncio.timeout(10):
        assert (await process.wait()).code == 5
    await process.aclose()


@every_policy
async def test_killing_ends_daemons_too(sandbox, site, policy) -> None:
    marker = f"73.{os.getpid()}"
    script = f"(setsid sleep {marker} >/dev/null 2>&1 &); (sleep {marker} &) ; echo up; sleep {marker}"
    process = await sandbox.start(site.command("bash", "-c", script, policy=policy))
    await read_until(process, b"up")
    process.kill()
    async with asyncio.timeout(10):
        ended = await process.wait()
    assert (ended.code, ended.signal) == (137, 9)
    assert running(marker) == []
    await process.aclose()


@every_policy
async def test_what_a_command_leaves_behind_ends_with_it(sandbox, site, policy) -> None:
    marker = f"74.{os.getpid()}"
    result = await shell(
        sandbox, site, f"(setsid sleep {marker} &) ; sleep {marker} & sleep 0.1; echo bye", policy=policy
    )
    assert result.stdout == "bye\n"
    assert running(marker) == []


def kill_children() -> None:
    for pid in children():
        os.kill(pid, signal.SIGKILL)


def children() -> set[int]:
    me = os.getpid()
    return {int(pid) for pid in Path(f"/proc/{me}/task/{me}/children").read_text().split()}


def running(marker: str) -> list[str]:
    found: list[str] = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read()
        except OSError:
            continue
        if marker.encode() in line and line.startswith(b"sleep"):
            found.append(pid)
    return found


@pytest.mark.parametrize(
    ("argv", "cwd", "sentence"),
    [
        (("no-such-program",), None, "no-such-program: program not found."),
        (("/nowhere/x",), None, "/nowhere/x: program not found."),
        (("./data",), None, r"\./data: cannot be run \(Permission denied\)\."),
        (("true",), "gone", "The working directory .*gone cannot be used: No such file or directory."),
        (("true",), "data", "The working directory .*data cannot be used: Not a directory."),
        (("",), None, "The command is empty."),
        (("a\0b",), None, "zero byte"),
        (("echo", "x" * 200_000), None, "too long"),
    ],
)
@pytest.mark.parametrize("policy", [WRITE, FULL], ids=["workspace-write", "full-access"])
async def test_what_cannot_start_is_said_in_a_sentence(sandbox, site, policy, argv, cwd, sentence) -> None:
    (site.workspace / "data").write_text("x")
    with pytest.raises(SandboxError, match=sentence):
        await sandbox.start(site.command(*argv, policy=policy, cwd=site.workspace / cwd if cwd else None))


async def test_a_long_command_line_arrives_whole(sandbox, site) -> None:
    words = ["w" * 100_000 for _ in range(10)]
    result = await run(sandbox, site.command("python3", "-c", "import sys; print(len(''.join(sys.argv[1:])))", *words))
    assert result.stdout == "1000000\n"


async def test_a_reader_that_falls_behind_holds_the_command_back(sandbox, site) -> None:
    script = "import os, sys\nfor n in range(400):\n os.write(1, b'x' * 65536)\n open('progress', 'w').write(str(n))"
    process = await sandbox.start(site.command("python3", "-c", script))
    chunks = process.output()
    first = await anext(chunks)
    assert len(first.data) <= 65536
    await asyncio.sleep(0.5)  # time enough for all of it, were it not held back
    assert int((site.workspace / "progress").read_text()) < 60
    total = len(first.data)
    async for chunk in chunks:
        total += len(chunk.data)
    assert total == 400 * 65536
    assert (await process.wait()).code == 0
    await process.aclose()


async def test_fifty_megabytes_arrive_whole(sandbox, site) -> None:
    process = await sandbox.start(site.command("head", "-c", "50000000", "/dev/zero"))
    assert sum([len(chunk.data) async for chunk in process.output()]) == 50_000_000
    await process.aclose()


async def test_output_can_be_read_after_the_end(sandbox, site) -> None:
    process = await sandbox.start(site.command("echo", "late"))
    await process.wait()
    assert [chunk.data async for chunk in process.output()] == [b"late\n"]
    await process.aclose()


async def test_waiting_is_for_many_and_a_cancelled_waiter_harms_nobody(sandbox, site) -> None:
    process = await sandbox.start(site.command("sh", "-c", "read x; exit 3", stdin=True))
    impatient = asyncio.create_task(process.wait())
    others = [asyncio.create_task(process.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    impatient.cancel()
    process.close_stdin()
    assert [(await other).code for other in others] == [3, 3, 3]
    await process.aclose()
    await process.aclose()
    assert (await process.wait()).code == 3


async def test_a_start_that_is_cancelled_leaves_nothing_running(sandbox, site) -> None:
    marker = f"75.{os.getpid()}"
    await shell(sandbox, site, "true")
    for delay in (0, 0, 0.001, 0.002, 0.004):
        task = asyncio.create_task(sandbox.start(site.command("sleep", marker)))
        await asyncio.sleep(delay)
        task.cancel()
        try:
            process = await task
        except asyncio.CancelledError:
            continue
        await process.aclose()
    assert running(marker) == []
    assert (await shell(sandbox, site, "echo fine")).stdout == "fine\n"


async def test_closing_the_sandbox_ends_what_runs(site) -> None:
    marker = f"76.{os.getpid()}"
    sandbox = site.sandbox()
    processes = [await sandbox.start(site.command("sleep", marker, policy=policy)) for policy in (READ, WRITE, FULL)]
    await sandbox.aclose()
    assert running(marker) == []
    assert [(await process.wait()).code for process in processes] == [137, 137, 137]


async def test_a_dead_helper_is_replaced(sandbox, site) -> None:
    await shell(sandbox, site, "true")
    kill_children()
    assert (await shell(sandbox, site, "echo again")).stdout == "again\n"


async def test_a_command_ends_with_its_helper(sandbox, site) -> None:
    process = await sandbox.start(site.command("sleep", "60"))
    kill_children()
    async with asyncio.timeout(10):
        assert (await process.wait()).code == 137
    await process.aclose()


async def test_warming_starts_the_helper_that_the_first_command_then_uses(site) -> None:
    sandbox = site.sandbox()
    sandbox.warm(WRITE, site.workspace)
    async with asyncio.timeout(10):
        while not (warmed := children()):  # noqa: ASYNC110  # nothing tells of a child's start
            await asyncio.sleep(0.01)
    await shell(sandbox, site, "true")
    assert warmed <= children()
    await sandbox.aclose()


@every_policy
async def test_confinement_is_told(sandbox, site, policy) -> None:
    process = await sandbox.start(site.command("true", policy=policy))
    assert process.confined is (policy != FULL)
    await process.aclose()


@pytest.mark.parametrize("name", ["", "A=B"])
async def test_a_name_no_environment_can_hold_is_refused(sandbox, site, name) -> None:
    with pytest.raises(SandboxError, match="cannot be used"):
        await sandbox.start(site.command("true", env={name: "x"}))


async def test_commands_asked_for_at_once_all_start_although_the_helper_cannot_keep_up(sandbox, site) -> None:
    much = {"MUCH": "x" * 50_000}  # a few such jobs fill its socket
    commands = [site.command("/bin/echo", str(number), env=much) for number in range(16)]
    async with asyncio.timeout(60):
        results = await asyncio.gather(*(run(sandbox, command) for command in commands))
    assert [result.stdout for result in results] == [f"{number}\n" for number in range(16)]
