"""Direct connections under httpx's API: asyncio streams and h11, kept alive between requests.

httpx's own transport costs 30 ms more to import (httpcore, anyio), at the start of every `codex exec`. It still serves
where a proxy stands between us and the provider. Imported only when a request is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import h11
import httpx

READ_BYTES = 64 * 1024
MAX_HEADER_BYTES = 256 * 1024
KEEP_ALIVE_S = 60.0
_MAX_IDLE = 8

Origin = tuple[str, str, int]


class DirectTransport(httpx.AsyncBaseTransport):
    """Sends each request over a connection of its own or one that an earlier response left usable."""

    def __init__(self, tls: Callable[[], ssl.SSLContext]) -> None:
        self._tls = tls
        self._idle: list[_Connection] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` and return its response once the headers are there.

        Raises:
            httpx.TransportError: As httpx's own transport raises it.
        """
        limits: dict[str, Any] = request.extensions.get("timeout") or {}
        body = b"".join([piece async for piece in _pieces(request)])
        origin = _origin(request.url)
        while True:
            connection = self._take(origin)
            reused = connection is not None
            if connection is None:
                connection = await _connect(origin, self._tls, limits.get("connect"))
            try:
                head = await connection.exchange(request, body, limits)
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                connection.close()
                if reused and not connection.answered:
                    continue  # the server had closed it while it was idle
                raise
            except BaseException:
                connection.close()
                raise
            return httpx.Response(
                status_code=head.status_code,
                headers=list(head.headers.raw_items()),
                stream=_Body(connection, limits.get("read"), self._idle),
                extensions={"http_version": b"HTTP/" + head.http_version, "reason_phrase": bytes(head.reason)},
            )

    async def aclose(self) -> None:
        """Close the connections that no response uses."""
        idle, self._idle[:] = list(self._idle), []
        for connection in idle:
            await connection.aclose()

    def _take(self, origin: Origin) -> _Connection | None:
        now = time.monotonic()
        for connection in reversed(self._idle):
            if connection.origin == origin:
                self._idle.remove(connection)
                if connection.usable(now):
                    return connection
                connection.close()
        return None


class _Connection:
    def __init__(self, origin: Origin, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.origin = origin
        self.answered = False
        """Whether anything of the current response came."""
        self._reader = reader
        self._writer = writer
        self._protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEADER_BYTES)
        self._idle_since = 0.0

    async def exchange(self, request: httpx.Request, body: bytes, limits: dict[str, Any]) -> h11.Response:
        """Send the request, return the head of the response."""
        self.answered = False
        target = request.url.raw_path
        try:
            head = h11.Request(method=request.method, target=target, headers=request.headers.raw)
            events = (head, h11.Data(data=body), h11.EndOfMessage())
            data = b"".join(self._protocol.send(event) or b"" for event in events)
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from None
        failure = await self._send(data, limits.get("write"))
        while True:  # a server may refuse a body before it has read it, so that its answer is looked for in any case
            try:
                event = await self.event(limits.get("read"))
            except httpx.TransportError:
                if failure is not None and not self.answered:
                    raise failure from None
                raise
            if isinstance(event, h11.Response):
                return event

    async def _send(self, data: bytes, limit_s: float | None) -> httpx.TransportError | None:
        try:
            async with asyncio.timeout(limit_s):
                self._writer.write(data)
                await self._writer.drain()
        except TimeoutError:
            return httpx.WriteTimeout("The request could not be sent in time.")
        except OSError as error:
            return httpx.WriteError(_words(error))
        return None

    async def event(self, limit_s: float | None) -> h11.Event | type[h11.PAUSED]:
        """The next event of the response."""
        while True:
            try:
                event = self._protocol.next_event()
                if event is h11.NEED_DATA:
                    data = await self._read(limit_s)
                    self.answered = self.answered or bool(data)
                    self._protocol.receive_data(data)
                    continue
            except h11.RemoteProtocolError as error:
                raise httpx.RemoteProtocolError(str(error)) from None
            return event  # pyright: ignore[reportReturnType] (NEED_DATA was handled above)

    async def _read(self, limit_s: float | None) -> bytes:
        try:
            async with asyncio.timeout(limit_s):
                return await self._reader.read(READ_BYTES)
        except TimeoutError:
            raise httpx.ReadTimeout("Nothing came in time.") from None
        except OSError as error:
            raise httpx.ReadError(_words(error)) from None

    def release(self) -> bool:
        """Make it ready for another request; False when the connection cannot serve one."""
        if self._protocol.our_state is not h11.DONE or self._protocol.their_state is not h11.DONE:
            return False
        self._protocol.start_next_cycle()
        self._idle_since = time.monotonic()
        return True

    def usable(self, now: float) -> bool:
        """Whether the server still seems to be there."""
        closing = self._writer.is_closing() or self._reader.at_eof()
        return not closing and now - self._idle_since < KEEP_ALIVE_S

    def close(self) -> None:
        """Drop the connection at once."""
        self._writer.transport.abort()

    async def aclose(self) -> None:
        """Drop the connection and wait until its socket is closed."""
        self.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class _Body(httpx.AsyncByteStream):
    def __init__(self, connection: _Connection, limit_s: float | None, idle: list[_Connection]) -> None:
        self._connection = connection
        self._limit_s = limit_s
        self._idle = idle
        self._open = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            event = await self._connection.event(self._limit_s)
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage) or event is h11.PAUSED:
                return

    async def aclose(self) -> None:
        if not self._open:
            return
        self._open = False
        if self._connection.release():
            self._idle.append(self._connection)
            if len(self._idle) > _MAX_IDLE:
                self._idle.pop(0).close()
        else:
            await self._connection.aclose()


async def _connect(origin: Origin, tls: Callable[[], ssl.SSLContext], limit_s: float | None) -> _Connection:
    scheme, host, port = origin
    secure: dict[str, Any] = {"ssl": tls(), "server_hostname": host} if scheme == "https" else {}
    try:
        async with asyncio.timeout(limit_s):
            reader, writer = await asyncio.open_connection(
                host, port, limit=READ_BYTES, happy_eyeballs_delay=0.25, **secure
            )
    except TimeoutError:
        raise httpx.ConnectTimeout(f"{host}:{port} did not answer in {limit_s:g} s.") from None
    except OSError as error:  # also what TLS refuses: ssl.SSLError is one
        raise httpx.ConnectError(f"{host}:{port}: {_words(error)}") from None
    return _Connection(origin, reader, writer)


def _origin(url: httpx.URL) -> Origin:
    default = 443 if url.scheme == "https" else 80
    return url.scheme, url.raw_host.decode("ascii").strip("[]"), url.port or default


def _words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


async def _pieces(request: httpx.Request) -> AsyncIterator[bytes]:
    if isinstance(request.stream, httpx.AsyncByteStream):
        async for piece in request.stream:
            yield piece
