"""The log file of `CODEX_LOG_FILE`: for its owner alone, and begun anew before it grows large."""

from __future__ import annotations

import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler

MAX_BYTES = 5 << 20
OLDER_FILES = 3


class LogFile(RotatingFileHandler):
    """Appends to a file; past `MAX_BYTES` it is put aside, and the oldest of those goes."""

    def __init__(self, file: str) -> None:
        """Open it.

        Raises:
            OSError: It cannot be written.
        """
        super().__init__(file, maxBytes=MAX_BYTES, backupCount=OLDER_FILES, encoding="utf-8", errors="replace")

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return open(descriptor, "a", encoding=self.encoding, errors=self.errors)
