"""Forked kernels for tests: a home of their own, whose fork server is ended with it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

from codex_client.fork_server import StartedKernel, start_kernel
from codex_protocol.fork import server_name
from codex_protocol.kernel_options import KernelOptions
from codex_store.home import Home

DEMO = {"demo": True}
_PATIENCE_S = 20.0


class ForkHome:
    """A home and the kernels started in it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "codex"
        self.work = folder / "work"
        self.root.mkdir()
        self.work.mkdir()
        self.kernels: list[StartedKernel] = []
        self._clients: list[BlockingKernelClient] = []

    @property
    def env(self) -> dict[str, str]:
        """What a command of this home's user sees."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.root.parent), "CODEX_HOME": str(self.root)}

    def start(self, *, cwd: Path | None = None, umask: int | None = None, **options: Any) -> StartedKernel:
        env = {**self.env, **options.pop("env", {})}
        chosen = KernelOptions(**{"flags": DEMO, **options})
        kernel = start_kernel(chosen, env=env, cwd=cwd or self.work, umask=umask)
        self.kernels.append(kernel)
        return kernel

    def serve(self, *, empty_s: float) -> subprocess.Popen[bytes]:
        """The home's fork server as a process of ours, which ends when it has been empty for so long."""
        home = Home(root=self.root)
        path = home.socket_path(f"{server_name(str(self.root))}.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            program = (
                "import socket, sys; from pathlib import Path; from codex_store.home import Home;"
                "from codex_kernel.jupyter.fork_server import ForkServer;"
                "listener = socket.socket(fileno=int(sys.argv[1]));"
                "ForkServer(listener, Home(root=Path(sys.argv[2])), empty_s=float(sys.argv[3])).run()"
            )
            words = [sys.executable, "-P", "-c", program, str(listener.fileno()), str(self.root), str(empty_s)]
            return subprocess.Popen(words, pass_fds=(listener.fileno(),), env=self.env, cwd="/")

    def client(self, kernel: StartedKernel) -> BlockingKernelClient:
        client = BlockingKernelClient()
        info: Any = {**kernel.connection, "key": kernel.connection["key"].encode()}
        client.load_connection_info(info)
        client.start_channels(hb=False)
        while client.get_iopub_msg(timeout=_PATIENCE_S)["msg_type"] != "iopub_welcome":
            pass
        self._clients.append(client)
        return client

    def servers(self) -> list[int]:
        """Process ids of the home's fork servers."""
        found: list[int] = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                is_server = (entry / "comm").read_text().strip() != "codex-kernel"
                if is_server and b"codex_kernel.jupyter.fork_server" in words and os.fsencode(self.root) in words:
                    found.append(int(entry.name))
        return found

    def close(self) -> None:
        for client in self._clients:
            client.stop_channels()
        pids = [*(kernel.pid for kernel in self.kernels), *self.servers()]
        for kernel in self.kernels:
            kernel.close()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        for kernel_pid in pids:
            wait_for_end(kernel_pid)


@contextmanager
def fork_home(folder: Path) -> Iterator[ForkHome]:
    home = ForkHome(folder)
    try:
        yield home
    finally:
        home.close()


def wait_for_end(pid: int) -> None:
    """Return when the process has ended; it is killed when it takes too long."""
    until = time.monotonic() + _PATIENCE_S
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return
    try:
        import select

        if not select.select([descriptor], [], [], max(0.0, until - time.monotonic()))[0]:
            os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"process {pid} did not end")
    finally:
        os.close(descriptor)


def ask(kernel_client: BlockingKernelClient, **request: Any) -> dict[str, Any]:
    """The reply to a rich client's request."""
    kernel_client.control_channel.send(kernel_client.session.msg("codex_request", request))
    return kernel_client.get_control_msg(timeout=_PATIENCE_S)["content"]


def run_cell(client: BlockingKernelClient, code: str) -> tuple[dict[str, Any], str]:
    """The reply's content and the text of the outputs."""
    id = client.execute(code, allow_stdin=False)
    parts: list[str] = []
    while True:
        message = client.get_iopub_msg(timeout=_PATIENCE_S)
        if message["parent_header"].get("msg_id") != id:
            continue
        content = message["content"]
        if message["msg_type"] == "status" and content["execution_state"] == "idle":
            break
        parts.append(content.get("text") or content.get("evalue") or content.get("data", {}).get("text/plain", ""))
    while True:
        reply = client.get_shell_msg(timeout=_PATIENCE_S)
        if reply["parent_header"].get("msg_id") == id:
            return reply["content"], "\n".join(parts)


def next_event(client: BlockingKernelClient, kind: str) -> dict[str, Any]:
    """The next event of a kind, for an attached client."""
    while True:
        message = client.get_iopub_msg(timeout=_PATIENCE_S)
        if message["msg_type"] == "codex_event" and message["content"]["msg"]["type"] == kind:
            return message["content"]
