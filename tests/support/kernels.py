"""Kernels for tests: one in this process with a scripted model, a kernelspec, and a client that sees every message."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import zmq
import zmq.asyncio

from codex_kernel.config.types import Config
from codex_kernel.core.thread import Thread
from codex_kernel.jupyter.connection import Connection, Sockets
from codex_kernel.jupyter.kernel import Kernel
from codex_kernel.model.interface import Completed, Created, ItemDone, ModelClient, Prompt, ResponseEvent, TextDelta
from codex_kernel.model.scripted import ScriptedModel
from codex_protocol.items import assistant_message
from codex_protocol.kernel_options import KernelOptions
from codex_protocol.policy import DangerFullAccess
from codex_protocol.wire import Wire
from tests.support.plain_sandbox import PlainSandbox
from tests.support.threads import PROVIDER

KEY = b"a key for tests"
Message = dict[str, Any]


def install_spec(folder: Path, name: str, **options: Any) -> Path:
    """Write a kernelspec for this checkout into `folder`; what to put into JUPYTER_PATH.

    Args:
        folder: Where.
        name: The spec's.
        options: Fields of `KernelOptions`; the demo model answers unless `flags` say otherwise.
    """
    place = folder / "kernels" / name
    place.mkdir(parents=True, exist_ok=True)
    spec = {
        "argv": [sys.executable, "-P", "-m", "codex_kernel.jupyter", "-f", "{connection_file}"],
        "display_name": "Codex",
        "language": "codex",
        "interrupt_mode": "message",
        "metadata": {"supported_encryption": "curve"},
        "env": {"CODEX_KERNEL_OPTIONS": json.dumps({"flags": {"demo": True}, **options})},
    }
    (place / "kernel.json").write_text(json.dumps(spec))
    return folder


class Client:
    """A front end on raw sockets: sends anything, keeps everything."""

    def __init__(self, address: str, context: zmq.asyncio.Context, key: bytes = KEY) -> None:
        self.wire = Wire(key)
        self.identity = os.urandom(8)
        self.sockets: dict[str, zmq.asyncio.Socket] = {}
        for port, (name, kind) in enumerate(
            (("shell", zmq.DEALER), ("control", zmq.DEALER), ("iopub", zmq.SUB), ("stdin", zmq.DEALER)), 1
        ):
            socket = context.socket(kind)
            socket.linger = 0
            if kind == zmq.DEALER:
                socket.setsockopt(zmq.IDENTITY, self.identity)
            else:
                socket.setsockopt(zmq.SUBSCRIBE, b"")
            socket.connect(f"ipc://{address}-{port}")
            self.sockets[name] = socket
        self.iopub: list[Message] = []

    async def send(
        self, msg_type: str, content: Any = None, *, channel: str = "shell", metadata: dict[str, Any] | None = None
    ) -> str:
        frames = self.wire.pack(msg_type, {} if content is None else content, metadata=metadata)
        await self.sockets[channel].send_multipart(frames)
        return self.wire.message_id(frames)

    async def recv(self, channel: str = "shell", timeout_s: float = 60) -> Message:
        frames = await asyncio.wait_for(self.sockets[channel].recv_multipart(), timeout_s)
        at = frames.index(b"<IDS|MSG>")
        header, parent, metadata, content = (json.loads(part) for part in frames[at + 2 : at + 6])
        message = {"type": header["msg_type"], "header": header, "parent": parent, "content": content}
        message["metadata"] = metadata
        if channel == "iopub":
            self.iopub.append(message)
        return message

    async def welcomed(self) -> None:
        """Everything that is told from now on is heard."""
        while (await self.recv("iopub"))["type"] != "iopub_welcome":
            pass

    async def until(self, condition: Callable[[Message], bool]) -> Message:
        """The next iopub message for which the condition holds."""
        while True:
            message = await self.recv("iopub")
            if condition(message):
                return message

    async def request(self, msg_type: str, content: Any = None, *, channel: str = "shell") -> Message:
        """A request's reply."""
        id = await self.send(msg_type, content, channel=channel)
        while True:
            reply = await self.recv(channel)
            if reply["parent"].get("msg_id") == id:
                return reply

    async def ask(self, **request: Any) -> Message:
        """The content of the reply to a rich client's request on the control channel."""
        return (await self.request("codex_request", request, channel="control"))["content"]

    async def event(self, kind: str) -> Message:
        """The content of the next event of that kind, by the control channel's route."""
        found = await self.until(lambda m: m["type"] == "codex_event" and m["content"]["msg"]["type"] == kind)
        return found["content"]

    async def execute(
        self, code: str, *, allow_stdin: bool = True, page: bool = False, answers: tuple[str, ...] = (), **content: Any
    ) -> tuple[Message, list[Message]]:
        """The reply's content, and the cell's outputs; questions get `answers` in turn."""
        id = await self.start(code, allow_stdin=allow_stdin, page=page, **content)
        outputs: list[Message] = []

        async def gather() -> None:
            while True:
                message = await self.recv("iopub")
                if message["parent"].get("msg_id") != id:
                    continue
                if message["type"] == "status":
                    if message["content"]["execution_state"] == "idle":
                        return
                elif message["type"] != "execute_input":
                    outputs.append(message)

        async def answer() -> None:
            for text in answers:
                asked = await self.recv("stdin")
                assert asked["type"] == "input_request"
                await self.send("input_reply", {"value": text}, channel="stdin")

        await asyncio.gather(gather(), answer())
        while True:
            reply = await self.recv()
            if reply["parent"].get("msg_id") == id:
                return reply["content"], outputs

    async def start(self, code: str, *, allow_stdin: bool = True, page: bool = False, **content: Any) -> str:
        """Begin a cell; its id."""
        whole = {"code": code, "silent": False, "store_history": True, "allow_stdin": allow_stdin, **content}
        return await self.send("execute_request", whole, metadata={"cellId": "1"} if page else None)

    def close(self) -> None:
        for socket in self.sockets.values():
            socket.close(0)


