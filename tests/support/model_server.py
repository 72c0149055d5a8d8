"""A scripted model server on loopback: Responses and Chat Completions, for tests, benchmarks and the upstream peers.

Request N is answered by entry N of the script, or by a function of the request. A path prefix before `/v1` is a lane:
each lane counts its own requests, so that one server can play the same script to many runs (`server.lane("a")`).

    python -m tests.support.model_server SCRIPT.json --port-file F [--log REQUESTS.jsonl]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from tests.support.replies import Reply, fails, read_script
from tests.support.wire import chat_events, responses_events

_MODEL_PATHS = {"/v1/responses": responses_events, "/v1/chat/completions": chat_events}
_MODELS = json.dumps({"object": "list", "data": [], "models": []}).encode()


@dataclass(frozen=True, eq=False)
class Request:
    """What a client sent, and when; times are seconds of `time.monotonic`, the same clock in every process."""

    method: str
    path: str
    """Without the lane and the query."""
    query: str
    lane: str
    headers: Mapping[str, str]
    """Names in lower case; of repeated ones the last."""
    body: bytes
    number: int
    """Counted from 0 in its lane, model requests only."""
    at_s: float
    """When its first line had come."""
    sent: dict[str, float] = field(default_factory=dict)
    """`first_s` and `last_s`: when the first and the last byte of the answer were handed to the socket."""

    @cached_property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def input(self) -> list[dict[str, Any]]:
        """The input items of a Responses request."""
        return self.json["input"]

    def outputs(self) -> dict[str, Any]:
        """What the client answered to calls, by `call_id`, on either wire."""
        if "messages" in self.json:
            return {m["tool_call_id"]: m["content"] for m in self.json["messages"] if m["role"] == "tool"}
        kinds = {"function_call_output", "custom_tool_call_output"}
        return {item["call_id"]: item["output"] for item in self.input if item["type"] in kinds}


Script = Sequence[Reply] | Callable[[Request], Reply]


class ModelServer:
    """The server; a context manager that stops every connection when it ends. `url` is a provider's base URL."""

    def __init__(self, script: Script = ()) -> None:
        self.script = script
        self.requests: list[Request] = []
        """Model requests of all lanes in the order they came."""
        self.other_requests: list[Request] = []
        """Everything else: model lists, web socket attempts, unknown paths."""
        self.on_request: Callable[[Request], None] = lambda request: None
        """Called when an answer has been sent."""
        self._counts: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._open: set[socket.socket] = set()
        self._prepared: dict[tuple[int, str], tuple[Reply, list[bytes]]] = {}
        self._closed = False
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="model server", daemon=True)

    @property
    def url(self) -> str:
        """Base URL of the nameless lane."""
        return self.lane("")

    def lane(self, name: str) -> str:
        """Base URL of a lane; it plays the script from the start."""
        return f"http://127.0.0.1:{self.port}{'/' + name if name else ''}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._changed:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    def wait_for(self, count: int, timeout_s: float = 60) -> list[Request]:
        """The model requests, as soon as there are `count`.

        Raises:
            TimeoutError: They did not come in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= count, timeout_s):
                raise TimeoutError(f"{len(self.requests)} of {count} requests after {timeout_s} s")
            return list(self.requests)

    def answered(self, lane: str = "", timeout_s: float = 60) -> list[Request]:
        """The model requests of one lane, once each that came has its whole answer: a client may end before we know.

        Raises:
            TimeoutError: One still has not.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: all("last_s" in r.sent for r in self.in_lane(lane)), timeout_s):
                raise TimeoutError(f"a request was not answered in {timeout_s} s")
            return self.in_lane(lane)

    def in_lane(self, lane: str) -> list[Request]:
        """The model requests of one lane."""
        return [request for request in self.requests if request.lane == lane]

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            stream = cast("IO[bytes]", connection.makefile("rb", 65536))
            while not self._closed and (request := self._read(stream)) is not None:
                if not self._answer(connection, request):
                    break
            stream.close()
        with self._changed:
            self._open.discard(connection)

    def _read(self, stream: IO[bytes]) -> Request | None:
        line = stream.readline(65536)
        if not line.strip():
            return None
        at_s = time.monotonic()
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers: dict[str, str] = {}
        while (header := stream.readline(65536).decode("latin-1").strip()) != "":
            name, _, value = header.partition(":")
            headers[name.strip().lower()] = value.strip()
        chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        body = b"".join(_chunks(stream)) if chunked else stream.read(int(headers.get("content-length", 0)))
        path, _, query = target.partition("?")
        before, version, rest = path.partition("/v1/")
        lane, path = (before.strip("/"), version + rest) if version else ("", path)
        is_model = method == "POST" and path in _MODEL_PATHS
        with self._changed:
            number = self._counts[lane] if is_model else -1
            self._counts[lane] += is_model
            request = Request(method, path, query, lane, headers, body, number, at_s)
            (self.requests if is_model else self.other_requests).append(request)
            self._changed.notify_all()
        return request

    def _answer(self, connection: socket.socket, request: Request) -> bool:
        """Send the answer; False when the connection is to be closed."""
        if request.number < 0:
            found = request.method == "GET" and request.path == "/v1/models"
            _send_whole(connection, HTTPStatus.OK if found else HTTPStatus.NOT_FOUND, {}, _MODELS if found else b"{}")
            return True
        reply = self._reply_to(request)
        if reply.delay_s:
            time.sleep(reply.delay_s)
        keep = self._send(connection, request, reply)
        request.sent["last_s"] = time.monotonic()
        self.on_request(request)
        with self._changed:
            self._changed.notify_all()
        return keep

    def _reply_to(self, request: Request) -> Reply:
        if callable(self.script):
            try:
                return self.script(request)
            except Exception as error:
                return fails(400, {"error": {"message": f"the script failed: {error!r}"}})
        if request.number < len(self.script):
            return self.script[request.number]
        text = f"the script has {len(self.script)} entries; this is request {request.number + 1}"
        return fails(400, {"error": {"message": text}})

    def _send(self, connection: socket.socket, request: Request, reply: Reply) -> bool:
        request.sent["first_s"] = time.monotonic()
        cut = reply.cut_after_bytes is not None
        if reply.body is not None and not cut:
            _send_whole(connection, reply.status, reply.headers, reply.body)
            return True
        writes = self._writes(request.path, reply)
        head = {"content-type": "text/event-stream", "transfer-encoding": "chunked", **reply.headers}
        connection.sendall(_head(reply.status, head))
        for number, write in enumerate(writes):
            if number == reply.hold_after_events:
                reply.held.set()
                while not reply.release.wait(0.05):
                    if self._closed:
                        return False
            if reply.event_delay_s:
                time.sleep(reply.event_delay_s)
            connection.sendall(b"%x\r\n%b\r\n" % (len(write), write))
        if not cut:
            connection.sendall(b"0\r\n\r\n")
        elif reply.reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return not cut

    def _writes(self, path: str, reply: Reply) -> list[bytes]:
        """The body, cut into what goes to the socket at once; kept, because a script is often played many times."""
        key = (id(reply), path)
        if key not in self._prepared:
            events = [reply.body] if reply.body is not None else _MODEL_PATHS[path](reply)
            whole = reply.chunk_bytes is not None and not reply.event_delay_s and reply.hold_after_events is None
            if whole or reply.cut_after_bytes is not None:
                body = b"".join(events)[: reply.cut_after_bytes]
                size = reply.chunk_bytes or len(body) or 1
                events = [body[start : start + size] for start in range(0, len(body), size)]
            # The reply is kept too: its id must not be used again.
            self._prepared[key] = (reply, events)
        return self._prepared[key][1]


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while (size := int(stream.readline(64).split(b";")[0], 16)) > 0:
        yield stream.read(size)
        stream.readline(8)
    while stream.readline(65536).strip():
        pass


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    reason = http.client.responses.get(status, "Unknown")
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def _send_whole(connection: socket.socket, status: int, headers: Mapping[str, str], body: bytes) -> None:
    head = {"content-type": "application/json", **headers, "content-length": str(len(body))}
    connection.sendall(_head(status, head) + body)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve a script until stdin closes or a signal comes."""
    parser = argparse.ArgumentParser(prog="tests.support.model_server", description="Serve a script of model answers.")
    parser.add_argument("script", type=Path, help="JSON list of replies")
    parser.add_argument(
        "--port-file", type=Path, required=True, help="the base URL is written here, and to stdout, when it serves"
    )
    parser.add_argument("--log", type=Path, help="one JSON line per answered model request")
    args = parser.parse_args(argv)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(ModelServer(read_script(args.script)))
        if args.log:
            log = stack.enter_context(args.log.open("a", encoding="utf-8", buffering=1))
            server.on_request = lambda request: print(
                json.dumps({"path": request.path, "headers": request.headers, "body": request.body.decode()}), file=log
            )
        written = args.port_file.with_suffix(".new")
        written.write_text(server.url, encoding="utf-8")
        written.replace(args.port_file)
        print(server.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            sys.stdin.read()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
