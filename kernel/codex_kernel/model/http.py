"""The process's HTTP clients: one for all threads that speak to providers in the same way, made when first used."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from typing import TYPE_CHECKING

import msgspec

from codex_kernel.model.exchange import HttpClient

if TYPE_CHECKING:
    import ssl


class _Kind(msgspec.Struct, frozen=True):
    loop: asyncio.AbstractEventLoop
    """Connections belong to the loop they were made in."""
    direct: bool
    ca_certificate: str | None


class _Shared:
    def __init__(self, client: HttpClient) -> None:
        self.client = client
        self.users = 0


_shared: dict[_Kind, _Shared] = {}


class HttpLease:
    """One user's share of a process-wide client. The last user to close its lease closes the connections."""

    def __init__(self, base_url: str, ca_certificate: str | None = None) -> None:
        self._base_url = base_url
        self._ca_certificate = ca_certificate
        self._kind: _Kind | None = None

    def client(self) -> HttpClient:
        """The client; made on the first call. Call it from the running loop.

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


def make_client(direct: bool, ca_certificate: str | None = None) -> HttpClient:
    """A client for requests to providers.

    Args:
        direct: Straight to the provider; otherwise through the proxies the system names.
        ca_certificate: PEM file trusted besides the system's certificates; read when TLS is needed.
    """
    if not direct:
        from codex_kernel.model.through_httpx import HttpxClient, make_httpx

        return HttpxClient(make_httpx(ca_certificate=ca_certificate))
    from codex_kernel.model.direct import DirectClient

    def context() -> ssl.SSLContext:
        from codex_kernel.model.tls import tls_context

        return tls_context(ca_certificate)

    return DirectClient(functools.cache(context))


def uses_proxy(url: str) -> bool:
    """Whether the system names a proxy that may apply to `url`. Nothing on this machine is reached through one."""
    if sys.platform in ("darwin", "win32"):
        from urllib.request import getproxies

        named = [key for key in getproxies() if key != "no"]
    else:  # the same without urllib.request, which loads http.client and email (25 ms)
        named = [name for name, value in os.environ.items() if value and name.lower().endswith("_proxy")]
        named = [name for name in named if name.lower() != "no_proxy"]
    return bool(named) and not is_loopback(url)


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine."""
    from urllib.parse import urlsplit

    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host in ("localhost", "::1") or host.startswith("127.") or host.endswith(".localhost")
