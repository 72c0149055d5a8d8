"""The routes of files: one comes by POST, images go out by id."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote

import msgspec
from tornado.web import HTTPError, stream_request_body

from codex_app.desk import Desk
from codex_app.pages import Page
from codex_app.uploads import MAX_IMAGE_BYTES, Uploads
from codex_protocol.errors import UsageError

UPLOAD = "/upload"
_MAX_NAME_BYTES = 1000


@stream_request_body
class UploadFile(Page):
    """`POST /upload`: the body is the file, `X-Name` its name, percent-encoded.

    Answers with what is kept, or with the `problem` why it is not.
    """

    def initialize(self, uploads: Uploads) -> None:
        """Take where files are kept."""
        self._uploads = uploads
        self._data = bytearray()

    def prepare(self) -> None:
        """Refuse before anything is read what is too large."""
        if self.request.method != "POST":
            raise HTTPError(405)
        if int(self.request.headers.get("Content-Length", "0")) > MAX_IMAGE_BYTES:
            raise HTTPError(413, reason="a file may have 20 MiB at most")
        connection = self.request.connection
        if connection is not None and hasattr(connection, "set_max_body_size"):
            connection.set_max_body_size(MAX_IMAGE_BYTES)  # pyright: ignore[reportAttributeAccessIssue]

    def data_received(self, chunk: bytes) -> None:
        """The next piece."""
        self._data += chunk

    async def post(self) -> None:
        """Keep it."""
        name = unquote(self.request.headers.get("X-Name", "")[:_MAX_NAME_BYTES])
        self.set_header("Content-Type", "application/json")
        try:
            kept = await asyncio.to_thread(self._uploads.add, bytes(self._data), name)
        except UsageError as error:
            self.finish(msgspec.json.encode({"problem": str(error)}))
            return
        self.finish(msgspec.json.encode(kept))


class UploadedImage(Page):
    """`GET /upload/ID`: an image that was given to the page."""

    def initialize(self, uploads: Uploads) -> None:
        """Take where files are kept."""
        self._uploads = uploads

    async def get(self, id: str) -> None:
        """The image."""
        try:
            upload = self._uploads.find(id)
        except UsageError:
            raise HTTPError(404) from None
        if not upload.kind.startswith("image/"):
            raise HTTPError(404)
        try:
            data = await asyncio.to_thread(self._uploads.path(upload).read_bytes)
        except OSError:
            raise HTTPError(404) from None
        self.set_header("Content-Type", upload.kind)
        self.finish(data)


class ThreadImage(Page):
    """`GET /picture/THREAD/ID`: an image of a thread that is open here."""

    def initialize(self, desk: Desk) -> None:
        """Take whose threads these are."""
        self._desk = desk

    async def get(self, thread: str, id: str) -> None:
        """The image."""
        room = self._desk.opened(thread)
        found = None if room is None else await asyncio.to_thread(room.hub.drawing.pictures.read, id)
        if found is None:
            raise HTTPError(404)
        kind, data = found
        self.set_header("Content-Type", kind)
        self.finish(data)
