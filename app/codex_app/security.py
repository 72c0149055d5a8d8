"""The one gate before every route: who may pass, by Host, Origin, fetch metadata and cookie; and all answers' headers.

A browser on this machine also shows other people's pages, and other users' programs can open our port. So a request
passes only when it was meant for this server (Host), comes from our own page or a person's own navigation (Origin,
Sec-Fetch-Site), and carries the cookie that a one-time link was exchanged for. Everything here but `install` is pure.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest
    from tornado.web import Application

COOKIE_DAYS = 30
MAX_MESSAGE_BYTES = 4 << 20
"""What a tab may say at once."""
ENTRY = "/open"
"""The only path without a cookie: turns a one-time link into one. Its GET changes nothing: a preview burns nothing."""
_PUBLIC = frozenset({ENTRY, "/assets/open.js", "/assets/open.css", "/assets/icon.svg"})
_LINK_S = 15 * 60.0
_MAX_LINKS = 32
_MAX_FAILURES = 20
_FAILURES_S = 60.0
_SAFE_METHODS = frozenset({"GET", "HEAD"})

Verdict = Literal["pass", "forbidden", "no_cookie"]


class Asked(NamedTuple):
    """What of a request decides whether it passes."""

    method: str
    path: str
    host: str
    headers: Mapping[str, str]
    cookie: str | None
    """The value of our cookie."""


class Gate:
    """Decides over requests to one port.

    Args:
        port: The server's; cookies do not know ports, so it is part of the cookie's name.
        key: Signs cookies; whoever has it may pass.
        now: Seconds since 1970.
    """

    def __init__(self, port: int, key: bytes, now: Callable[[], float] = time.time) -> None:
        self.cookie_name = f"codex_page_{port}"
        self._hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})
        self._key = key
        self._now = now
        self._links: dict[str, float] = {}
        self._failures: deque[float] = deque(maxlen=_MAX_FAILURES)

    def judge(self, asked: Asked) -> Verdict:
        """Whether a request passes; first by where it comes from, then by its cookie."""
        if asked.host.lower() not in self._hosts:
            return "forbidden"
        if not _from_our_page(asked):
            return "forbidden"
        if asked.path in _PUBLIC or self.knows(asked.cookie):
            return "pass"
        return "no_cookie"

    # The one-time link

    def new_token(self) -> str:
        """A token for one link, good once and for a quarter of an hour."""
        token = secrets.token_urlsafe(32)
        while len(self._links) >= _MAX_LINKS:
            del self._links[next(iter(self._links))]
        self._links[_digest(token)] = self._now() + _LINK_S
        return token

    def exchange(self, token: str) -> str | None:
        """The cookie's value for a token, which is spent with it; None when it is not good (any more)."""
        if self.throttled():
            return None
        ends = self._links.pop(_digest(token), 0.0)
        if ends < self._now():
            self._failures.append(self._now())
            return None
        return self.new_cookie()

    def throttled(self) -> bool:
        """Whether so many tokens were wrong lately that none is looked at."""
        return len(self._failures) == _MAX_FAILURES and self._failures[0] > self._now() - _FAILURES_S

    # The cookie

    def new_cookie(self) -> str:
        """A value that `knows` accepts for thirty days."""
        body = f"1.{int(self._now())}.{secrets.token_urlsafe(12)}"
        return f"{body}.{self._sign(body)}"

    def knows(self, cookie: str | None) -> bool:
        """Whether we made that value and it has not run out."""
        body, _, mark = (cookie or "").rpartition(".")
        if not mark.isascii() or not hmac.compare_digest(mark, self._sign(body)):
            return False
        made = int(body.split(".")[1])
        return 0 <= self._now() - made + 60 <= COOKIE_DAYS * 86400

    def _sign(self, body: str) -> str:
        text = f"{self.cookie_name}.{body}".encode("utf-8", "surrogateescape")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()


def _from_our_page(asked: Asked) -> bool:
    """Whether our own page sent it, or a person who typed or followed an address."""
    origin = asked.headers.get("Origin")
    if origin is not None and origin.lower() != f"http://{asked.host.lower()}":
        return False
    is_socket = asked.headers.get("Upgrade", "").lower() == "websocket"
    if origin is None and (is_socket or asked.method not in _SAFE_METHODS):
        return False
    site = asked.headers.get("Sec-Fetch-Site", "same-origin")
    if site == "same-origin":
        return True
    # "none" is the address bar. A link elsewhere may lead to us, but may not frame us or fetch anything.
    navigates = asked.headers.get("Sec-Fetch-Mode") == "navigate" and asked.headers.get("Sec-Fetch-Dest") == "document"
    return asked.method in _SAFE_METHODS and not is_socket and (site == "none" or navigates)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def headers_for(host: str, nonce: str, *, framed: bool = False) -> dict[str, str]:
    """The headers of every answer. Scripts and styles run by nonce alone; nothing is loaded from elsewhere.

    Args:
        host: As the request names it.
        nonce: Of this answer.
        framed: For the inspector's document alone, which stands in a frame of the page and whose plots set their own
            styles. The page itself cannot be framed and frames nothing but that.
    """
    styles = "'self' 'unsafe-inline'" if framed else f"'nonce-{nonce}'"
    frames = "frame-src 'none'; frame-ancestors 'self'" if framed else "frame-src 'self'; frame-ancestors 'none'"
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src {styles}; img-src 'self' data:; "
        f"font-src 'self'; connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; {frames}"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN" if framed else "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        "Cache-Control": "no-store",
        "Server": "codex",
    }


def install(app: Application, gate: Gate) -> None:
    """Put the gate before the application's router: what it refuses reaches no handler, of whatever origin."""
    from codex_app.pages import Forbidden, NoCookie

    inner = app.find_handler

    def find_handler(request: HTTPServerRequest, **kwargs: object) -> object:
        try:
            morsel = request.cookies.get(gate.cookie_name)
        except Exception:  # a header that is no cookie
            morsel = None
        hosts = request.headers.get_list("Host")
        host = hosts[0] if len(hosts) == 1 else ""
        cookie = None if morsel is None else morsel.value
        asked = Asked(request.method or "", request.path, host, request.headers, cookie)
        match gate.judge(asked):
            case "pass":
                return inner(request, **kwargs)
            case "no_cookie":
                return app.get_handler_delegate(request, NoCookie)
            case _:
                return app.get_handler_delegate(request, Forbidden)

    app.find_handler = find_handler  # type: ignore[method-assign]
