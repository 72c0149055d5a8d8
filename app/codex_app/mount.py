"""Where Panel hangs in the server: it is imported when somebody needs it, and the page lives without it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from tornado.routing import Router

from codex_app.importing import import_beside
from codex_app.pages import Page, Refused
from codex_render.safe_text import one_line

if TYPE_CHECKING:
    from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
    from tornado.web import Application

    from codex_app.desk import Desk

log = logging.getLogger(__name__)

PREFIX = "/panel"
READY = f"{PREFIX}/ready"
"""Answers when Panel can be used: 204, or 503 with the sentence why not."""


class PanelMount(Router):
    """Everything below `/panel`, once the page's application asks for it; the gate stands before it as before all.

    Args:
        desk: Whose threads are shown.
        application: The page's, whose handlers answer until Panel's do.
        host: What the page is reached by, as `127.0.0.1:7331`.
    """

    def __init__(self, desk: Desk, application: Application, host: str) -> None:
        self._application = application
        self.problem = ""
        """Why there is no Panel, in one sentence."""
        self._desk = desk
        self._host = host
        self.panel: Any = None
        """Panel's Tornado application, once it is there."""
        self._loading: asyncio.Task[None] | None = None

    def warm(self) -> asyncio.Task[None]:
        """Begin to import Panel, in a thread, unless that has begun; the loop goes on meanwhile."""
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._load())
        return self._loading

    async def ready(self) -> bool:
        """Whether Panel is there, once that is known."""
        await asyncio.shield(self.warm())
        return self.panel is not None

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        """Panel's handler for the few paths that it serves."""
        if request.path == READY:
            return self._application.get_handler_delegate(request, Ready, {"mount": self})
        if self.panel is None:
            return self._application.get_handler_delegate(request, Refused)
        return self.panel.find_handler(request, **kwargs)

    def close(self) -> None:
        """End Panel's sessions."""
        if self._loading is not None:
            self._loading.cancel()
        if self.panel is not None:
            self.panel.stop(wait=False)  # Bokeh 3.10 waits on no loop that runs

    async def _load(self) -> None:
        try:
            await import_beside("codex_app.views.served")
            from codex_app.views.served import serve_panel

            self.panel = serve_panel(self._desk, self._host)
        except Exception as error:  # whatever is wrong with it, the conversation goes on
            log.warning("Panel cannot be used", exc_info=True)
            self.problem = f"Plots and settings are not there, because Panel cannot be loaded: {one_line(str(error))}"


class Ready(Page):
    """Whether Panel can be used."""

    def initialize(self, mount: PanelMount) -> None:
        """Take the mount that knows."""
        self._mount = mount

    async def get(self) -> None:
        """Answer when it is known."""
        if await self._mount.ready():
            self.set_status(204)
            return
        self.set_status(503)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        await self.finish(self._mount.problem)
