"""Log records as lines without secrets: what programs of ours write to stderr and to log files."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codex_render.redaction import Redactor

_TELLING = "(?i)KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL"
_SHORTEST = 8
_MAX_CHARS = 8_000


class LogLines(logging.Formatter):
    """`2026-11-22T14:04:00.123Z ERROR codex_kernel.core: text`; a traceback only where debugging was asked for.

    Keys and tokens of known form, and the values of variables that are named like secrets, are marked in their place.
    """

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        """Take out what `env` holds under names of secrets, as it is when the first line is written."""
        super().__init__()
        self._env = env
        self._redactor: Redactor | None = None

    def format(self, record: logging.LogRecord) -> str:
        """The record's line, or lines."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = f"{stamp}.{int(record.msecs):03}Z {record.levelname} {record.name}: {record.getMessage()}"
        if record.exc_info and logging.getLogger(record.name).isEnabledFor(logging.DEBUG):
            line += "\n" + self.formatException(record.exc_info)
        if len(line) > _MAX_CHARS:
            line = f"{line[:_MAX_CHARS]} … {len(line) - _MAX_CHARS} more characters"
        return self._without_secrets(line)

    def _without_secrets(self, line: str) -> str:
        if self._redactor is None:
            from codex_render.redaction import Redactor  # 10 ms that a run without a log line saves

            named = (value for name, value in self._env.items() if re.search(_TELLING, name))
            self._redactor = Redactor([value for value in named if len(value) >= _SHORTEST])
        return self._redactor.redact(line)
