"""All that draws and opens threads, and its routes: what the server loads once it listens."""

from __future__ import annotations

import secrets
from typing import Any

from tornado.web import Application

from codex_app.desk import Desk
from codex_app.export_routes import ROUTES as EXPORT
from codex_app.export_routes import ThreadFile, ThreadSecrets
from codex_app.file_routes import UPLOAD, ThreadImage, UploadedImage, UploadFile
from codex_app.link import Link, Tabs
from codex_app.mount import PREFIX, PanelMount
from codex_app.uploads import Uploads
from codex_store.home import Home


class Workbench:
    """The threads of a home and the tabs that show them.

    Args:
        home: Whose threads.
        application: The server's, which answers what is not here.
        host: What the page is reached by, as `127.0.0.1:7331`.
    """

    def __init__(self, home: Home, application: Application, host: str) -> None:
        self.desk = Desk(home)
        self.panel = PanelMount(self.desk, application, host)
        self._tabs = Tabs(self.desk, on_shown=self.panel.warm)
        self._uploads = Uploads(home)
        self._uploads.forget_old()

    def routes(self) -> list[Any]:
        """Rules of Tornado's."""
        uploads = {"uploads": self._uploads}
        link = {"desk": self.desk, "tabs": self._tabs, **uploads, "server": secrets.token_hex(6)}
        return [
            (rf"{PREFIX}/.*", self.panel),
            (UPLOAD, UploadFile, uploads),
            (rf"{UPLOAD}/([0-9a-f]{{40}})", UploadedImage, uploads),
            (r"/picture/([0-9a-f-]{36})/([0-9a-f]{40})", ThreadImage, {"desk": self.desk}),
            (EXPORT, ThreadSecrets, {"home": self.desk.home}),
            (rf"{EXPORT}\.(md|html|ipynb|jsonl)", ThreadFile, {"home": self.desk.home}),
            (r"/link", Link, link),
        ]

    async def aclose(self) -> None:
        """Tell nobody any more; threads go on."""
        self.panel.close()
        self._tabs.close()
        for tab in tuple(self._tabs.open):
            tab.close(1001, "the server ends")
        await self.desk.aclose()
