"""Where log lines go and which ones: stderr or a file, `CODEX_LOG`, and the simple forms of `RUST_LOG`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from codex_protocol.errors import CodexError
from codex_render.log_lines import LogLines

FILE_VARIABLE = "CODEX_LOG_FILE"
_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "off": logging.CRITICAL + 1,
}


def configure_logging(env: Mapping[str, str], default: int = logging.ERROR) -> None:
    """Send log lines to stderr, or to the file that `CODEX_LOG_FILE` names, from the level the environment names.

    `CODEX_LOG` is read first, then `RUST_LOG`: a level, `target=level`, or several of these with commas between them.
    What is not understood is passed over: the default then holds. The file is only readable by its owner when it is
    new, and begun anew after 5 MiB; three older ones stay beside it.

    Raises:
        CodexError: The file cannot be written.
    """
    handler = _handler(env.get(FILE_VARIABLE, "").strip())
    handler.setFormatter(LogLines(env))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(default)
    for directive in (env.get("CODEX_LOG") or env.get("RUST_LOG") or "").split(","):
        target, equals, word = directive.strip().rpartition("=")
        level = _LEVELS.get(word.strip().lower())
        if level is not None:
            logging.getLogger(target.strip().replace("::", ".") if equals else None).setLevel(level)


def _handler(file: str) -> logging.Handler:
    if not file:
        return logging.StreamHandler()
    from codex_cli.log_file import LogFile

    try:
        return LogFile(os.path.expanduser(file))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise CodexError(f"the log file {file} ({FILE_VARIABLE}) cannot be written: {why}") from error
