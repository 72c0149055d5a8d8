"""Requests through httpx, which carries proxies: an `HttpClient` made of an `httpx.AsyncClient`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING

from codex_kernel.model.exchange import CONNECT_TIMEOUT_S, WRITE_TIMEOUT_S, HttpFault, Silence, Unsendable
from codex_protocol.errors import ConfigError

if TYPE_CHECKING:
    import httpx


def make_httpx(*, proxies: bool = True, ca_certificate: str | None = None) -> httpx.AsyncClient:
    """A client of httpx's own that follows no redirect and trusts whom we trust.

    Args:
        proxies: Go through those the system names.
        ca_certificate: PEM file trusted besides the system's certificates.

    Raises:
        ConfigError: A certificate file cannot be read, or a variable names no proxy.
    """
    httpx = import_httpx()
    from codex_kernel.model.tls import tls_context

    limits = httpx.Limits(max_keepalive_connections=8, keepalive_expiry=60)
    context = tls_context(ca_certificate)
    try:
        return httpx.AsyncClient(verify=context, trust_env=proxies, limits=limits)
    except (ValueError, httpx.InvalidURL, ImportError) as error:
        variable, reason = _no_proxy(httpx) or ("A proxy variable", str(error))
        raise ConfigError(f"{variable} names no proxy that can be used: {reason}.") from error


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
            async with asyncio.timeout(
                CONNECT_TIMEOUT_S + WRITE_TIMEOUT_S + idle_s
            ):  # httpx awaits SOCKS without limit
                return HttpxAnswer(await self._http.send(request, stream=True, follow_redirects=False))
        except (httpx.ReadTimeout, TimeoutError):
            raise Silence("Nothing came in time.") from None
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError) as error:
            raise Unsendable(str(error)) from None
        except httpx.TransportError as error:
            raise HttpFault(_words(error) + _way(url)) from None

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


def _no_proxy(httpx: ModuleType) -> tuple[str, str] | None:
    """The first variable whose value is no proxy, and why."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            value = os.environ.get(variable)
            if not value:
                continue
            try:
                httpx.Proxy(url=value if "://" in value else f"http://{value}")
            except (ValueError, httpx.InvalidURL) as error:
                scheme = value.partition("://")[0] if "://" in value else "http"
                known = scheme in ("http", "https", "socks5", "socks5h")
                return variable, str(error) if known else f"{scheme}:// is none of http, https, socks5 and socks5h"
    return None


def _way(url: str) -> str:
    """Which proxy stands between us and `url`, for the end of a sentence that says why there is no answer."""
    from urllib.parse import urlsplit
    from urllib.request import getproxies, proxy_bypass

    parts, proxies = urlsplit(url), getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy is None or proxy_bypass(parts.hostname or ""):
        return ""
    return f" (through the proxy {urlsplit(proxy).netloc.rpartition('@')[2] or proxy})"


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
