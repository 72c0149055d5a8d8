"""A plain MCP client over pipes that does only what a test says: it sends lines, and reads them when asked to."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import threading
from typing import Any

Message = dict[str, Any]


class WireClient:
    """Speaks to a process that serves MCP on stdio."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.seen: list[Message] = []
        """Everything read so far, in order."""
        self._next_id = 100
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._reader: threading.Thread | None = None
        self._reading = threading.Event()
        self._reading.set()

    def send(self, message: Message) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self.process.stdin.flush()

    def send_raw(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def request(self, method: str, params: Any = None, id: int | str | None = None) -> int | str:
        """Send a request; returns its id."""
        if id is None:
            id = self._next_id
            self._next_id += 1
        self.send({"id": id, "method": method, **({} if params is None else {"params": params})})
        return id

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"method": method, **({} if params is None else {"params": params})})

    def answer(self, id: int | str, result: Any) -> None:
        self.send({"id": id, "result": result})

    def read(self, timeout_s: float = 60) -> Message | None:
        """The next message; None when the server has closed its side."""
        if self._reader is None:
            self._reader = threading.Thread(target=self._pump, daemon=True)
            self._reader.start()
        line = self._lines.get(timeout=timeout_s)
        if line is None:
            return None
        message = json.loads(line)
        self.seen.append(message)
        return message

    def until(self, wanted: Any, timeout_s: float = 60) -> Message:
        """Read until a message for which `wanted` is true."""
        while True:
            message = self.read(timeout_s)
            assert message is not None, f"the server closed; it said {self.seen[-3:]}"
            if wanted(message):
                return message

    def response(self, id: int | str, timeout_s: float = 60) -> Message:
        """Read until the answer to a request."""
        return self.until(lambda message: message.get("id") == id and "method" not in message, timeout_s)

    def ask(self, method: str, params: Any = None, id: int | str | None = None) -> Message:
        """A request and its answer."""
        return self.response(self.request(method, params, id))

    def event(self, kind: str) -> Message:
        """Read until an event of a kind, in whichever envelope."""
        return self.until(lambda message: message.get("params", {}).get("msg", {}).get("type") == kind)

    def initialize(self, *, elicitation: bool = True) -> Message:
        capabilities = {"elicitation": {}} if elicitation else {}
        answer = self.ask(
            "initialize",
            {
                "protocolVersion": "2025-06-18",
                "capabilities": capabilities,
                "clientInfo": {"name": "test", "version": "1"},
            },
        )
        self.notify("notifications/initialized")
        return answer

    def stop_reading(self) -> None:
        """Leave the pipe alone, after at most one more message."""
        self._reading.clear()

    def read_on(self) -> None:
        self._reading.set()

    def close(self) -> None:
        """End the process and close its streams."""
        self._reading.set()
        self.process.kill()
        self.process.wait()
        if self._reader is not None:
            self._reader.join(10)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _pump(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(ValueError, OSError):
            while line := self.process.stdout.readline():
                self._lines.put(line)
                self._reading.wait()
        self._lines.put(None)
