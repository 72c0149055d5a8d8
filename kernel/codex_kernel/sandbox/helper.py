"""The agent's side of a helper process: started, given commands, stopped."""

from __future__ import annotations

import _socket
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from codex_kernel.sandbox.cgroup import Group
from codex_kernel.sandbox.inside import wire
from codex_kernel.sandbox.inside.shapes import Job, Recipe
from codex_kernel.sandbox.interface import Command, Exit, Stream
from codex_kernel.sandbox.process import Ending, HelperProcess

_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); from codex_kernel.sandbox.inside import zygote; sys.exit(zygote.main())"
)
_SOURCE_ROOT = str(Path(__file__).parents[2])
_START_S = 15.0


class HelperFailed(Exception):
    """A helper could not be started, or ended before it took a command.

    Attributes:
        replaced: The tree changed while it started; planning again helps.
    """

    def __init__(self, detail: str, *, replaced: bool = False) -> None:
        super().__init__(detail)
        self.replaced = replaced


def helper_argv() -> list[str]:
    """The helper's command line; its socket is standard input."""
    return [sys.executable, "-I", "-S", "-c", _PROGRAM, _SOURCE_ROOT]


def spawn(prefix: Sequence[str] = ()) -> tuple[int, _socket.socket]:
    """A helper process with nothing of ours but one socket: its pid and our end.

    Args:
        prefix: A launcher's command line, such as bubblewrap's.
    """
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    argv = [*prefix, *helper_argv()]
    try:
        pid = os.posix_spawn(
            argv[0],
            argv,
            {},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, theirs.fileno(), 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
            setsigmask=[],
            setpgroup=0,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return pid, ours


def failure(message: bytes) -> HelperFailed:
    """What a helper's FAILED message, or its silence, means."""
    if message[:1] != wire.FAILED:
        return HelperFailed("the helper process ended without a word")
    kind, _, detail = message[1:].partition(b"\0")
    return HelperFailed(detail.decode("utf-8", "replace"), replaced=kind == b"replaced")


class Helper:
    """A helper that runs; made by `launch`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pid: int,
        socket: _socket.socket,
        recipe: Recipe,
        group: Group | None,
    ) -> None:
        self._loop = loop
        self._group = group
        self._pid = pid
        self._pidfd = os.pidfd_open(pid)
        self._socket = socket
        self._recipe = recipe
        self._processes: set[HelperProcess] = set()
        self._dead: asyncio.Future[None] = loop.create_future()
        self._retired = False
        self._sending = asyncio.Lock()  # a loop knows one writer of a socket: of two that wait it would wake the last
        loop.add_reader(self._pidfd, self._on_death)

    @classmethod
    async def launch(cls, recipe: Recipe, prefix: Sequence[str] = (), group: Group | None = None) -> Helper:
        """A helper ready for commands.

        Args:
            recipe: How to confine.
            prefix: A launcher's command line, such as bubblewrap's.
            group: The control group it lives in, removed with it.

        Raises:
            HelperFailed: It cannot do what the recipe asks for.
        """
        loop = asyncio.get_running_loop()
        try:
            pid, socket = spawn(prefix)
        except OSError:
            if group is not None:
                group.remove()
            raise
        socket.setblocking(False)
        helper = cls(loop, pid, socket, recipe, group)
        try:
            if group is not None:
                with contextlib.suppress(OSError):  # the watch does without
                    group.take(pid)
            async with asyncio.timeout(_START_S):
                await helper._send(recipe, [])
                message = await helper._receive()
            if message != wire.READY:
                raise failure(message)
        except TimeoutError as error:
            await helper.aclose()
            raise HelperFailed(f"the helper process said nothing for {_START_S:.0f} s") from error
        except OSError as error:
            await helper.aclose()
            raise HelperFailed(f"the helper process ended: {error}") from error
        except BaseException:
            await helper.aclose()
            raise
        return helper

    @property
    def usable(self) -> bool:
        """Whether it takes commands."""
        return not self._retired and not self._dead.done()

    @property
    def busy(self) -> bool:
        """Whether a command of it runs."""
        return bool(self._processes)

    async def run(
        self, command: Command, env: dict[str, str], describe: Callable[[Ending], Exit], ended: Callable[[], None]
    ) -> HelperProcess:
        """Start a command.

        Args:
            command: What to run.
            env: Its whole environment.
            describe: Puts its ending into words.
            ended: Called when its tree is dead.

        Raises:
            NotStarted: The program or its directory cannot be used.
            HelperFailed: The helper is gone; nothing was started.
        """
        control, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        control.setblocking(False)
        control.setsockopt(_socket.SOL_SOCKET, _socket.SO_PASSCRED, 1)
        process = HelperProcess(
            self._loop,
            control,
            confined=self._recipe["confined"],
            namespaced=self._recipe["pid_namespace"],
            describe=describe,
        )
        self._processes.add(process)
        process.when_ended(lambda: self._forget(process))
        process.when_ended(ended)
        given = [theirs.fileno()]
        try:
            if not command.pty:
                given += _pipes(process, command.stdin)
            try:
                await self._send(_job(command, env), given)
            except OSError as error:
                raise HelperFailed(f"the helper process ended: {error}") from error
            finally:
                theirs.close()
                for fd in given[1:]:
                    os.close(fd)
            await process.started()
        except BaseException:
            await process.aclose()
            raise
        return process

    def retire(self) -> None:
        """No new commands; end when the last one has."""
        self._retired = True
        if not self._processes:
            self._socket.close()

    async def aclose(self) -> None:
        """End it and everything it runs."""
        self._retired = True
        await asyncio.gather(*(process.aclose() for process in list(self._processes)))
        self._socket.close()
        if not self._dead.done():
            try:
                async with asyncio.timeout(1.0):
                    await asyncio.shield(self._dead)
            except TimeoutError:
                with contextlib.suppress(OSError):
                    signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
                await asyncio.shield(self._dead)

    def _forget(self, process: HelperProcess) -> None:
        self._processes.discard(process)
        if self._retired and not self._processes:
            self._socket.close()

    def _on_death(self) -> None:
        self._loop.remove_reader(self._pidfd)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        os.close(self._pidfd)
        if self._group is not None:
            self._group.remove()
        if not self._dead.done():
            self._dead.set_result(None)
        for process in list(self._processes):
            process.kill()

    async def _send(self, message: Recipe | Job, fds: list[int]) -> None:
        async with self._sending:
            while True:
                try:
                    wire.send(self._socket, message, fds)
                except BlockingIOError:
                    await self._until(self._loop.add_writer, self._loop.remove_writer)
                else:
                    return

    async def _receive(self) -> bytes:
        while True:
            try:
                return self._socket.recv(wire.MESSAGE_BYTES)
            except BlockingIOError:
                await self._until(self._loop.add_reader, self._loop.remove_reader)

    async def _until(self, add: Callable[..., None], remove: Callable[[int], bool]) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        fd = self._socket.fileno()
        add(fd, lambda: None if ready.done() else ready.set_result(None))
        try:
            await ready
        finally:
            remove(fd)


def _job(command: Command, env: dict[str, str]) -> Job:
    return Job(
        argv=[os.fsencode(word) for word in command.argv],
        cwd=os.fsencode(command.cwd),
        env={os.fsencode(name): os.fsencode(value) for name, value in env.items()},
        pty=command.pty,
        rows=command.rows,
        columns=command.columns,
        stdin=command.stdin,
    )


def _pipes(process: HelperProcess, stdin: bool) -> list[int]:
    """Give the process our ends; theirs, in the order of a job."""
    out, out_inlet = os.pipe2(os.O_CLOEXEC)
    err, err_inlet = os.pipe2(os.O_CLOEXEC)
    theirs = [out_inlet, err_inlet]
    ours: int | None = None
    if stdin:
        in_outlet, ours = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(ours, False)
        theirs.append(in_outlet)
    streams: dict[int, Stream] = {out: "stdout", err: "stderr"}
    for fd in streams:
        os.set_blocking(fd, False)
    process.use_pipes(streams, ours)
    return theirs
