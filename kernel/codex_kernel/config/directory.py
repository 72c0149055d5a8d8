"""The directory a command was started in."""

from __future__ import annotations

import os
from pathlib import Path

from codex_protocol.errors import CodexError


def current_directory(given: str | Path | None = None) -> Path:
    """The process's directory; where it was removed, `given` (`-C`), if that is absolute and so does not need it.

    Raises:
        CodexError: It was removed.
    """
    try:
        return Path(os.getcwd())
    except OSError as error:
        if given is not None and os.path.isabs(given):
            return Path(given)
        raise CodexError("the current directory does not exist any more; go to another one or use -C DIR") from error
