"""Logins to HTTP servers: kept per server in one file of the user's, made by `codex mcp login`, refreshed on use.

The flow itself (discovery, registration, PKCE, refresh) is the SDK's. Source: spec/modern-features.md, "MCP OAuth".
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import urllib.parse
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from mcp.client.auth.oauth2 import OAuthClientProvider
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
    ProtectedResourceMetadata,
)
from pydantic import AnyUrl, ValidationError

from codex_kernel.mcp_client.interface import McpError
from codex_kernel.mcp_client.login_file import LoginFile

LOGIN_TIMEOUT_S = 600.0
_CALLBACK = "/callback"
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
    b"Content-Security-Policy: default-src 'none'\r\nConnection: close\r\n\r\n%s"
)


class LoginStore(LoginFile):
    """One server's login as the SDK keeps it; implements its `TokenStorage`."""

    async def get_tokens(self) -> OAuthToken | None:
        """The tokens, with the time they have left."""
        entry = self.entry()
        try:
            tokens = OAuthToken.model_validate(entry["tokens"])
        except (KeyError, ValidationError):
            return None
        if tokens.expires_in is not None:
            tokens.expires_in = max(0, int(tokens.expires_in - (time.time() - float(entry.get("at", 0)))))
        return tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep tokens."""
        self.change({"tokens": tokens.model_dump(mode="json", exclude_none=True), "at": time.time()})

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """What the server registered us as."""
        try:
            return OAuthClientInformationFull.model_validate(self.entry()["client"])
        except (KeyError, ValidationError):
            return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep a registration."""
        self.change({"client": client_info.model_dump(mode="json", exclude_none=True)})


class KeptLogin(OAuthClientProvider):
    """The SDK's login, going on from what is kept: it would forget when tokens run out and where they are refreshed."""

    def __init__(self, store: LoginStore, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._store = store

    async def _initialize(self) -> None:
        await super()._initialize()
        context, entry = self.context, self._store.entry()
        if context.current_tokens is not None:
            context.update_token_expiry(context.current_tokens)
        with contextlib.suppress(KeyError, ValidationError):
            context.oauth_metadata = OAuthMetadata.model_validate(entry["server"])
        with contextlib.suppress(KeyError, ValidationError):
            context.protected_resource_metadata = ProtectedResourceMetadata.model_validate(entry["resource"])

    def remember_servers(self) -> None:
        """Keep what was found out of the servers that issue tokens."""
        found = {"server": self.context.oauth_metadata, "resource": self.context.protected_resource_metadata}
        self._store.change(
            {key: one.model_dump(mode="json", exclude_none=True) for key, one in found.items() if one is not None}
        )


def kept_login(name: str, url: str, file: Path) -> KeptLogin | None:
    """What authorises requests to a server the user has logged in to; None where they have not."""
    store = LoginStore(file, name, url)
    if not store.there:
        return None

    async def refuse(address: str) -> None:
        raise McpError(f"the login has run out; run 'codex mcp login {name}'")

    async def never() -> AuthorizationCodeResult:
        raise McpError(f"the login has run out; run 'codex mcp login {name}'")

    return KeptLogin(store, url, _metadata("http://127.0.0.1/callback", None), store, refuse, never)


async def log_in(
    name: str, url: str, file: Path, *, scopes: Sequence[str], show: Callable[[str], Awaitable[None]]
) -> bool:
    """Log in to a server in the browser; False when it asks for no login.

    Args:
        name: The server's name.
        url: Its address.
        file: Where logins are kept.
        scopes: What to ask for; empty leaves it to the server.
        show: Gets the address the user has to open.

    Raises:
        McpError: It was refused, took too long, or the server is no MCP server; a login there was stays.
    """
    from codex_kernel.mcp_client.http import connect_http
    from codex_kernel.mcp_client.interface import ElicitAnswer
    from codex_kernel.mcp_client.sdk import greeted

    store = LoginStore(file, name, url)
    earlier = store.entry()
    store.forget()
    answered: asyncio.Future[AuthorizationCodeResult] = asyncio.get_running_loop().create_future()

    async def nobody(question: Any) -> ElicitAnswer:
        return ElicitAnswer(action="cancel")

    async def wait() -> AuthorizationCodeResult:
        return await answered

    async def go(address: str) -> None:
        await show(_with_scopes(address, scopes) if scopes else address)

    server = await asyncio.start_server(lambda r, w: _callback(r, w, answered), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        metadata = _metadata(f"http://127.0.0.1:{port}{_CALLBACK}", " ".join(scopes) or None)
        auth = KeptLogin(store, url, metadata, store, go, wait)
        async with (
            asyncio.timeout(LOGIN_TIMEOUT_S),
            connect_http(url, {}, auth) as (read, write),
            greeted(read, write, server=name, ask=nobody, hears=_Deaf()),
        ):
            if store.there:
                auth.remember_servers()
            return store.there
    except Exception as error:
        if store.there:
            return True  # logged in; what the server says afterwards is another matter
        raise McpError(f"the login to '{name}' ({url}) failed: {_sentence(error)}") from error
    finally:
        server.close()
        if earlier and not store.there:
            store.change(earlier)  # a new one that did not come about costs nobody the old one


def _with_scopes(address: str, scopes: Sequence[str]) -> str:
    """The address with the scopes the user wants: the SDK asks for all that the server knows."""
    parts = urllib.parse.urlsplit(address)
    fields = {**dict(urllib.parse.parse_qsl(parts.query)), "scope": " ".join(scopes)}
    return urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode(fields)))


class _Deaf:
    def tools_changed(self) -> None:
        """Nothing to do."""

    def logged(self, level: str, text: str) -> None:
        """Nothing to do."""


def _metadata(redirect: str, scope: str | None) -> OAuthClientMetadata:
    return OAuthClientMetadata(
        redirect_uris=[AnyUrl(redirect)],
        client_name="Codex",
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        scope=scope,
    )


async def _callback(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answered: asyncio.Future[AuthorizationCodeResult]
) -> None:
    """The browser comes back with a code; the SDK checks its `state`."""
    try:
        async with asyncio.timeout(10):
            line = (await reader.readuntil(b"\r\n")).decode("latin-1").split(" ")
        path, _, query = (line[1] if len(line) > 1 else "").partition("?")
        fields = dict(urllib.parse.parse_qsl(query))
        text = b"This is not the page the login comes back to."
        if path == _CALLBACK and "code" in fields:
            text = b"Logged in. You can close this page."
            if not answered.done():
                answered.set_result(
                    AuthorizationCodeResult(code=fields["code"], state=fields.get("state"), iss=fields.get("iss"))
                )
        elif path == _CALLBACK:
            text = b"The login was refused. You can close this page."
            if not answered.done():
                answered.set_exception(McpError(f"the login was refused: {fields.get('error', 'no code was given')}"))
        writer.write(_ANSWER % (len(text), text))
        await writer.drain()
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        return
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _sentence(error: BaseException) -> str:
    from codex_kernel.mcp_client.connection import sentence_of

    return "the login took longer than 10 minutes" if isinstance(error, TimeoutError) else sentence_of(error)
