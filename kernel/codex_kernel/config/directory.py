"""The directory a command was started in."""

from __future__ import annotations

import os
from pathlib import Path

from codex_protocol.errors import CodexError


def current_directory() -> Path:
    """The process's directory.

    Raises:
        CodexError: It was removed.
    """
    try:
        return Path(os.getcwd())
    except OSError as error:
        raise CodexError("the current directory does not exist any more; go to another one or use -C DIR") from error
