"""The Jupyter kernel, measured beside a minimal kernel on ipykernel: `python -m tests.bench.kernel [--quick]`.

Both are asked by the same raw sockets, in turn, so that load on the machine hits both alike. Figures are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq

from codex_client.fork_server import start_kernel
from codex_protocol.kernel_options import KernelOptions
from codex_protocol.wire import Wire

PATIENCE_MS = 60_000
KERNEL = [sys.executable, "-P", "-m", "codex_kernel.jupyter", "-f"]
PEER = """
import sys
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

class Peer(Kernel):
    implementation = banner = "peer"
    implementation_version = "1"
    language_info = {"name": "text", "mimetype": "text/plain", "file_extension": ".txt"}

    async def do_execute(self, code, silent, store_history=True, user_expressions=None, allow_stdin=False, **_):
        for n in range(int(code) if code.isdigit() else 1):
            self.send_response(self.iopub_socket, "stream", {"name": "stdout", "text": "x" * 200})
        return {"status": "ok", "execution_count": self.execution_count, "payload": [], "user_expressions": {}}

IPKernelApp.launch_instance(kernel_class=Peer, argv=sys.argv[1:])
"""
FLOOD = """
import asyncio, sys
from pathlib import Path
from codex_kernel.jupyter import kernel, start

class Flooding(kernel.Kernel):
    async def _answer(self, channel, message):
        if message.type != "flood_request":
            return await super()._answer(channel, message)
        for n in range(message.content["n"]):
            self.channels.publish("stream", {"name": "stdout", "text": "x" * 200}, message.raw_header)
            if n % 200 == 0:
                await asyncio.sleep(0.005)  # what is not read within 20,000 messages would be lost
        self._reply(channel, message, {"status": "ok"})

kernel.Kernel = Flooding
sys.exit(start.main(sys.argv[1:]))
"""


class Home:
    """A scratch home and the processes started in it."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="cb", dir="/tmp"))
        for name in ("codex", "work", "run"):
            (self.root / name).mkdir(mode=0o700)
        options = json.dumps({"flags": {"demo": True}})
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "CODEX_HOME": str(self.root / "codex"),
            "CODEX_KERNEL_OPTIONS": options,
            "IPYTHONDIR": str(self.root / "ipython"),
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def connection(self) -> tuple[Path, dict[str, Any]]:
        address = self.root / "run" / secrets.token_hex(3)
        told: dict[str, Any] = {"transport": "ipc", "ip": str(address), "key": "k", "signature_scheme": "hmac-sha256"}
        told |= {f"{name}_port": n for n, name in enumerate(("shell", "control", "iopub", "stdin", "hb"), 1)}
        file = address.with_suffix(".json")
        file.write_text(json.dumps(told))
        return file, told

    def start(self, command: list[str]) -> dict[str, Any]:
        file, told = self.connection()
        words = [*command, str(file)] if command[-1] == "-f" else [*command, "-f", str(file)]
        self.processes.append(
            subprocess.Popen(words, env=self.env, cwd=self.root / "work", stdout=-3, stderr=-3, stdin=-3)
        )
        return told

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if os.fsencode(str(self.root / "codex")) in (entry / "cmdline").read_bytes().split(b"\0"):
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue
        shutil.rmtree(self.root, ignore_errors=True)


class Raw:
    """Raw sockets to one kernel."""

    def __init__(self, told: dict[str, Any], context: zmq.Context[Any]) -> None:
        self.wire = Wire(told["key"].encode())
        self.sockets: dict[str, Any] = {}
        for name, kind in (("shell", zmq.DEALER), ("control", zmq.DEALER), ("iopub", zmq.SUB)):
            socket = context.socket(kind)
            socket.linger = 0
            socket.rcvhwm = 0
            socket.setsockopt(zmq.RECONNECT_IVL, 2)
            if kind == zmq.SUB:
                socket.subscribe(b"")
            socket.connect(f"ipc://{told['ip']}-{told[name + '_port']}")
            self.sockets[name] = socket

    def send(self, kind: str, content: dict[str, Any], channel: str = "shell") -> str:
        frames = self.wire.pack(kind, content)
        self.sockets[channel].send_multipart(frames)
        return self.wire.message_id(frames)

    def recv(self, channel: str) -> tuple[str, str, dict[str, Any]]:
        """Type, parent's id and content."""
        socket = self.sockets[channel]
        if not socket.poll(PATIENCE_MS):
            raise TimeoutError(f"nothing came on {channel}")
        frames = socket.recv_multipart()
        at = frames.index(b"<IDS|MSG>")
        parent = json.loads(frames[at + 3])
        return json.loads(frames[at + 2])["msg_type"], parent.get("msg_id", ""), json.loads(frames[at + 5])

    def request(self, kind: str, content: dict[str, Any], channel: str = "shell") -> dict[str, Any]:
        id = self.send(kind, content, channel)
        while True:
            _, parent, answer = self.recv(channel)
            if parent == id:
                return answer

    def execute(self, code: str) -> None:
        """To the reply and to idle."""
        id = self.begin(code)
        self.idle(id)
        while self.recv("shell")[1] != id:
            pass

    def begin(self, code: str) -> str:
        return self.send("execute_request", {"code": code, "silent": False, "allow_stdin": False})

    def idle(self, id: str) -> None:
        while True:
            kind, parent, content = self.recv("iopub")
            if parent == id and kind == "status" and content["execution_state"] == "idle":
                return

    def close(self) -> None:
        for socket in self.sockets.values():
            socket.close(0)


