"""The file that holds the logins to HTTP servers, one entry for each name and address. Needs nothing of the SDK."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from codex_kernel.mcp_client.interface import McpError
from codex_kernel.whole_files import replace_file

LOGINS_FILE = "mcp-logins.json"
"""In our own folder of the user's home."""


class LoginFile:
    """One server's entry."""

    def __init__(self, file: Path, name: str, url: str) -> None:
        self._file = file
        self._key = f"{name} {url}"  # another address is another server: it never gets this one's token

    @property
    def there(self) -> bool:
        """Whether there is a login."""
        return "tokens" in self.entry()

    def entry(self) -> dict[str, Any]:
        """What is kept; empty when nothing is, or nothing that can be read."""
        entry = self._read().get(self._key)
        return cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}

    def change(self, values: dict[str, Any]) -> None:
        """Keep values beside those that are there.

        Raises:
            McpError: The file cannot be written.
        """
        everything = self._read()
        everything[self._key] = {**self.entry(), **values}
        self._write(everything)

    def forget(self) -> bool:
        """Remove the login; False when there was none."""
        everything = self._read()
        if everything.pop(self._key, None) is None:
            return False
        self._write(everything)
        return True

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        return cast("dict[str, Any]", content) if isinstance(content, dict) else {}

    def _write(self, content: dict[str, Any]) -> None:
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(self._file, json.dumps(content).encode(), private=True)
        except OSError as error:
            raise McpError(f"{self._file} cannot be written: {error.strerror or error}") from error
