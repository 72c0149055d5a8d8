"""Local images as the model takes them: read, recognised by their first bytes, made into a `data:` URL."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Callable
from pathlib import Path

from codex_kernel.sandbox.reading import open_permitted
from codex_protocol.items import InputImage

MAX_BYTES = 20 * 1024 * 1024
"""Providers refuse larger ones."""

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
)


class UnreadableImage(Exception):
    """The file cannot be used as an image; the message says why."""


def load_image(path: Path, may_read: Callable[[Path], bool]) -> InputImage:
    """The image at `path`.

    Args:
        path: Absolute.
        may_read: As `Sandbox.may_read`.

    Raises:
        UnreadableImage: Missing, hidden, unreadable, larger than 20 MiB, or not a PNG, JPEG, GIF, BMP or WebP.
    """
    try:
        # Asked of what was opened: a pipe would hold us up for ever, and a device has no end.
        with open(open_permitted(path, may_read), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UnreadableImage(f"{path} is not a regular file")
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise UnreadableImage(f"{path} is larger than 20 MiB")
    except OSError as error:
        raise UnreadableImage(f"{path} cannot be read: {error.strerror or error}") from error
    mime = _mime_of(data)
    if mime is None:
        raise UnreadableImage(f"{path} is not a PNG, JPEG, GIF, BMP or WebP image")
    return InputImage(f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}")


def _mime_of(data: bytes) -> str | None:
    for magic, mime in _MAGIC:
        if data.startswith(magic):
            return mime
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None
