"""Images that belong to a thread, by ids: the page asks for them by thread and id, and is shown nothing else."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Iterable
from typing import Any

from codex_app.uploads import MAX_IMAGE_BYTES, image_kind
from codex_render.safe_text import one_line

Json = dict[str, Any]


class Pictures:
    """The images of one thread: each a `data:` URL or a path that a person, the model or a server named."""

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}

    def take(self, sources: Iterable[str], cwd: str = "") -> list[Json]:
        """Remember images; how the page refers to them.

        Args:
            sources: `data:` URLs and paths; addresses elsewhere are passed over: nothing is fetched.
            cwd: What relative paths mean.
        """
        return [view for source in sources if (view := self._take(source, cwd)) is not None]

    def source(self, id: str) -> str | None:
        """Where an image comes from; None for an id that is none of this thread's."""
        return self._sources.get(id)

    def read(self, id: str) -> tuple[str, bytes] | None:
        """An image's type and bytes; None when there is none, or what is there is no image."""
        source = self._sources.get(id)
        data = None if source is None else content_of(source)
        kind = None if data is None else image_kind(data)
        return None if data is None or kind is None else (kind, data)

    def _take(self, source: str, cwd: str) -> Json | None:
        if source.startswith("data:"):
            name = "image"
        elif "://" in source:
            return None
        else:
            source = os.path.join(cwd, source)
            name = os.path.basename(source)
        id = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:40]
        self._sources[id] = source
        return {"id": id, "name": one_line(name)}


def content_of(source: str) -> bytes | None:
    """The bytes of a `data:` URL or of a regular file that is not too large; None when they cannot be had."""
    if source.startswith("data:"):
        try:
            return base64.b64decode(source.partition(",")[2], validate=True)
        except (binascii.Error, ValueError):
            return None
    try:
        # Asked of what was opened: a pipe would hold us up for ever, and a device has no end.
        with open(os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            data = file.read(MAX_IMAGE_BYTES + 1)
    except (OSError, ValueError):
        return None
    return data if len(data) <= MAX_IMAGE_BYTES else None
