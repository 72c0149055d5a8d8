"""Where log lines go and which ones: stderr, `CODEX_LOG`, and the simple forms of `RUST_LOG`."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

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
    """Send log lines to stderr, from the level the environment names.

    `CODEX_LOG` is read first, then `RUST_LOG`: a level, `target=level`, or several of these with commas between them.
    What is not understood is passed over: the default then holds.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(default)
    for directive in (env.get("CODEX_LOG") or env.get("RUST_LOG") or "").split(","):
        target, equals, word = directive.strip().rpartition("=")
        level = _LEVELS.get(word.strip().lower())
        if level is not None:
            logging.getLogger(target.strip().replace("::", ".") if equals else None).setLevel(level)


class _Formatter(logging.Formatter):
    """`2026-11-22T14:04:00.123Z ERROR codex_kernel.core: text`; a traceback only where debugging was asked for."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = f"{stamp}.{int(record.msecs):03}Z {record.levelname} {record.name}: {record.getMessage()}"
        if record.exc_info and logging.getLogger(record.name).isEnabledFor(logging.DEBUG):
            line += "\n" + self.formatException(record.exc_info)
        return line
