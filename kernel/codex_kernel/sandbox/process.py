"""A running command as the agent holds it: its streams, its control socket, its end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from codex_kernel.sandbox.inlet import Inlet
from codex_kernel.sandbox.inside import wire
from codex_kernel.sandbox.interface import Exit, Stream
from codex_kernel.sandbox.process_streams import ProcessStreams
from codex_kernel.sandbox.stream import Output

if TYPE_CHECKING:
    import _socket

_SCM_CREDENTIALS = 2
_TIOCSIG = 0x40045436
_GIVE_UP_S = 10.0


class NotStarted(Exception):
    """The init reports that the command never ran.

    Attributes:
        stage: One of `wire.AT_*`; 0 when the helper ended before it said anything.
        error: An errno; 0 when unknown.
    """

    def __init__(self, stage: int, error: int, detail: str) -> None:
        super().__init__(detail)
        self.stage = stage
        self.error = error


class Ending:
    """The facts of an exit, before they are put into words."""

    __slots__ = ("code", "notes", "signal", "tail")

    def __init__(self, code: int, signal_number: int, notes: list[str], tail: bytes) -> None:
        self.code = code
        self.signal = signal_number
        self.notes = notes
        self.tail = tail


class HelperProcess(ProcessStreams):
    """Implements `Process` over the control socket of one init."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        control: _socket.socket,
        *,
        confined: bool,
        namespaced: bool,
        describe: Callable[[Ending], Exit],
    ) -> None:
        """Own `control`, which does not block.

        Args:
            loop: Where everything happens.
            control: Our end; the init has the other or is about to get it.
            confined: As `Process.confined`.
            namespaced: Whether killing the init kills the tree.
            describe: Puts an ending into words; called once.
        """
        super().__init__(confined=confined)
        self._loop = loop
        self._control = control
        self._namespaced = namespaced
        self._describe = describe
        self._pidfd = -1
        self._started: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[Exit] = loop.create_future()
        self._on_end: list[Callable[[], None]] = []
        loop.add_reader(control.fileno(), self._on_control)

    def use_pipes(self, streams: dict[int, Stream], stdin: int | None) -> None:
        """Own the reading ends, and the writing end of stdin."""
        self._output = Output(self._loop, streams)
        if stdin is not None:
            self._inlet = Inlet(self._loop, stdin, terminal=False)

    def when_ended(self, callback: Callable[[], None]) -> None:
        """Call back once the tree is dead and the streams are drained."""
        if self._ended.done():
            callback()
        else:
            self._on_end.append(callback)

    async def started(self) -> None:
        """Return once the program runs.

        Raises:
            NotStarted: It never will.
        """
        await asyncio.shield(self._started)

    def interrupt(self) -> None:
        """See `Process`."""
        if self._ended.done():
            return
        with contextlib.suppress(OSError):
            if self._master is not None:
                fcntl.ioctl(self._master, _TIOCSIG, signal.SIGINT)
            else:
                self._control.send(wire.INTERRUPT)

    def kill(self) -> None:
        """See `Process`."""
        if self._ended.done():
            return
        if self._namespaced and self._pidfd >= 0:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            return
        with contextlib.suppress(OSError):
            self._control.send(wire.KILL)

    async def aclose(self) -> None:
        """See `Process`."""
        self.kill()
        if not self._ended.done():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GIVE_UP_S):
                    await self.wait()
        self._free()
        self._discard_output()

    def _on_control(self) -> None:
        try:
            message, ancillary, _, _ = self._control.recvmsg(wire.MESSAGE_BYTES, 128)
        except BlockingIOError:
            return
        except OSError:
            message, ancillary = b"", []
        fds: list[int] = []
        for level, kind, payload in ancillary:
            if level == 1 and kind == _SCM_CREDENTIALS and self._pidfd < 0 and message[:1] == wire.STARTED:
                self._hold_init(int(struct.unpack_from("i", payload)[0]))
            elif level == 1 and kind == 1:
                fds.extend(struct.unpack(f"{len(payload) // 4}i", payload[: len(payload) // 4 * 4]))
        match message[:1]:
            case wire.STARTED:
                self._run(fds)
            case wire.NOT_STARTED:
                self._fail(NotStarted(*wire.unpack_failure(message)))
            case wire.EXITED:
                code, number, notes = wire.unpack_exit(message)
                self._end(code, number, notes)
            case _:
                self._lost()

    def _hold_init(self, pid: int) -> None:
        with contextlib.suppress(OSError):
            self._pidfd = os.pidfd_open(pid)

    def _run(self, fds: list[int]) -> None:
        if fds:
            self._master = fds[0]
            os.set_blocking(self._master, False)
            os.set_inheritable(self._master, False)
            # Reading ends when the command closes its terminal, a moment before it ends. Were the master closed then,
            # the kernel would hang up on the command, and its exit status would be SIGHUP's.
            self._output = Output(self._loop, {os.dup(self._master): "stdout"})
            self._inlet = Inlet(self._loop, self._master, terminal=True)
        if not self._started.done():
            self._started.set_result(None)

    def _fail(self, error: NotStarted) -> None:
        self._loop.remove_reader(self._control.fileno())
        if not self._started.done():
            self._started.set_exception(error)
            self._started.exception()  # nobody may be waiting any more
        self._end(127, 0, [])

    def _lost(self) -> None:
        """The init went without a word: it was killed. Its namespace dies with it, a moment later."""
        self._loop.remove_reader(self._control.fileno())
        if not self._started.done():
            self._fail(NotStarted(0, 0, "the helper ended"))
        elif self._pidfd >= 0:
            self._loop.add_reader(self._pidfd, lambda: self._end(137, signal.SIGKILL, []))
        else:
            self._end(137, signal.SIGKILL, [])

    def _end(self, code: int, number: int, notes: list[str]) -> None:
        if self._ended.done():
            return
        self._ended.set_result(self._describe(Ending(code, number, notes, self._last_output())))
        self._free()
        for callback in self._on_end:
            callback()
        self._on_end.clear()

    def _free(self) -> None:
        """Everything but output that was not taken yet."""
        self._close_input()
        if self._control.fileno() >= 0:
            self._loop.remove_reader(self._control.fileno())
            self._control.close()
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
