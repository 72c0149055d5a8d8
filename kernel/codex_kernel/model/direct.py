"""Straight to a provider over asyncio's sockets, connections kept alive between requests.

httpx and what it brings cost a third of the start of every `codex exec`; it still serves where a proxy stands between
us and the provider (`through_httpx.py`). Imported only when a request is made.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast
from urllib.parse import quote, unquote, urlsplit

import msgspec

from codex_kernel.model import http1
from codex_kernel.model.exchange import CONNECT_TIMEOUT_S, WRITE_TIMEOUT_S, HttpFault, Silence, Unsendable

if TYPE_CHECKING:
    import ssl

KEEP_ALIVE_S = 60.0
_MAX_IDLE = 8
_ENOUGH_BYTES = 512 * 1024
"""More than this is not read ahead of who reads the body."""
_UNESCAPED = "!#$%&'()*+,/:;=?@[]~"


class Origin(msgspec.Struct, frozen=True):
    """Whom a connection leads to."""

    tls: bool
    host: str
    """ASCII, an IPv6 address without its brackets."""
    port: int


class DirectClient:
    """Sends each request over a connection of its own or one that an earlier answer left usable."""

    def __init__(
        self,
        tls: Callable[[], ssl.SSLContext],
        *,
        connect_s: float = CONNECT_TIMEOUT_S,
        write_s: float = WRITE_TIMEOUT_S,
    ) -> None:
        """Connect to nothing yet.

        Args:
            tls: Called when the first `https` URL is met.
            connect_s: How long connecting may take.
            write_s: How long the server may take to accept a request's bytes.
        """
        self._tls = tls
        self._connect_s = connect_s
        self._write_s = write_s
        self._idle: deque[_Connection] = deque()
        self.closed = False

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, idle_s: float) -> DirectAnswer:
        """See `HttpClient`."""
        origin, data = _request(url, headers, body)
        while True:
            connection = self._take(origin)
            reused = connection is not None
            if connection is None:
                connection = await self._connect(origin)
            try:
                head = await connection.exchange(data, self._write_s, idle_s)
                return DirectAnswer(connection, head, idle_s, self._keep)
            except HttpFault as fault:
                connection.close()
                if reused and not connection.answered and not isinstance(fault, Silence):
                    continue  # the server had closed it while it was idle
                raise
            except BaseException:
                connection.close()
                raise

    async def aclose(self) -> None:
        """Close the connections that no answer uses."""
        self.closed = True
        idle, self._idle = self._idle, deque()
        for connection in idle:
            await connection.aclose()

    async def _connect(self, origin: Origin) -> _Connection:
        tls = self._tls() if origin.tls else None
        try:
            async with asyncio.timeout(self._connect_s):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: _Connection(origin),
                    origin.host,
                    origin.port,
                    ssl=tls,
                    server_hostname=origin.host if tls else None,
                    happy_eyeballs_delay=0.25,
                )
        except TimeoutError:
            raise HttpFault(f"{origin.host}:{origin.port} did not answer in {self._connect_s:g} s.") from None
        except OSError as error:  # also what TLS refuses: ssl.SSLError is one
            raise HttpFault(_words(error)) from None
        except UnicodeError:  # a label of more than 63 characters
            raise Unsendable(f"{origin.host[:80]!r} is no name of a host") from None
        return connection

    def _take(self, origin: Origin) -> _Connection | None:
        now = time.monotonic()
        for connection in reversed(self._idle):
            if connection.origin == origin:
                self._idle.remove(connection)
                if connection.usable(now):
                    return connection
                connection.close()
                return self._take(origin)
        return None

    def _keep(self, connection: _Connection) -> None:
        connection.idle_since = time.monotonic()
        self._idle.append(connection)
        if len(self._idle) > _MAX_IDLE or self.closed:
            self._idle.popleft().close()


class _Connection(asyncio.Protocol):
    """A socket; what it received, until somebody takes it."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.received = bytearray()
        self.ended = False
        """Whether nothing more will come."""
        self.answered = False
        """Whether anything of the present answer came."""
        self.idle_since = 0.0
        self.error: Exception | None = None
        """Why it ended, when that was no orderly end."""
        self._paused = False
        self._full = False
        """Whether the socket takes no more for now."""
        self._waiter: asyncio.Future[None] | None = None
        self._closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self.answered = True
        self.received += data
        if len(self.received) > _ENOUGH_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Called by the loop, which then closes the connection."""
        self.ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self.ended = True
        self.error = exc
        self._wake()
        if not self._closed.done():
            self._closed.set_result(None)

    def pause_writing(self) -> None:
        """Called by the loop."""
        self._full = True

    def resume_writing(self) -> None:
        """Called by the loop."""
        self._full = False
        self._wake()

    async def exchange(self, request: bytes, write_s: float, idle_s: float) -> http1.Head:
        """Send a request, give the head of its answer.

        Raises:
            HttpFault: None came.
        """
        self.answered = False
        self._transport.write(request)
        try:
            async with asyncio.timeout(write_s):
                # A server may refuse a body before it has read it: its answer ends the wait.
                while self._full and not self.ended and not self.received:
                    await self._wait()
        except TimeoutError:
            raise HttpFault("The request could not be sent in time.") from None
        while True:
            try:
                head = http1.take_head(self.received)
            except http1.MalformedAnswer as error:
                raise HttpFault(str(error)) from None
            if head is not None:
                return head
            await self.more(idle_s)

    async def more(self, idle_s: float) -> None:
        """Wait until something is received, or the connection ends.

        Raises:
            HttpFault: It had ended before, or nothing happens in time.
        """
        if self.ended:
            raise HttpFault(self.why_ended())
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        before = len(self.received)
        try:
            async with asyncio.timeout(idle_s):
                while len(self.received) == before and not self.ended:
                    await self._wait()
        except TimeoutError:
            raise Silence("Nothing came in time.") from None

    def why_ended(self) -> str:
        """For the message of an error."""
        if isinstance(self.error, OSError):
            return _words(self.error)
        return "the server closed the connection before its answer was complete"

    def usable(self, now: float) -> bool:
        """Whether the server still seems to be there."""
        silent = not self.ended and not self.received and not self._full
        return silent and not self._transport.is_closing() and now - self.idle_since < KEEP_ALIVE_S

    def close(self) -> None:
        """Drop the connection at once."""
        self._transport.abort()

    async def aclose(self) -> None:
        """Drop the connection and wait until its socket is closed."""
        self.close()
        await asyncio.wait((self._closed,))

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class DirectAnswer:
    """An `HttpAnswer` that comes over a connection of ours."""

    def __init__(
        self, connection: _Connection, head: http1.Head, idle_s: float, keep: Callable[[_Connection], None]
    ) -> None:
        """Take over a connection whose answer's head was read.

        Raises:
            HttpFault: The head does not say how the body ends, or in what coding nobody asked for it comes.
        """
        self.status = head.status
        self.headers: Mapping[str, str] = head.headers
        self._connection = connection
        self._idle_s = idle_s
        self._keep = keep
        self._reusable = head.reusable
        self._open = True
        try:
            self._body = http1.Body(head)
            self._unpack = http1.unpacker(head.headers.get("content-encoding", ""))
        except ValueError as error:
            raise HttpFault(str(error)) from None

    async def read(self) -> bytes:
        """See `HttpAnswer`."""
        connection, body = self._connection, self._body
        while True:
            try:
                data = body.feed(connection.received)
                if data and self._unpack is not None:
                    data = self._unpack(data)
                if data or body.done:
                    return data
                if connection.ended and body.until_close and connection.error is None:
                    return b""
            except ValueError as error:
                raise HttpFault(str(error)) from None
            await connection.more(self._idle_s)

    async def aclose(self) -> None:
        """See `HttpAnswer`."""
        if not self._open:
            return
        self._open = False
        if self._body.done and self._reusable and not self._body.until_close:
            self._keep(self._connection)
        else:
            await self._connection.aclose()


def _request(url: str, headers: Mapping[str, str], body: bytes) -> tuple[Origin, bytes]:
    """Whom to connect to, and what to send.

    Raises:
        Unsendable: The URL or a header is malformed.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not host:
            raise Unsendable(f"{url!r} is no http or https URL")
        tls = parts.scheme == "https"
        host = host if host.isascii() else host.encode("idna").decode("ascii")
        port = parts.port or (443 if tls else 80)
        target = quote(parts.path or "/", safe=_UNESCAPED) + (
            f"?{quote(parts.query, safe=_UNESCAPED)}" if parts.query else ""
        )
        named = f"[{host}]" if ":" in host else host
        own = {"Host": named if parts.port is None else f"{named}:{port}"}
        if parts.username is not None:
            own["Authorization"] = _basic(unquote(parts.username), unquote(parts.password or ""))
        taken = {name.lower() for name in own}
        rest = {name: value for name, value in headers.items() if name.lower() not in taken}
        return Origin(tls, host, port), http1.request("POST", target, {**own, **rest}, body)
    except ValueError as error:  # also what `urlsplit` says of ports and brackets, and `encode` of host names
        raise Unsendable(str(error)) from None


def _basic(user: str, password: str) -> str:
    import base64

    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def _words(error: OSError) -> str:
    found = re.search(r"\[Errno (\d+)\] Connect call failed", str(error))  # asyncio's words name numeric addresses
    if found:
        return os.strerror(int(found[1]))
    return error.strerror or str(error) or type(error).__name__
