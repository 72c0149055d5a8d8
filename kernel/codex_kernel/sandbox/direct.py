"""Commands started without a helper, for systems that have no namespaces: macOS.

The tree is the command's process group; what leaves the group outlives it. Confinement, where there is any, is a
program the command line begins with.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import termios
from collections.abc import Callable, Sequence

from codex_kernel.sandbox.inlet import Inlet
from codex_kernel.sandbox.interface import Command, Exit, Stream
from codex_kernel.sandbox.process import Ending
from codex_kernel.sandbox.process_streams import ProcessStreams
from codex_kernel.sandbox.stream import Output
from codex_protocol.errors import SandboxError


async def start_directly(
    command: Command, argv: Sequence[str], env: dict[str, str], *, confined: bool, describe: Callable[[Ending], Exit]
) -> DirectProcess:
    """The command, running.

    Args:
        command: Its directory and kind of streams count.
        argv: What is started: the command, maybe behind a launcher.
        env: Its whole environment.
        confined: As `Process.confined`.
        describe: Puts its ending into words; called once.

    Raises:
        SandboxError: The program or its directory cannot be used.
    """
    master, ours, theirs = _terminal(command) if command.pty else _pipes(command)
    try:
        child = await asyncio.create_subprocess_exec(
            *argv,
            stdin=theirs[0] if theirs[0] is not None else asyncio.subprocess.DEVNULL,
            stdout=theirs[1],
            stderr=theirs[2],
            cwd=command.cwd,
            env=env,
            start_new_session=True,
            preexec_fn=_take_terminal if command.pty else None,
        )
    except OSError as error:
        for fd in {*ours.values(), *([master] if master is not None else [])}:
            os.close(fd)
        what = command.argv[0] if error.filename != str(command.cwd) else f"The working directory {command.cwd}"
        raise SandboxError(f"{what}: {error.strerror or error}.") from error
    finally:
        for fd in {fd for fd in theirs if fd is not None}:
            os.close(fd)
    return DirectProcess(child, ours, master, confined=confined, describe=describe)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


_Ends = tuple[int | None, dict[str, int], tuple[int | None, int, int]]


def _terminal(command: Command) -> _Ends:
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", command.rows, command.columns, 0, 0))
    return master, {"stdout": os.dup(master)}, (slave, slave, slave)


def _pipes(command: Command) -> _Ends:
    out, err = os.pipe(), os.pipe()
    ours = {"stdout": out[0], "stderr": err[0]}
    inlet: int | None = None
    if command.stdin:
        inlet, ours["stdin"] = os.pipe()
    return None, ours, (inlet, out[1], err[1])


class DirectProcess(ProcessStreams):
    """Implements `Process` over a process group."""

    def __init__(
        self,
        child: asyncio.subprocess.Process,
        ours: dict[str, int],
        master: int | None,
        *,
        confined: bool,
        describe: Callable[[Ending], Exit],
    ) -> None:
        """Own the descriptors."""
        super().__init__(confined=confined)
        loop = asyncio.get_running_loop()
        self._child = child
        self._describe = describe
        self._master = master
        for fd in {*ours.values(), *([master] if master is not None else [])}:
            os.set_blocking(fd, False)
        streams: dict[int, Stream] = {ours["stdout"]: "stdout"}
        if "stderr" in ours:
            streams[ours["stderr"]] = "stderr"
        self._output = Output(loop, streams)
        keyboard = ours.get("stdin", master)
        self._inlet = Inlet(loop, keyboard, terminal=master is not None) if keyboard is not None else None
        self._ended = loop.create_task(self._attend())

    def interrupt(self) -> None:
        """See `Process`."""
        if self._ended.done():
            return
        with contextlib.suppress(OSError):
            group = os.tcgetpgrp(self._master) if self._master is not None else self._child.pid
            os.killpg(group, signal.SIGINT)

    def kill(self) -> None:
        """See `Process`; what has left the process group goes on."""
        if not self._ended.done():
            self._kill_group()

    async def aclose(self) -> None:
        """See `Process`."""
        self.kill()
        await self.wait()
        self._discard_output()

    async def _attend(self) -> Exit:
        code = await self._child.wait()
        self._kill_group()
        tail = self._last_output()
        self._close_input()
        number = -code if code < 0 else 0
        return self._describe(Ending(128 + number if number else code, number, [], tail))

    def _kill_group(self) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self._child.pid, signal.SIGKILL)
