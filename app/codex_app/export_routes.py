"""The routes of exports: a thread as a file to keep, and which secrets stand in it. Both only read."""

from __future__ import annotations

import asyncio

import msgspec
from tornado.web import HTTPError

from codex_app.pages import Page
from codex_client.export.thread import MIME_TYPES, Exported, Format, export_thread, format_of
from codex_protocol.errors import RolloutError
from codex_store.home import Home
from codex_store.threads import find_thread

ROUTES = r"/export/([0-9a-f-]{36})"


class _Export(Page):
    def initialize(self, home: Home) -> None:
        """Take whose threads these are."""
        self._home = home

    async def _exported(self, thread: str, to: Format, *, redact: bool) -> Exported:
        try:
            info = await asyncio.to_thread(find_thread, self._home, thread)
            return await asyncio.to_thread(export_thread, self._home, info, to, redact=redact)
        except RolloutError:
            raise HTTPError(404) from None


class ThreadFile(_Export):
    """`GET /export/THREAD.FORM`: the file; with `?secrets=keep` nothing is taken out of it."""

    async def get(self, thread: str, form: str) -> None:
        """The file, to be saved and never shown here."""
        redact = self.get_query_argument("secrets", "") != "keep"
        exported = await self._exported(thread, format_of(form), redact=redact)
        self.set_header("Content-Type", f"{MIME_TYPES[exported.format]}; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="{exported.file_name}"')
        self.finish(exported.text)


class ThreadSecrets(_Export):
    """`GET /export/THREAD`: what would be taken out, as `{"found": [{"kind", "preview", "times"}, …]}`."""

    async def get(self, thread: str) -> None:
        """The list."""
        exported = await self._exported(thread, "html", redact=True)
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode({"found": [finding._asdict() for finding in exported.found]}))
