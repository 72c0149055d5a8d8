"""The kernel's sockets on an asyncio loop: messages in, in order; messages out, without ever waiting."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import zmq

from codex_kernel.jupyter.connection import Sockets
from codex_protocol.wire import EMPTY, Message, Wire, WireError

log = logging.getLogger(__name__)

Handler = Callable[[str, Message], None]
_PER_TURN = 64
"""Messages taken from one socket before the loop looks at everything else."""
_COMPLAINTS = 20


class Channels:
    """Reads shell, control and stdin; writes to them and to iopub. Everything happens on the loop's thread."""

    def __init__(
        self,
        sockets: Sockets,
        wire: Wire,
        on_message: Handler,
        on_topic: Callable[[bytes, bool], None],
    ) -> None:
        """Nothing is read before `start`.

        Args:
            sockets: Bound.
            wire: Signs and checks.
            on_message: Called with the channel's name and the message; must not block.
            on_topic: Called when somebody subscribes (True) to an iopub topic, and when its last subscriber leaves.
        """
        self.wire = wire
        self._sockets = sockets
        self._on_message = on_message
        self._on_topic = on_topic
        self._loop = asyncio.get_running_loop()
        self._readers: list[tuple[zmq.Socket[bytes], Callable[[], None]]] = []
        self._complaints = 0
        self._closed = False
        self._sent_on: set[zmq.Socket[bytes]] = set()

    def start(self) -> None:
        """Begin to read, and to answer heartbeats from a thread of their own."""
        named = (("shell", self._sockets.shell), ("control", self._sockets.control), ("stdin", self._sockets.stdin))
        for name, socket in named:
            self._watch(socket, self._reader(name, socket))
        self._watch(self._sockets.iopub, self._read_topics)
        threading.Thread(
            target=_heartbeat, args=(self._sockets.take_heartbeat(),), name="heartbeat", daemon=True
        ).start()

    def send(
        self,
        channel: str,
        idents: Sequence[bytes],
        msg_type: str,
        content: Any,
        parent: msgspec.Raw = EMPTY,
        metadata: dict[str, Any] | None = None,
    ) -> str:
        """Send to one client; its id, so that an answer can be recognised. A client that has gone gets nothing."""
        frames = self.wire.pack(msg_type, content, parent, idents=idents, metadata=metadata)
        socket = {"shell": self._sockets.shell, "control": self._sockets.control, "stdin": self._sockets.stdin}[channel]
        self._send(socket, frames)
        return self.wire.message_id(frames)

    def publish(
        self,
        msg_type: str,
        content: Any,
        parent: msgspec.Raw = EMPTY,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Tell everybody; who has just subscribed is welcomed first."""
        if not self._closed and int(self._sockets.iopub.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            self._read_topics()
        frames = self.wire.pack(msg_type, content, parent, idents=(msg_type.encode(),), metadata=metadata)
        self._send(self._sockets.iopub, frames)

    def close(self) -> None:
        """Stop reading and close the sockets."""
        self._closed = True
        for socket, _ in self._readers:
            self._loop.remove_reader(socket.FD)
        self._sockets.close()

    def _send(self, socket: zmq.Socket[bytes], frames: list[bytes]) -> None:
        if self._closed:
            return
        try:
            socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            log.warning("a message was not sent: %s", error)
        if socket not in self._sent_on:
            # Sending takes up the descriptor's edge: what came in meanwhile would be seen with the next message only.
            self._sent_on.add(socket)
            self._loop.call_soon(self._look_again, socket)

    def _look_again(self, socket: zmq.Socket[bytes]) -> None:
        self._sent_on.discard(socket)
        if self._closed:
            return
        for known, reader in self._readers:
            if known is socket and int(socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                reader()

    def _watch(self, socket: zmq.Socket[bytes], reader: Callable[[], None]) -> None:
        self._readers.append((socket, reader))
        self._loop.add_reader(socket.FD, reader)
        self._loop.call_soon(self._look_again, socket)

    def _reader(self, name: str, socket: zmq.Socket[bytes]) -> Callable[[], None]:
        def read() -> None:
            for _ in range(_PER_TURN):
                if self._closed:
                    return
                try:
                    frames = socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    return
                self._take(name, frames)
            self._loop.call_soon(self._look_again, socket)

        return read

    def _take(self, name: str, frames: list[bytes]) -> None:
        try:
            message = self.wire.unpack(frames)
        except WireError as error:
            self._complaints += 1
            if self._complaints <= _COMPLAINTS:
                log.warning("dropped what came on %s: %s", name, error)
            return
        self._on_message(name, message)

    def _read_topics(self) -> None:
        """Source: JEP 65. A subscriber is welcomed with its own topic, so that it knows from when on it hears all."""
        while not self._closed:
            try:
                frame = self._sockets.iopub.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            if frame[:1] == b"\x01":
                topic = frame[1:]
                self._send(
                    self._sockets.iopub,
                    self.wire.pack(
                        "iopub_welcome", {"subscription": topic.decode("utf-8", "replace")}, idents=(topic,)
                    ),
                )
            if frame[:1] in (b"\x00", b"\x01"):
                self._on_topic(frame[1:], frame[:1] == b"\x01")


def _heartbeat(socket: zmq.Socket[bytes]) -> None:
    """Echo until the context ends; in libzmq, so that a busy loop does not look like a dead kernel."""
    try:
        zmq.proxy(socket, socket)
    except zmq.ZMQError:
        pass
    finally:
        socket.close(0)
