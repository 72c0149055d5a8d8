"""Panel's Tornado application: one document a tab, its websocket, and the few static files that both need.

Bokeh and Panel bring more routes (`autoload.js`, `/metadata`, an index, `/components/<module>`, which imports what the
address names): none of them is here. The rules of this application are written out below, and there are no others.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, cast

import msgspec
import panel as pn
from bokeh.server.tornado import BokehTornado
from bokeh.server.views.static_handler import StaticHandler
from panel.io.application import Application
from panel.io.handlers import FunctionHandler
from panel.io.resources import LOCAL_DIST, patch_model_css
from panel.io.server import DocHandler, WSHandler
from panel.io.state import set_curdoc
from tornado.ioloop import IOLoop
from tornado.web import GZipContentEncoding, HTTPError, OutputTransform, StaticFileHandler

from codex_app.mount import PREFIX
from codex_app.pages import Refused
from codex_app.security import MAX_MESSAGE_BYTES, headers_for
from codex_app.views.inspector import Asked, Inspector, asked_for, build
from codex_app.views.plots import Plots
from codex_app.views.settings import SettingsView

if TYPE_CHECKING:
    from tornado.httputil import HTTPHeaders, HTTPServerRequest

    from codex_app.desk import Desk

DOCUMENT = "/inspector"
_TOKEN_S = 30 * 86400
"""A laptop may sleep for long; Bokeh's own five minutes would end a tab that comes back."""
_SCRIPTS = (
    "static/js/bokeh.min.js",
    "static/js/bokeh-widgets.min.js",
    "static/js/bokeh-tables.min.js",
    f"{LOCAL_DIST}panel.min.js",
)


def serve_panel(desk: Desk, host: str) -> BokehTornado:
    """The application, on the running loop; started. `stop` ends it."""
    pn.extension(design="native", notifications=False, console_output="disable", inline=False)
    application = BokehTornado(
        {DOCUMENT: Documents(desk)},
        prefix=PREFIX,
        extra_websocket_origins=[host],
        use_index=False,
        redirect_root=False,
        include_headers=["Host"],
        include_cookies=[],
        session_token_expiration=_TOKEN_S,
        websocket_max_message_size_bytes=MAX_MESSAGE_BYTES,
        default_handler_class=Refused,
        transforms=[Headers, GZipContentEncoding],
        log_function=lambda handler: None,
    )
    context = {
        "application_context": application.applications[DOCUMENT],
        "bokeh_websocket_path": f"{PREFIX}{DOCUMENT}/ws",
    }
    rules = [
        (f"{PREFIX}{DOCUMENT}", Frame, context),
        (f"{PREFIX}{DOCUMENT}/ws", Socket, context),
        (rf"{PREFIX}/static/(js/(?:bokeh|bokeh-widgets|bokeh-tables)\.min\.js)", StaticHandler),
        (
            rf"{PREFIX}/{LOCAL_DIST}((?:panel\.min\.js|css/[a-z_]+\.css|bundled/theme/[a-z_]+\.css))",
            StaticFileHandler,
            {"path": str(pn.io.resources.DIST_DIR)},
        ),
    ]
    application.wildcard_router.rules.clear()
    application.wildcard_router.add_rules(rules)
    application.initialize(IOLoop.current())
    application.start()
    return application


class Documents(Application):
    """Makes a document for each frame; its figures are built in a thread, while the conversation goes on."""

    def __init__(self, desk: Desk) -> None:
        """Show this desk's threads; made on the loop that the desk belongs to."""
        super().__init__(FunctionHandler(self._fill))
        self._desk = desk
        self._loop = asyncio.get_running_loop()
        self._built: dict[str, tuple[Asked, Plots | None]] = {}

    async def on_session_created(self, session_context: Any) -> None:
        """Bokeh asks before it fills a new document."""
        await super().on_session_created(session_context)
        asked = asked_for(session_context.request.arguments)
        plots = None if asked.view == "settings" else await asyncio.to_thread(build, self._desk.home, asked)
        self._built[session_context.id] = (asked, plots)

    def _fill(self, document: Any) -> None:
        with set_curdoc(document):
            asked, plots = self._built.pop(document.session_context.id)
            if plots is None:
                SettingsView(self._desk, asked.thread_id, self._loop)
            else:
                Inspector(self._desk, asked, plots, self._loop)


class Headers(OutputTransform):
    """The headers that all of the page's answers carry, on what Bokeh's handlers answer."""

    def __init__(self, request: HTTPServerRequest) -> None:
        self._host = request.host
        self._framed = request.path == f"{PREFIX}{DOCUMENT}"

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Add those that the handler has not set."""
        for name, value in headers_for(self._host, secrets.token_urlsafe(16), framed=self._framed).items():
            if name == "Server" or name not in headers:
                headers[name] = value
        if status_code == 200 and not self._framed:  # files with their hash in the address
            headers["Cache-Control"] = "private, max-age=31536000, immutable"
        return status_code, headers, chunk


class Frame(DocHandler):
    """The document of one inspector: our own small page, in which Bokeh draws into places of ours."""

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """A page with a session of its own; an address never names one."""
        if any(name.startswith("bokeh-") for name in self.request.arguments):
            raise HTTPError(403)
        session: Any = await cast("Any", self.get_session)()
        document = session.document
        dist = f"{PREFIX}/{LOCAL_DIST}"
        with set_curdoc(document):
            for root in document.roots:
                patch_model_css(root, dist_url=dist)
        nonce = secrets.token_urlsafe(16)
        for name, value in headers_for(self.request.host, nonce, framed=True).items():
            self.set_header(name, value)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        places = [[root.name, root.id] for root in document.roots]
        asked = asked_for(self.request.arguments)
        told = (
            msgspec.json.encode({"token": session.token, "places": places, "view": asked.view})
            .decode()
            .replace("<", "\\u003c")
        )
        scripts = "".join(f'<script nonce="{nonce}" src="{PREFIX}/{script}"></script>' for script in _versioned())
        self.finish(
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Inspector</title>'
            f'<link rel="stylesheet" href="/assets/frame.css">{scripts}'
            f'<script nonce="{nonce}" type="module" src="/assets/frame.js"></script></head>'
            f'<body class="codex"><script nonce="{nonce}" type="application/json" id="told">'
            f"{told}</script></body></html>"
        )


class Socket(WSHandler):
    """Bokeh's websocket, without the delay that holds back small frames."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """A document wants to be kept up to date."""
        self.set_nodelay(True)
        return super().open(*args, **kwargs)


def _versioned() -> list[str]:
    """The scripts with a hash of what is in them, so that browsers may keep them."""
    found = []
    for script in _SCRIPTS:
        if script.startswith(LOCAL_DIST):
            hashed = StaticFileHandler.get_version({"static_path": str(pn.io.resources.DIST_DIR)}, "panel.min.js")
            found.append(f"{script}?v={hashed}")
        else:
            found.append("static/" + StaticHandler.append_version(script.removeprefix("static/")))
    return found
