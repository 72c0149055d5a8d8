"""Files that a person gave to the page: kept under ids made from their content, sent to the agent with a message.

They lie in the home, which commands cannot see. An image goes to the model as an image; a text file as its text.
What is served is named by id, never by path, and only when it is an image by its first bytes.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path

import msgspec

from codex_protocol.errors import UsageError
from codex_protocol.ops import LocalImageInput, TextInput, UserInputItem
from codex_render.safe_text import one_line
from codex_store.home import Home

MAX_IMAGE_BYTES = 20 << 20
MAX_TEXT_BYTES = 256 << 10
_KEPT_S = 30 * 86400.0
_MAX_NAME = 200
_ID = re.compile(r"[0-9a-f]{40}")
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_ENDINGS = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp", "text/plain": ".txt"}


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is kept."""

    id: str
    name: str
    kind: str
    """`image/…` or `text/plain`."""
    size: int


class Uploads:
    """The files of one home."""

    def __init__(self, home: Home) -> None:
        """Nothing is made before there is a file."""
        self._home = home
        self._folder = home.workbench / "uploads"

    def add(self, data: bytes, name: str) -> Upload:
        """Keep a file.

        Raises:
            UsageError: It is empty, too large, or neither an image that models take nor text.
        """
        name = one_line(os.path.basename(name.replace("\\", "/")))[:_MAX_NAME] or "file"
        if not data:
            raise UsageError(f"{name} is empty")
        kind = image_kind(data)
        if kind is None:
            kind = "text/plain"
            if len(data) > MAX_TEXT_BYTES:
                raise UsageError(f"{name} is larger than 256 KiB; put it into the directory and name it with @")
            if not _is_text(data):
                raise UsageError(f"{name} is neither text nor a PNG, JPEG, GIF or WebP image")
        elif len(data) > MAX_IMAGE_BYTES:
            raise UsageError(f"{name} is larger than 20 MiB")
        id = hashlib.sha256(kind.encode() + b"\0" + name.encode() + b"\0" + data).hexdigest()[:40]
        upload = Upload(id=id, name=name, kind=kind, size=len(data))
        self._write(upload, data)
        return upload

    def find(self, id: str) -> Upload:
        """A file by its id.

        Raises:
            UsageError: There is none (any more).
        """
        if _ID.fullmatch(id):
            try:
                return msgspec.json.decode((self._folder / f"{id}.json").read_bytes(), type=Upload)
            except (OSError, msgspec.DecodeError):
                pass
        raise UsageError("an attached file is not there any more; attach it again")

    def path(self, upload: Upload) -> Path:
        """Where its content lies."""
        return self._folder / f"{upload.id}{_ENDINGS[upload.kind]}"

    def of_path(self, path: str) -> Upload | None:
        """The file whose content lies there; None for all other paths."""
        given = Path(path)
        if given.parent != self._folder or not _ID.fullmatch(given.stem):
            return None
        try:
            return self.find(given.stem)
        except UsageError:
            return None

    def as_input(self, id: str) -> UserInputItem:
        """What the agent is given of it.

        Raises:
            UsageError: It is not there any more.
        """
        upload = self.find(id)
        if upload.kind != "text/plain":
            return LocalImageInput(str(self.path(upload)))
        try:
            text = self.path(upload).read_text(encoding="utf-8")
        except OSError:
            raise UsageError(f"{upload.name} is not there any more; attach it again") from None
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
        return TextInput(f"{upload.name}:\n{fence}\n{text.rstrip()}\n{fence}")

    def forget_old(self) -> None:
        """Remove what nobody has used for thirty days; rollouts hold the images that were sent."""
        try:
            entries = list(self._folder.iterdir())
        except OSError:
            return
        for entry in entries:
            try:
                if entry.stat().st_mtime < time.time() - _KEPT_S:
                    entry.unlink()
            except OSError:
                continue

    def _write(self, upload: Upload, data: bytes) -> None:
        self._home.ensure()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for path, content in ((self.path(upload), data), (self._folder / f"{upload.id}.json", _encode(upload))):
            part = path.with_name(f".{path.name}.{os.getpid()}")
            fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(content)
            os.replace(part, path)


def image_kind(data: bytes) -> str | None:
    """The type of an image that browsers and models take, by its first bytes; None for everything else."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def _encode(upload: Upload) -> bytes:
    return msgspec.json.encode(upload)
