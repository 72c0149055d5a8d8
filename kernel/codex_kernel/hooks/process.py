"""One hook's process: JSON on its stdin, what it says back, and no process left when its time is over.

It runs outside the sandbox, with the user's rights, in a process group of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import msgspec

MAX_OUTPUT_BYTES = 1024 * 1024
_LATE_OUTPUT_S = 0.5
"""How long what a hook left behind may hold its output open."""


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """How a hook ended."""

    code: int | None = None
    """None when it did not run to its end."""
    stdout: str = ""
    stderr: str = ""
    failure: str | None = None
    """Why it did not run to its end, as a clause."""


async def run_hook(command: str, payload: bytes, cwd: Path, env: Mapping[str, str], timeout_s: float) -> Finished:
    """Run a hook by the user's shell.

    Raises:
        asyncio.CancelledError: Interrupted; its processes are gone.
    """
    shell = env.get("SHELL", "")
    if not (shell.startswith("/") and os.access(shell, os.X_OK)):
        shell = "/bin/sh"
    try:
        process = await asyncio.create_subprocess_exec(
            shell,
            "-c",
            command,
            cwd=cwd,
            env=dict(env),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return Finished(failure=f"it could not be started: {getattr(error, 'strerror', None) or error}")
    out, err = _Output(), _Output()
    feeding = asyncio.create_task(_feed(process, payload))
    reading = [asyncio.create_task(out.read(process.stdout)), asyncio.create_task(err.read(process.stderr))]
    try:
        try:
            code = await asyncio.wait_for(process.wait(), timeout_s)
        except TimeoutError:
            return Finished(failure=f"it took longer than {timeout_s:g} seconds")
        _, late = await asyncio.wait(reading, timeout=_LATE_OUTPUT_S)
        if out.too_much or err.too_much:
            return Finished(failure=f"it printed more than {MAX_OUTPUT_BYTES} bytes")
        if late and not out.data and not err.data:
            return Finished(code=code)
        return Finished(code=code, stdout=out.text(), stderr=err.text())
    finally:
        if process.returncode is None:
            kill_tree(process.pid)
        for task in (feeding, *reading):
            task.cancel()
        await asyncio.gather(feeding, *reading, return_exceptions=True)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(process.wait(), 2)
        _close(process)


async def _feed(process: asyncio.subprocess.Process, payload: bytes) -> None:
    if process.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # a hook need not read
        process.stdin.write(payload)
        await process.stdin.drain()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.close()
        await process.stdin.wait_closed()


class _Output:
    def __init__(self) -> None:
        self.data = bytearray()
        self.too_much = False

    async def read(self, stream: asyncio.StreamReader | None) -> None:
        """Read to the end; past the limit it is thrown away, so that the hook does not block."""
        while stream is not None and (piece := await stream.read(65536)):
            if len(self.data) + len(piece) > MAX_OUTPUT_BYTES:
                self.too_much = True
            else:
                self.data += piece

    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


def kill_tree(pid: int) -> None:
    """End a process, its group, and what its descendants started in groups of their own."""
    descendants = _descendants(pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for descendant in descendants:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(descendant, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    """Children of children; only where `/proc` tells of them."""
    found: list[int] = []
    level = [pid]
    while level and len(found) < 10_000:
        level = [child for parent in level for child in _children(parent)]
        found += level
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    for thread in threads:
        with contextlib.suppress(OSError, ValueError):
            text = Path(f"/proc/{pid}/task/{thread}/children").read_text(encoding="ascii")
            children += [int(word) for word in text.split()]
    return children


def _close(process: asyncio.subprocess.Process) -> None:
    transport = getattr(process, "_transport", None)  # asyncio's streams offer no other way to give up the pipes
    if transport is not None:
        transport.close()
