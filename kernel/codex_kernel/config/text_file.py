"""Files of settings and rules as text."""

from __future__ import annotations

from pathlib import Path

from codex_kernel.regular_files import read_regular
from codex_protocol.errors import ConfigError

_MAX_BYTES = 4 * 1024 * 1024


def read_text(file: Path, max_bytes: int = _MAX_BYTES) -> str | None:
    """The text of a regular file; None when there is none.

    A pipe or device is refused instead of waited for: the file may belong to a project.

    Raises:
        ConfigError: It cannot be read, is no file, is longer than `max_bytes`, or is no UTF-8.
    """
    try:
        content = read_regular(file, max_bytes + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror or error}.", file=str(file)) from error
    if len(content) > max_bytes:
        raise ConfigError(f"{file} cannot be read: it has more than {max_bytes} bytes.", file=str(file))
    try:
        return content.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}, line {line}: this is not UTF-8 text.", file=str(file), line=line) from error
