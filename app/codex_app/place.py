"""Where one server of a home is found: its lock, its secrets and its control socket, in the runtime directory."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from pathlib import Path

import msgspec

from codex_store.home import Home


class PageSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """What outlives the server, so that an open tab does too."""

    port: int
    key: str
    """Signs cookies."""


class Place:
    """The files of a home's server. No command of an agent can see them: the sandbox hides the runtime directory."""

    def __init__(self, home: Home) -> None:
        """Name them; nothing is made yet."""
        self._home = home
        self.name = f"page-{hashlib.sha256(os.fsencode(home.root)).hexdigest()[:12]}"
        self._folder = home.runtime_dir()

    @property
    def control(self) -> Path:
        """The socket by which a second `codex` reaches the server."""
        return self._home.socket_path(f"{self.name}.sock")

    @property
    def opener(self) -> Path:
        """A file that leads a browser to the link, which must not stand on a command line."""
        return self._folder / f"{self.name}.html"

    def lock(self) -> int | None:
        """A descriptor that holds the lock while it is open; None while another server runs."""
        descriptor = os.open(self._folder / f"{self.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def secrets(self) -> PageSecrets:
        """What the last server left, or fresh ones with port 0."""
        try:
            found = msgspec.json.decode((self._folder / f"{self.name}.json").read_bytes(), type=PageSecrets)
        except (OSError, msgspec.DecodeError):
            return PageSecrets(port=0, key=secrets.token_hex(32))
        return found if len(found.key) >= 64 else PageSecrets(port=0, key=secrets.token_hex(32))

    def keep(self, told: PageSecrets) -> None:
        """Write them down, for us alone."""
        self.write(self._folder / f"{self.name}.json", msgspec.json.encode(told))

    def forget(self) -> None:
        """Have the next server make them anew."""
        (self._folder / f"{self.name}.json").unlink(missing_ok=True)

    def write(self, file: Path, data: bytes) -> None:
        """Put a file in place that nobody else can read at any moment."""
        fresh = file.with_name(f".{file.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        os.replace(fresh, file)
