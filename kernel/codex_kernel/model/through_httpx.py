"""Requests through httpx, which carries proxies: an `HttpClient` made of an `httpx.AsyncClient`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING

from codex_kernel.model.exchange import CONNECT_TIMEOUT_S, WRITE_TIMEOUT_S, HttpFault, Silence, Unsendable

if TYPE_CHECKING:
    import httpx


def make_httpx(*, proxies: bool = True, ca_certificate: str | None = None) -> httpx.AsyncClient:
    """A client of httpx's own that follows no redirect and trusts whom we trust.

    Args:
        proxies: Go through those the system names.
        ca_certificate: PEM file trusted besides the system's certificates.

    Raises:
        ConfigError: A certificate file cannot be read.
    """
    httpx = import_httpx()
    from codex_kernel.model.tls import tls_context

    limits = httpx.Limits(max_keepalive_connections=8, keepalive_expiry=60)
    return httpx.AsyncClient(verify=tls_context(ca_certificate), trust_env=proxies, limits=limits)


class HttpxClient:
    """See `HttpClient`."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        """Take over a client."""
        self._http = http

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, idle_s: float) -> HttpxAnswer:
        """See `HttpClient`."""
        httpx = import_httpx()
        limits = httpx.Timeout(None, connect=CONNECT_TIMEOUT_S, read=idle_s, write=WRITE_TIMEOUT_S)
        try:
            request = self._http.build_request("POST", url, content=body, headers=dict(headers), timeout=limits)
            return HttpxAnswer(await self._http.send(request, stream=True, follow_redirects=False))
        except httpx.ReadTimeout:
            raise Silence("Nothing came in time.") from None
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError) as error:
            raise Unsendable(str(error)) from None
        except httpx.TransportError as error:
            raise HttpFault(_words(error)) from None

    async def aclose(self) -> None:
        """See `HttpClient`."""
        await self._http.aclose()


class HttpxAnswer:
    """See `HttpAnswer`."""

    def __init__(self, response: httpx.Response) -> None:
        """Take over a response whose body was not read."""
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._pieces = response.aiter_bytes()

    async def read(self) -> bytes:
        """See `HttpAnswer`."""
        httpx = import_httpx()
        try:
            return await anext(self._pieces, b"")
        except httpx.ReadTimeout:
            raise Silence("Nothing came in time.") from None
        except (httpx.TransportError, httpx.DecodingError, httpx.StreamError) as error:
            raise HttpFault(_words(error)) from None

    async def aclose(self) -> None:
        """See `HttpAnswer`."""
        await self._response.aclose()


def import_httpx() -> ModuleType:
    """The httpx module without its command line, which would load click, rich and Pygments (40 ms)."""
    loaded = sys.modules.get("httpx")
    if loaded is not None and hasattr(loaded, "AsyncClient"):
        return loaded
    stand_in = ModuleType("httpx._main")
    stand_in.__dict__["main"] = _no_command_line
    sys.modules["httpx._main"] = stand_in
    try:
        import httpx
    finally:
        sys.modules.pop("httpx._main", None)
    return httpx


def _no_command_line() -> None:
    raise RuntimeError("httpx's command line is not loaded in this process; run `python -m httpx`.")


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