class Bench:
    """A kernel in this process."""

    def __init__(self, kernel: Kernel, address: str, context: zmq.asyncio.Context) -> None:
        self.kernel = kernel
        self.address = address
        self._context = context
        self._clients: list[Client] = []

    async def client(self, key: bytes = KEY) -> Client:
        """A client that hears everything."""
        client = Client(self.address, self._context, key)
        self._clients.append(client)
        await client.welcomed()
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()


class HesitantModel:
    """Says a text in two parts; the second comes when it is let go."""

    stream_max_retries = 0

    def __init__(self, first: str, second: str) -> None:
        self.go = asyncio.Event()
        self._parts = (first, second)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ResponseEvent, None]:
        yield Created()
        yield TextDelta(self._parts[0])
        await self.go.wait()
        yield TextDelta(self._parts[1])
        yield ItemDone(assistant_message("".join(self._parts)))
        yield Completed("hesitant", None)

    async def aclose(self) -> None:
        """Nothing to close."""


def text_of(outputs: list[Message]) -> str:
    """What a person reads of a cell's outputs."""
    parts: list[str] = []
    for output in outputs:
        content = output["content"]
        parts.append(content.get("text") or content.get("evalue") or content.get("data", {}).get("text/plain", ""))
    return "\n".join(parts)


@asynccontextmanager
async def running_kernel(
    folder: Path,
    *responses: Any,
    sandbox: PlainSandbox | None = None,
    stay: bool = False,
    model: ModelClient | None = None,
    **config: Any,
) -> AsyncIterator[Bench]:
    """A kernel whose model plays `responses`; every thread it opens goes on in the same script."""
    home, work = folder / "home", folder / "work"
    home.mkdir(exist_ok=True)
    work.mkdir(exist_ok=True)
    model = model or ScriptedModel(*responses)
    place = Path(tempfile.mkdtemp(prefix="ck", dir="/tmp"))
    inner: zmq.Context[Any] = zmq.Context()
    context = zmq.asyncio.Context()

    async def start(loaded: Config, resume: Path | None, fork: Path | None) -> Thread:
        changes: dict[str, Any] = {"sandbox_policy": DangerFullAccess(), "provider": PROVIDER, **config}
        return await Thread.start(
            msgspec.structs.replace(loaded, codex_home=home, **changes),
            can_ask=True,
            model=model,
            sandbox=sandbox or PlainSandbox(),
            resume=resume,
            fork=fork,
            environment={"PATH": os.environ["PATH"], "HOME": str(folder)},
        )

    connection = Connection(transport="ipc", ip=str(place / "k"), key=KEY.decode())
    for port, name in enumerate(("shell", "control", "iopub", "stdin", "hb"), 1):
        setattr(connection, f"{name}_port", port)
    options = KernelOptions(cwd=str(work), stay=stay)
    kernel = Kernel(Sockets(connection, inner), Wire(KEY), options, start=start)
    bench = Bench(kernel, connection.ip, context)
    task = asyncio.create_task(kernel.run())
    try:
        yield bench
    finally:
        kernel.ended.set()
        await asyncio.wait_for(task, 60)
        bench.close()
        context.destroy(0)
        inner.destroy(0)
        shutil.rmtree(place)
