"""The process's HTTP clients: one for all threads that speak to providers in the same way, made when first used.

httpx carries proxies, headers and decoding; it is imported with the first request, not at start-up.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import httpx

CONNECT_TIMEOUT_S = 15.0
WRITE_TIMEOUT_S = 120.0


class _Kind(NamedTuple):
    loop: asyncio.AbstractEventLoop
    """Connections belong to the loop they were made in."""
    direct: bool
    ca_certificate: str | None


class _Shared:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.users = 0


_shared: dict[_Kind, _Shared] = {}


class HttpLease:
    """One user's share of a process-wide client. The last user to close its lease closes the connections."""

    def __init__(self, base_url: str, ca_certificate: str | None = None) -> None:
        self._base_url = base_url
        self._ca_certificate = ca_certificate
        self._kind: _Kind | None = None

    def client(self) -> httpx.AsyncClient:
        """The client; imports httpx and is made on the first call. Call it from the running loop.

        Raises:
            ConfigError: A certificate file cannot be read.
        """
        kind = _Kind(asyncio.get_running_loop(), not uses_proxy(self._base_url), self._ca_certificate)
        if self._kind != kind:
            shared = _shared.get(kind)
            if shared is None:
                shared = _shared[kind] = _Shared(make_client(kind.direct, kind.ca_certificate))
            shared.users += 1
            self._kind = kind
        return _shared[kind].client

    async def aclose(self) -> None:
        """Give the share back."""
        kind, self._kind = self._kind, None
        if kind is None:
            return
        shared = _shared[kind]
        shared.users -= 1
        if shared.users == 0:
            del _shared[kind]
            await shared.client.aclose()


def make_client(direct: bool, ca_certificate: str | None = None) -> httpx.AsyncClient:
    """A client that follows no redirect: a credential never goes where nobody sent it.

    Args:
        direct: Straight to the provider; otherwise through the proxies the system names.
        ca_certificate: PEM file trusted besides the system's certificates.
    """
    httpx = import_httpx()
    from codex_kernel.model.tls import tls_context

    tls = functools.cache(lambda: tls_context(ca_certificate))
    if direct:
        from codex_kernel.model.transport import DirectTransport

        return httpx.AsyncClient(transport=DirectTransport(tls))
    limits = httpx.Limits(max_keepalive_connections=8, keepalive_expiry=60)
    return httpx.AsyncClient(verify=tls(), trust_env=True, limits=limits)


def uses_proxy(url: str) -> bool:
    """Whether the system names a proxy that may apply to `url`. Nothing on this machine is reached through one."""
    from urllib.request import getproxies

    return any(key != "no" for key in getproxies()) and not is_loopback(url)


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine."""
    from urllib.parse import urlsplit

    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host in ("localhost", "::1") or host.startswith("127.") or host.endswith(".localhost")


def timeout(idle_s: float) -> httpx.Timeout:
    """Limits of one request: none on its whole time, `idle_s` on silence."""
    return import_httpx().Timeout(None, connect=CONNECT_TIMEOUT_S, read=idle_s, write=WRITE_TIMEOUT_S)


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
