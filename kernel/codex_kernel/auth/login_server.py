"""Login with ChatGPT in the browser: a server on this machine that the issuer's page comes back to.

Source: spec/cli.md section 4, "Browser login flow". It listens on 127.0.0.1 only, answers GET on three paths, and
believes nothing that does not carry the login's own `state`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hmac
import secrets
import urllib.parse
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple, Self

from codex_kernel.auth.auth_file import StoredLogin
from codex_kernel.auth.oauth import (
    CLIENT_ID,
    ISSUER,
    MakeHttp,
    api_key_for,
    default_http,
    exchange_code,
    new_login,
    new_pkce,
)
from codex_kernel.auth.pages import page
from codex_protocol.errors import CredentialError

PORT = 1455
"""The issuer sends browsers back to this port only."""

_REQUEST_TIMEOUT_S = 10.0
_MAX_REQUEST_BYTES = 16 * 1024
_GRACE_S = 3.0
"""How long the browser may take to ask for the success page."""

Keep = Callable[[StoredLogin], None]


class _Answer(NamedTuple):
    status: HTTPStatus
    body: bytes
    location: str | None = None


class LoginServer:
    """One login. Use it as an async context; `wait` ends when the login is kept, refused or cancelled."""

    def __init__(
        self,
        keep: Keep,
        *,
        issuer: str = ISSUER,
        port: int = PORT,
        workspace: str | None = None,
        make_http: MakeHttp = default_http,
    ) -> None:
        """Nothing is opened before the context is entered.

        Args:
            keep: Called once with the login; may raise CredentialError.
            issuer: Base URL of the issuer.
            port: 0 takes any.
            workspace: Only a login of this ChatGPT account is kept.
            make_http: Makes the client that talks to the issuer.
        """
        self._keep = keep
        self._issuer = issuer.rstrip("/")
        self._wanted_port = port
        self._workspace = workspace
        self._make_http = make_http
        self._pkce = new_pkce()
        self._state = secrets.token_urlsafe(32)
        self._exchange = asyncio.Lock()
        self._kept = False
        self._server: asyncio.Server | None = None
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._grace: asyncio.TimerHandle | None = None
        self._serving: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            CredentialError: The port is taken and stays so.
        """
        self._server = await _listen(self._serve, self._wanted_port)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        if self._grace is not None:
            self._grace.cancel()
        assert self._server is not None  # noqa: S101 (entered before left)
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()
        if self._done.done() and not self._done.cancelled():
            self._done.exception()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None  # noqa: S101 (asked inside the context)
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def redirect_uri(self) -> str:
        """Where the issuer sends the browser back to."""
        return f"http://localhost:{self.port}/auth/callback"

    @property
    def url(self) -> str:
        """The issuer's page to open in a browser."""
        query = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": self.redirect_uri,
            "scope": "openid profile email offline_access",
            "code_challenge": self._pkce.challenge,
            "code_challenge_method": "S256",
            "id_token_add_organizations": "true",
            "codex_cli_simplified_flow": "true",
            "state": self._state,
        }
        if self._workspace:
            query["allowed_workspace_id"] = self._workspace
        return f"{self._issuer}/oauth/authorize?{urllib.parse.urlencode(query)}"

    async def wait(self) -> None:
        """Until the login is kept.

        Raises:
            CredentialError: It was refused, cancelled, or could not be kept.
        """
        await self._done

    def cancel(self) -> None:
        """End `wait` without a login."""
        self._end(CredentialError("The login was not completed."))

    def _end(self, error: CredentialError | None) -> None:
        if self._done.done():
            return
        if error is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(error)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, then close."""
        finish: Callable[[], None] | None = None
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (a coroutine runs in a task)
        self._serving.add(task)
        try:
            async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
            answer, finish = await self._answer(head)
            writer.write(_encoded(answer))
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            pass  # who does not finish a small request gets no answer
        finally:
            self._serving.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            if finish is not None:
                finish()

    async def _answer(self, head: bytes) -> tuple[_Answer, Callable[[], None] | None]:
        """The answer to a request, and what is to be done once it was sent."""
        request, headers = _parsed(head)
        if request is None:
            return _told(HTTPStatus.BAD_REQUEST, "Bad request", "This is not an HTTP request."), None
        method, target = request
        if headers.get("host") not in {f"localhost:{self.port}", f"127.0.0.1:{self.port}"}:
            return _told(HTTPStatus.FORBIDDEN, "Refused", "This server answers to localhost only."), None
        if method != "GET":
            return _told(HTTPStatus.METHOD_NOT_ALLOWED, "Refused", "Only GET is answered."), None
        path, _, query = target.partition("#")[0].partition("?")
        match path:
            case "/auth/callback":
                return await self._callback(dict(urllib.parse.parse_qsl(query)))
            case "/success" if self._kept:
                text = "You can close this page and go back to your terminal."
                return _told(HTTPStatus.OK, "You are logged in", text), lambda: self._end(None)
            case "/cancel" if headers.get("sec-fetch-site", "none") in {"none", "same-origin"}:
                text = "The login was cancelled. You can close this page."
                return _told(HTTPStatus.OK, "Cancelled", text), self.cancel
            case _:
                return _told(HTTPStatus.NOT_FOUND, "Not found", "There is nothing here."), None

    async def _callback(self, query: dict[str, str]) -> tuple[_Answer, Callable[[], None] | None]:
        if not hmac.compare_digest(query.get("state", "").encode(), self._state.encode()):
            return _told(HTTPStatus.BAD_REQUEST, "State mismatch", "This page does not belong to the login."), None
        if refused := query.get("error"):
            why = refused if refused.replace("_", "").isalnum() and refused.isascii() else "no reason given"
            error = CredentialError(f"The login was refused: {why[:40]}.")
            text = f"The login was refused ({why[:40]}). You can close this page."
            return _told(HTTPStatus.FORBIDDEN, "Not logged in", text), lambda: self._end(error)
        code = query.get("code")
        if not code:
            return _told(HTTPStatus.BAD_REQUEST, "Code missing", "The address has no authorization code."), None
        async with self._exchange:
            if self._kept:
                return _told(HTTPStatus.OK, "You are logged in", "You can close this page."), None
            try:
                login = await self._exchanged(code)
            except CredentialError as error:
                text = f"{error} You can try again from the login page."
                return _told(HTTPStatus.INTERNAL_SERVER_ERROR, "The login did not work", text), None
            assert login.tokens is not None  # noqa: S101 (a login in the browser gives tokens)
            if self._workspace and login.tokens.account_id != self._workspace:
                error = CredentialError("The login belongs to another workspace than the settings allow.")
                return _told(HTTPStatus.FORBIDDEN, "Not logged in", str(error)), lambda: self._end(error)
            try:
                await asyncio.to_thread(self._keep, login)
            except CredentialError as error:
                text = str(error)
                broken = error
                return _told(HTTPStatus.INTERNAL_SERVER_ERROR, "Not logged in", text), lambda: self._end(broken)
            self._kept = True
        self._grace = asyncio.get_running_loop().call_later(_GRACE_S, self._end, None)
        return _Answer(HTTPStatus.FOUND, b"", location=f"http://localhost:{self.port}/success"), None

    async def _exchanged(self, code: str) -> StoredLogin:
        async with self._make_http() as http:
            tokens = await exchange_code(
                http, self._issuer, code=code, redirect_uri=self.redirect_uri, verifier=self._pkce.verifier
            )
            return new_login(tokens, await api_key_for(http, self._issuer, tokens.id_token))


async def _listen(serve: Any, port: int) -> asyncio.Server:
    """A server on the port; a login that was forgotten in another terminal is asked to make room."""
    for attempt in range(10):
        try:
            return await asyncio.start_server(serve, "127.0.0.1", port, limit=_MAX_REQUEST_BYTES)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise CredentialError(f"Port {port} cannot be opened: {error.strerror or error}.") from error
        if attempt == 0 and not await _cancel_other(port):
            break
        await asyncio.sleep(0.1)
    raise CredentialError(
        f"Port {port} on this machine is in use, and the login needs it; end the program that uses it, or run"
        " `codex login --device-auth`."
    )


async def _cancel_other(port: int) -> bool:
    """Ask whoever listens to cancel its login; False when it is not a login of ours or upstream's."""
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"GET /cancel HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode())
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return False


def _parsed(head: bytes) -> tuple[tuple[str, str] | None, dict[str, str]]:
    """Method and target, and the headers by lower-case name."""
    try:
        first, *lines = head.decode("ascii").split("\r\n")
        method, target, version = first.split(" ")
    except (UnicodeDecodeError, ValueError):
        return None, {}
    if not version.startswith("HTTP/1.") or not target.startswith("/"):
        return None, {}
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return (method, target), headers


def _told(status: HTTPStatus, title: str, text: str) -> _Answer:
    return _Answer(status, page(title, text))


def _encoded(answer: _Answer) -> bytes:
    headers = [
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(answer.body)}",
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'",
        "Cache-Control: no-store",
        "Referrer-Policy: no-referrer",
        "X-Content-Type-Options: nosniff",
        "X-Frame-Options: DENY",
        "Connection: close",
    ]
    if answer.location is not None:
        headers.append(f"Location: {answer.location}")
    return ("\r\n".join(headers) + "\r\n\r\n").encode() + answer.body
