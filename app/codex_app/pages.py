"""The routes of the page: the shell, its own files by name, and the exchange of the one-time link."""

from __future__ import annotations

import html
import logging
import secrets
from typing import Any

from tornado.web import HTTPError, RequestHandler

from codex_app.page_files import assets, import_map, scripts_of, version
from codex_app.security import COOKIE_DAYS, Gate, headers_for

log = logging.getLogger(__name__)

_MAX_TOKEN = 200


class Page(RequestHandler):
    """What all routes share: the headers, and errors without a word about the inside."""

    def set_default_headers(self) -> None:
        """Set before anything is written, in errors too."""
        self.nonce = secrets.token_urlsafe(16)
        for name, value in headers_for(self.request.host, self.nonce).items():
            self.set_header(name, value)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """One sentence."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code}: {self._reason}\n")

    def _html(self, body: str, *, title: str, script: str, style: str) -> None:
        nonce = html.escape(self.nonce)
        loaded = scripts_of(script)
        ahead = "".join(f'<link rel="modulepreload" nonce="{nonce}" href="{address}">' for address in loaded.values())
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light dark">'
            f"<title>{html.escape(title)}</title>"
            f'<script type="importmap" nonce="{nonce}">{import_map(loaded)}</script>{ahead}'
            f'<link rel="icon" href="/assets/icon.svg">'
            f'<link rel="stylesheet" nonce="{nonce}" href="/assets/{style}?v={version()}">'
            f'<script type="module" nonce="{nonce}" src="{loaded[f"/assets/{script}"]}"></script></head>{body}</html>'
        )


class Refused(Page):
    """A path that is none of ours."""

    def prepare(self) -> None:
        """Say so."""
        raise HTTPError(404)


class Forbidden(Page):
    """A request that was not meant for us, or that another page sent."""

    def set_default_headers(self) -> None:
        """As everywhere, without the name it asked for."""
        for name, value in headers_for("127.0.0.1", secrets.token_urlsafe(16)).items():
            self.set_header(name, value)

    def prepare(self) -> None:
        """Answer whatever the method is."""
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish("403: not allowed from here\n")


class NoCookie(Page):
    """A request that lacks the cookie: a person is told where the link comes from, a program gets 403."""

    def prepare(self) -> None:
        """Answer whatever the method is."""
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish("This page opens by the link that `codex` prints. Run `codex` again for a new one.\n")


class Shell(Page):
    """The workbench's one page; everything in it comes over the link."""

    def get(self) -> None:
        """The page, empty."""
        self._html('<body class="codex"></body>', title="Codex", script="page.js", style="page.css")


class Entry(Page):
    """`/open#TOKEN`: the token stands in the fragment, which no server, log or preview gets to see."""

    def initialize(self, gate: Gate) -> None:
        """Take the gate whose links these are."""
        self._gate = gate

    def get(self) -> None:
        """A page that sends the token back by POST."""
        body = '<body><main><h1>Codex</h1><p id="say" role="status">Opening the workbench …</p></main></body>'
        self._html(body, title="Codex", script="open.js", style="open.css")

    def post(self) -> None:
        """Spend the token for a cookie."""
        token = self.request.body[: _MAX_TOKEN + 1].decode("utf-8", "replace")
        if self._gate.throttled():
            raise HTTPError(429)
        cookie = self._gate.exchange(token) if len(token) <= _MAX_TOKEN else None
        if cookie is None:
            log.warning("a link was refused: used before, too old, or none of ours")
            raise HTTPError(403)
        self.set_cookie(
            self._gate.cookie_name, cookie, expires_days=COOKIE_DAYS, path="/", httponly=True, samesite="Strict"
        )
        self.set_status(204)


class Asset(Page):
    """A file of ours, by its name in the table; no path of a request ever names a file on disk."""

    def get(self, name: str) -> None:
        """The file."""
        found = assets().get(name)
        if found is None:
            raise HTTPError(404)
        kind, data = found
        self.set_header("Content-Type", kind)
        kept = self.get_query_argument("v", "") == version()
        self.set_header("Cache-Control", "private, max-age=31536000, immutable" if kept else "no-cache")
        self.finish(data)
