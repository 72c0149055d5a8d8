"""Directories for sockets that homes with long paths have under /var/tmp (`codex_store/home.py`)."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

RECORD = "socket-dir"


def remove_socket_dirs(below: Path) -> None:
    """Remove those of all homes below a directory; whoever uses such a home again gets a new one."""
    for folder, _, files in os.walk(below):
        if RECORD in files:
            with contextlib.suppress(OSError, UnicodeDecodeError):  # a test may have left anything there
                made = Path(folder, RECORD).read_text("utf-8")
                if Path(made).match("/var/tmp/cdx*"):
                    shutil.rmtree(made, ignore_errors=True)
