"""One call of git: started under `git_guard`'s rules, bounded in time and output, its whole process group ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from codex_kernel.sandbox import git_guard
from codex_kernel.sandbox.git_files import Repository, find_repository
from codex_kernel.sandbox.git_guard import GitError, Setting
from codex_protocol.errors import SandboxError
from codex_protocol.policy import ReadOnly

if TYPE_CHECKING:
    import subprocess

    from codex_kernel.sandbox.interface import Sandbox

TIMEOUT_S = 30.0
MAX_BYTES = 64 << 20
_MAX_STDERR_BYTES = 64 << 10
_STEP_BYTES = 64 << 10


class GitOutput(NamedTuple):
    """What a call of git came to."""

    code: int
    stdout: bytes
    stderr: bytes


async def run_git(
    args: Sequence[str],
    cwd: Path,
    *,
    ok: Sequence[int] = (0,),
    timeout_s: float = TIMEOUT_S,
    max_bytes: int = MAX_BYTES,
    sandbox: Sandbox | None = None,
    env: Mapping[str, str] | None = None,
) -> GitOutput:
    """What git answers, nothing named by the repository having run.

    Args:
        args: Without `git`; the first is one of `git_guard.COMMANDS`.
        cwd: Absolute.
        ok: Exit statuses that are answers.
        timeout_s: Wall clock for the call; everything it started is ended then.
        max_bytes: Most that is taken from its output.
        sandbox: Runs git confined, reading only, where the machine can; None: as the user.
        env: Ours, when not `os.environ`; little of it is handed on.

    Raises:
        GitError: Git is missing, refused, took too long or said too much.
        ValueError: The command is not known to be safe.
    """
    call = _Call(args, cwd, os.environ if env is None else env)
    try:
        async with asyncio.timeout(timeout_s):
            listed = await _start(call.listing(), call, max_bytes, sandbox)
            done = await _start(call.command(listed), call, max_bytes, sandbox)
    except TimeoutError:
        raise GitError(f"git {args[0]} took longer than {timeout_s:g} s in {cwd}") from None
    return call.checked(done, ok)


def run_git_now(
    args: Sequence[str],
    cwd: Path,
    *,
    ok: Sequence[int] = (0,),
    timeout_s: float = TIMEOUT_S,
    env: Mapping[str, str] | None = None,
) -> GitOutput:
    """What `run_git` says, for where there is no loop; blocks. Arguments and errors as there."""
    import time

    call = _Call(args, cwd, os.environ if env is None else env)
    deadline = time.monotonic() + timeout_s
    try:
        listed = _run(call.listing(), call, deadline - time.monotonic())
        done = _run(call.command(listed), call, deadline - time.monotonic())
    except TimeoutError:
        raise GitError(f"git {args[0]} took longer than {timeout_s:g} s in {cwd}") from None
    return call.checked(done, ok)


class _Step(NamedTuple):
    argv: list[str]
    env: dict[str, str]


class _Call:
    """The two processes of one question: what the config says, then the question."""

    def __init__(self, args: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
        self.cwd = cwd
        self.name = args[0] if args else ""
        self._arguments = git_guard.arguments(args)
        self.repository: Repository | None = find_repository(cwd)
        self._program, self._search_path = git_guard.git_program(self.repository, env)
        self._env = env

    def listing(self) -> _Step:
        return _Step([self._program, *git_guard.LIST_SETTINGS], self._environment([]))

    def command(self, listed: GitOutput) -> _Step:
        if listed.code:
            raise self._failure(listed)
        settings = git_guard.parse_settings(listed.stdout)
        git_guard.check_worktree(settings, self.repository)
        return _Step([self._program, *self._arguments], self._environment(settings))

    def _environment(self, settings: Sequence[Setting]) -> dict[str, str]:
        return git_guard.environment(self._env, self._search_path, settings)

    def checked(self, done: GitOutput, ok: Sequence[int]) -> GitOutput:
        if done.code not in ok:
            raise self._failure(done)
        return done

    def _failure(self, done: GitOutput) -> GitError:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = [line for line in lines if line.startswith(("fatal: ", "error: "))]  # warnings may stand in front
        said = (why or lines or [f"exit status {done.code}"])[0]
        if any("promisor remote" in line or "lazy fetching" in line for line in lines):
            said = f"this partial clone lacks objects, none are fetched from here; run git {self.name} yourself once"
        return GitError(f"git {self.name} failed in {self.cwd}: {said}", code=done.code)


async def _start(step: _Step, call: _Call, max_bytes: int, sandbox: Sandbox | None) -> GitOutput:
    if sandbox is not None:
        with contextlib.suppress(SandboxError):  # this machine cannot confine; the rules of `git_guard` hold anyway
            return await _run_confined(step, call, max_bytes, sandbox)
    return await _run_async(step, call, max_bytes)


async def _run_confined(step: _Step, call: _Call, max_bytes: int, sandbox: Sandbox) -> GitOutput:
    from codex_kernel.sandbox.interface import Command

    root = call.cwd if call.repository is None else call.repository.root
    process = await sandbox.start(
        Command(argv=tuple(step.argv), cwd=call.cwd, env=step.env, policy=ReadOnly(), workspace=root)
    )
    out, err = bytearray(), bytearray()
    try:
        async for chunk in process.output():
            if chunk.stream == "stdout":
                out += chunk.data
            elif len(err) < _MAX_STDERR_BYTES:
                err += chunk.data
            if len(out) > max_bytes:
                raise _too_much(call, max_bytes)
        return GitOutput((await process.wait()).code, bytes(out), bytes(err))
    finally:
        await process.aclose()


async def _run_async(step: _Step, call: _Call, max_bytes: int) -> GitOutput:
    try:
        process = await asyncio.create_subprocess_exec(
            *step.argv,
            cwd=call.cwd,
            env=step.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise GitError(f"git cannot be started in {call.cwd}: {error.strerror}") from error
    assert process.stdout is not None  # noqa: S101 - narrows: both are pipes
    assert process.stderr is not None  # noqa: S101
    errors = asyncio.ensure_future(_take(process.stderr, _MAX_STDERR_BYTES, keep_reading=True))
    try:
        out = await _take(process.stdout, max_bytes + 1, keep_reading=False)
        if len(out) > max_bytes:
            raise _too_much(call, max_bytes)
        return GitOutput(await process.wait(), out, await errors)
    finally:
        _kill_group(process.pid, process.returncode)
        # A full pipe is not read any more, and asyncio sees no end of a process before those of its pipes.
        await _take(process.stdout, 0, keep_reading=True)
        await asyncio.wait({errors})
        await process.wait()


async def _take(stream: asyncio.StreamReader, max_bytes: int, *, keep_reading: bool) -> bytes:
    """The stream's bytes up to a limit; what follows is left, or read and dropped."""
    out = bytearray()
    while data := await stream.read(_STEP_BYTES):
        out += data[: max_bytes - len(out)]
        if len(out) >= max_bytes and not keep_reading:
            break
    return bytes(out)


def _run(step: _Step, call: _Call, timeout_s: float) -> GitOutput:
    import subprocess

    try:
        process = subprocess.Popen(
            step.argv,
            cwd=call.cwd,
            env=step.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise GitError(f"git cannot be started in {call.cwd}: {error.strerror}") from error
    return _communicate(process, timeout_s)


def _communicate(process: subprocess.Popen[bytes], timeout_s: float) -> GitOutput:
    import subprocess

    with process:
        try:
            out, err = process.communicate(timeout=max(0.0, timeout_s))
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        finally:
            _kill_group(process.pid, process.returncode)
    return GitOutput(process.returncode, out, err)


def _kill_group(pid: int, code: int | None) -> None:
    """End the call and what it started; its process group has its own number as long as it has not been waited for."""
    if code is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _too_much(call: _Call, max_bytes: int) -> GitError:
    return GitError(f"git {call.name} said more than {max_bytes} bytes in {call.cwd}")
