"""What `codex doctor` says of the way to the model: proxy, certificates, and whether the provider answers."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from codex_cli.findings import Finding, note, ok, problem
from codex_protocol.errors import CodexError

if TYPE_CHECKING:
    from codex_kernel.config.types import Config

_LONGEST_S = 10.0
_CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def findings(config: Config, env: Mapping[str, str], *, ask: bool) -> list[Finding]:
    """Proxy, certificates, and the provider's answer, where `ask` is set; no credential is sent."""
    if config.model_provider == "demo":
        return [ok("network", "the demo model needs none")]
    url = _address(config)
    found = [_proxy(url), _certificates(config, env)]
    if not ask:
        return [*found, note("network", f"{_shown(url)} was not asked (--offline)", url=_shown(url))]
    return [*found, _answer(config, url)]


def _address(config: Config) -> str:
    from codex_kernel.model.providers import OPENAI_URL

    return config.provider.base_url or OPENAI_URL


def _shown(url: str) -> str:
    """The address without a user, password or query somebody may have put into it."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def _proxy(url: str) -> Finding:
    from urllib.request import getproxies, proxy_bypass

    from codex_kernel.model.http import uses_proxy

    proxies = getproxies()
    parts = urlsplit(url)
    wanted = proxies.get(parts.scheme) or proxies.get("all")
    if not uses_proxy(url) or wanted is None or proxy_bypass(parts.hostname or ""):
        return ok("proxy", "none on the way to the provider", proxy=None)
    return ok("proxy", f"{_shown(wanted)}", proxy=_shown(wanted))


def _certificates(config: Config, env: Mapping[str, str]) -> Finding:
    from codex_kernel.model.tls import tls_context

    named = {name: value for name in _CA_VARIABLES if (value := env.get(name))}
    if config.provider.ca_certificate:
        named["ca_certificate"] = config.provider.ca_certificate
    try:
        tls_context(config.provider.ca_certificate, env)
    except (CodexError, ssl.SSLError) as error:
        return problem("certificates", str(error), "name a PEM file that exists, or unset the variable", **named)
    if not named:
        return ok("certificates", "the system's")
    return ok("certificates", ", ".join(f"{name}={value}" for name, value in named.items()), **named)


def _answer(config: Config, url: str) -> Finding:
    from codex_kernel.model.http import uses_proxy
    from codex_kernel.model.through_httpx import import_httpx, make_httpx

    httpx = import_httpx()

    async def ask() -> int:
        async with (
            asyncio.timeout(_LONGEST_S),
            make_httpx(proxies=uses_proxy(url), ca_certificate=config.provider.ca_certificate) as client,
            client.stream("GET", url.rstrip("/") + "/models") as response,
        ):
            return int(response.status_code)

    begun = time.monotonic()
    shown = _shown(url)
    try:
        status = asyncio.run(ask())
    except TimeoutError:
        return problem("network", f"{shown} did not answer within {_LONGEST_S:g} s", _remedy(url), url=shown)
    except (httpx.HTTPError, httpx.InvalidURL, CodexError, OSError) as error:
        why = str(error) or type(error).__name__
        return problem("network", f"{shown} cannot be reached: {why}", _remedy(url), url=shown)
    took_ms = round((time.monotonic() - begun) * 1000)
    # Without a credential 401 is the right answer, and a provider need not list its models.
    return ok("network", f"{shown} answered after {took_ms} ms", url=shown, status=status, ms=took_ms)


def _remedy(url: str) -> str:
    from codex_kernel.model.http import is_loopback

    if is_loopback(url):
        return "start the server of that address"
    return "check the connection; behind a company's proxy set HTTPS_PROXY and SSL_CERT_FILE"
