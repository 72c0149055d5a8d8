"""The tools each server listed last, kept for the next start: they are offered before the server is up."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from codex_kernel.mcp_client.interface import ToolFacts

if TYPE_CHECKING:
    from codex_kernel.config.types import McpServer

log = logging.getLogger(__name__)

_MAX_BYTES = 8 * 1024 * 1024
_decoder = msgspec.json.Decoder(tuple[ToolFacts, ...])


class ToolCache:
    """Lists by server; one with other settings is another server."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def read(self, name: str, settings: McpServer) -> tuple[ToolFacts, ...] | None:
        """What the server listed last; None when nothing usable is kept."""
        if self._folder is None:
            return None
        try:
            file = self._file(self._folder, name, settings)
            if file.stat().st_size > _MAX_BYTES:
                return None
            return _decoder.decode(file.read_bytes())
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None

    def write(self, name: str, settings: McpServer, tools: tuple[ToolFacts, ...]) -> None:
        """Keep a list; failing to is no failure of anything."""
        if self._folder is None:
            return
        data = msgspec.json.encode(tools)
        file = self._file(self._folder, name, settings)
        if len(data) > _MAX_BYTES or _holds(file, data):
            return
        fresh = file.with_name(f".{file.name}.{os.getpid()}.tmp")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_bytes(data)
            os.replace(fresh, file)
        except OSError as error:
            log.info("the tools of the MCP server %s are not kept: %s", name, error)
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)

    @staticmethod
    def _file(folder: Path, name: str, settings: McpServer) -> Path:
        identity: Mapping[str, object] = {
            "command": settings.command,
            "args": settings.args,
            "env": settings.env,
            "cwd": settings.cwd,
            "url": settings.url,
            "headers": settings.http_headers,
        }
        digest = hashlib.sha256(msgspec.json.encode(identity, order="sorted")).hexdigest()[:16]
        return folder / f"{name}-{digest}.json"


def _holds(file: Path, data: bytes) -> bool:
    try:
        return file.stat().st_size == len(data) and file.read_bytes() == data
    except OSError:
        return False