def ms(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return (time.perf_counter() - before) * 1e3


def main() -> int:
    """The exit code; the table goes to stdout."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.kernel")
    parser.add_argument("--quick", action="store_true", help="few rounds: does everything work?")
    quick = parser.parse_args().quick
    home, context = Home(), zmq.Context()
    peer = home.root / "peer.py"
    peer.write_text(PEER)
    flood = home.root / "flood.py"
    flood.write_text(FLOOD)
    commands = {"ours": KERNEL, "ipykernel": [sys.executable, str(peer)]}
    try:
        rows = [*starts(home, context, commands, 3 if quick else 11)]
        rows += trips(home, context, commands, 30 if quick else 300)
        rows += keystrokes(home, context, 5_000 if quick else 100_000)
        rows += rates(home, context, flood, peer, 3_000 if quick else 20_000)
        rows += memory(home, context, commands, 20)
    finally:
        home.close()
        context.destroy(0)
    print(f"load {os.getloadavg()[0]:.1f}\n\n| | ours | ipykernel |\n|---|---|---|")
    for name, ours, theirs in rows:
        print(f"| {name} | {ours} | {theirs} |")
    return 0


Row = tuple[str, str, str]


def starts(home: Home, context: zmq.Context[Any], commands: dict[str, list[str]], n: int) -> list[Row]:
    took: dict[str, list[float]] = {"ours": [], "ipykernel": [], "forked": [], "first forked": []}

    for number in range(n):
        for name in ("ours", "ipykernel"):
            before = time.perf_counter()
            told = home.start(commands[name])
            raw = Raw(told, context)
            raw.request("kernel_info_request", {})
            took[name].append((time.perf_counter() - before) * 1e3)
            raw.close()
            home.processes[-1].kill()
        took["forked" if number else "first forked"].append(forked_start(home, context))
        if not number:
            time.sleep(2)  # the server imports the rest of the agent once nobody waits
    return [
        ("start to first reply, cold, ms", middle(took["ours"]), middle(took["ipykernel"])),
        ("the same, forked, ms", middle(took["forked"]), "-"),
        ("the same, with the start of the fork server, ms", middle(took["first forked"]), "-"),
    ]


def forked_start(home: Home, context: zmq.Context[Any]) -> float:
    before = time.perf_counter()
    kernel = start_kernel(KernelOptions(flags={"demo": True}), env=home.env, cwd=home.root / "work")
    raw = Raw(kernel.connection, context)
    raw.request("kernel_info_request", {})
    took = (time.perf_counter() - before) * 1e3
    raw.close()
    kernel.close()
    return took


def trips(home: Home, context: zmq.Context[Any], commands: dict[str, list[str]], n: int) -> list[Row]:
    clients = {name: Raw(home.start(command), context) for name, command in commands.items()}
    codes = {"ours": "/plan", "ipykernel": "1"}
    info: dict[str, list[float]] = {name: [] for name in clients}
    cells: dict[str, list[float]] = {name: [] for name in clients}
    for name, raw in clients.items():
        raw.request("kernel_info_request", {})
        raw.execute(codes[name])
    for _ in range(n):
        for name, raw in clients.items():
            info[name].append(ms(lambda raw=raw: raw.request("kernel_info_request", {})))
            cells[name].append(ms(lambda raw=raw, name=name: raw.execute(codes[name])))
    turns = [ms(lambda: clients["ours"].execute("hello")) for _ in range(max(5, n // 10))]
    stops = [interrupt(clients["ours"]) for _ in range(5)]
    for raw in clients.values():
        raw.close()
    return [
        ("kernel_info round trip, ms", middle(info["ours"]), middle(info["ipykernel"])),
        ("execute to reply and idle, no turn, ms", middle(cells["ours"]), middle(cells["ipykernel"])),
        ("a whole turn of the demo model, ms", middle(turns), "-"),
        ("interrupt of a running command to execute_reply, ms", middle(stops), "-"),
    ]


def keystrokes(home: Home, context: zmq.Context[Any], files: int) -> list[Row]:
    """`complete_request` for `@` and a word that is typed letter by letter, in a directory of so many files."""
    for number in range(files):
        path = home.root / "work" / f"pack{number % 97}/module_{number % 991}/file_{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    raw = Raw(home.start(KERNEL), context)
    raw.request("kernel_info_request", {})
    took: list[float] = []
    first = ms(lambda: found_files(raw, "file_777"))
    for word in ("module_9/file_42", "pack12mod", "fle_4999"):
        for end in range(1, len(word) + 1):
            took.append(ms(lambda text=word[:end]: found_files(raw, text)))
    raw.close()
    shutil.rmtree(home.root / "work")
    (home.root / "work").mkdir()
    return [
        (f"`@` keystroke to its list, {files:,} files, ms", f"{middle(took)}, max {max(took):.1f}", "-"),
        (f"the same, the first one (files are listed), {files:,} files, ms", f"{first:.0f}", "-"),
    ]


def found_files(raw: Raw, word: str) -> None:
    code = f"look at @{word}"
    while not raw.request("complete_request", {"code": code, "cursor_pos": len(code)})["matches"]:
        time.sleep(0.005)  # the list is still being made


def interrupt(raw: Raw) -> float:
    # As from a console, which is told when the command begins.
    id = raw.send("execute_request", {"code": "run `sleep 30`", "silent": False, "allow_stdin": True})
    while "sleep" not in str(raw.recv("iopub")[2].get("data", "")):
        pass
    time.sleep(0.1)
    before = time.perf_counter()
    raw.send("interrupt_request", {}, "control")
    while raw.recv("shell")[1] != id:
        pass
    took = (time.perf_counter() - before) * 1e3
    raw.idle(id)
    return took


def rates(home: Home, context: zmq.Context[Any], flood: Path, peer: Path, n: int) -> list[Row]:
    figures: list[str] = []
    for command, ask in (
        ([sys.executable, "-P", str(flood)], lambda raw: raw.send("flood_request", {"n": n})),
        ([sys.executable, str(peer)], lambda raw: raw.begin(str(n))),
    ):
        raw = Raw(home.start(command), context)
        raw.request("kernel_info_request", {})
        before = time.perf_counter()
        ask(raw)
        seen = 0
        while seen < n:
            seen += raw.recv("iopub")[0] == "stream"
        figures.append(f"{n / (time.perf_counter() - before):,.0f}")
        raw.close()
    return [(f"iopub, {n:,} messages of 200 bytes, a second", *figures)]  # type: ignore[list-item]


def memory(home: Home, context: zmq.Context[Any], commands: dict[str, list[str]], n: int) -> list[Row]:
    kernels = [
        start_kernel(KernelOptions(flags={"demo": True}), env=home.env, cwd=home.root / "work") for _ in range(n)
    ]
    for kernel in kernels:  # each with an open thread that has had a turn
        raw = Raw(kernel.connection, context)
        raw.execute("hello")
        raw.close()
    many = [pss_mb(kernel.pid) for kernel in kernels]
    for kernel in kernels[1:]:
        kernel.close()
    time.sleep(1)
    one = pss_mb(kernels[0].pid)
    kernels[0].close()
    alone: dict[str, str] = {}
    for name, command in commands.items():
        raw = Raw(home.start(command), context)
        raw.request("kernel_info_request", {})
        alone[name] = f"{pss_mb(home.processes[-1].pid):.1f}"
        raw.close()
    return [
        ("PSS of one that was started plainly, before its first turn, MB", alone["ours"], alone["ipykernel"]),
        ("PSS of one forked, idle after a turn, MB", f"{one:.1f}", "-"),
        (f"mean PSS of {n} forked, idle after a turn, MB", f"{statistics.mean(many):.1f}", "-"),
    ]


def pss_mb(pid: int) -> float:
    """Its share of memory: what several processes share is divided among them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"/proc/{pid}/smaps_rollup says nothing")


def middle(values: list[float]) -> str:
    """Median, and the least."""
    return f"{statistics.median(values):.1f} (min {min(values):.1f})"


if __name__ == "__main__":
    sys.exit(main())
