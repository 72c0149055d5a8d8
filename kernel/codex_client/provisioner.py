"""Kernels of a Jupyter server forked instead of started: what `codex kernel install --fork` names in its kernelspec."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from codex_client.fork_server import current_umask, request_kernel
from codex_protocol.fork import ForkRequest
from codex_store.home import find_home

NAME = "codex-fork"
"""Of the entry point, in kernelspecs' `metadata.kernel_provisioner`."""


class ForkProvisioner(LocalProvisioner):
    """One kernel of the fork server. Its connection stays open as long as it lives.

    Ports, keys and the connection file are settled as for any local kernel.
    """

    _owner: socket.socket | None = None

    @property
    def has_process(self) -> bool:
        """Whether there is a kernel to ask after."""
        return self._owner is not None

    async def poll(self) -> int | None:
        """None while it runs; its exit code is the fork server's to know: 0 stands for it."""
        if self._owner is None:
            return 0
        try:
            return 0 if self._owner.recv(1, socket.MSG_PEEK) == b"" else None
        except BlockingIOError:
            return None
        except OSError:
            return 0

    async def wait(self) -> int | None:
        """Wait until it has ended."""
        while await self.poll() is None:
            await self._readable()
        self._close()
        return 0

    async def send_signal(self, signum: int) -> None:
        """Send a signal; 0 asks whether it is there."""
        if await self.poll() is not None:
            return
        try:
            os.kill(self.pid, signum)
        except ProcessLookupError:
            return

    async def kill(self, restart: bool = False) -> None:
        """End it at once."""
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        """Ask it to end."""
        await self.send_signal(signal.SIGTERM)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Have it forked; what it is connected by."""
        env: dict[str, str] = {name: str(value) for name, value in (kwargs.get("env") or os.environ).items()}
        env.pop("JPY_PARENT_PID", None)  # its life hangs on the connection
        request = ForkRequest(
            connection_file=_absolute(cmd[cmd.index("-f") + 1]),
            cwd=kwargs.get("cwd") or os.getcwd(),
            env=env,
            umask=current_umask(),
        )
        self.pid, self._owner = await asyncio.to_thread(request_kernel, find_home(env), request, cmd[0])
        return self.connection_info

    async def cleanup(self, restart: bool = False) -> None:
        """Nothing is left of it, its ports included."""
        self._close()
        await super().cleanup(restart)

    async def _readable(self) -> None:
        owner = self._owner
        if owner is None:
            return
        loop = asyncio.get_running_loop()
        there = asyncio.Event()
        loop.add_reader(owner.fileno(), there.set)
        try:
            await there.wait()
        finally:
            loop.remove_reader(owner.fileno())

    def _close(self) -> None:
        if self._owner is not None:
            self._owner.close()
            self._owner = None


def _absolute(path: str) -> str:
    return str(Path(path).absolute())
