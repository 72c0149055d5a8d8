"""Contents of files as they were, kept for a thread: one file that only grows, each content once."""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

try:
    from _blake2 import blake2b  # the same one: hashlib brings OpenSSL, for which a first patch would wait 5 ms
except ImportError:  # an implementation that has no such module
    from hashlib import blake2b

MAX_BYTES = 256 << 20
"""When the pack is so large, nothing more is kept for the thread."""


class Pack:
    """Contents by reference. A reference says all that is needed to read it: `kept:BLAKE2B:OFFSET:LENGTH`."""

    def __init__(self, path: Path) -> None:
        """Use the file at `path`; it is made with the first content."""
        self._path = path
        self._known: dict[str, str] = {}
        self._stream: BinaryIO | None = None
        self._end = 0
        """Where the next content goes, while the file is open."""

    @contextlib.contextmanager
    def many(self) -> Generator[None]:
        """The file is opened once for all contents kept in here; they are in it afterwards.

        Raises:
            OSError: They could not be written.
        """
        try:
            yield
        finally:
            stream, self._stream = self._stream, None
            if stream is not None:
                stream.close()

    def keep(self, content: bytes) -> str:
        """The reference of a content; empty when there is no room for it. Within `many`.

        Raises:
            OSError: It could not be written.
        """
        digest = _digest(content)
        if digest not in self._known:
            packed = zlib.compress(content, 1)
            if self._stream is None:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._stream = os.fdopen(descriptor, "ab")
                self._end = self._stream.seek(0, os.SEEK_END)
            if self._end + len(packed) > MAX_BYTES:
                return ""
            self._stream.write(packed)
            self._known[digest] = f"kept:{digest}:{self._end}:{len(packed)}"
            self._end += len(packed)
        return self._known[digest]

    def knows(self, reference: str) -> None:
        """Take in a reference of an earlier process, so that the same content is not kept twice."""
        self._known.setdefault(reference.split(":")[1], reference)

    def read(self, reference: str) -> bytes | None:
        """The content; None when it is not there or not what it was."""
        _, digest, offset, length = reference.split(":")
        try:
            with open(self._path, "rb") as stream:
                stream.seek(int(offset))
                content = zlib.decompress(stream.read(int(length)))
        except (OSError, zlib.error):
            return None
        return content if _digest(content) == digest else None


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=32).hexdigest()
