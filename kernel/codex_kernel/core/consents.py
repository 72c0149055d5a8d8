"""Consent to a weaker sandbox: given once per user and machine, naming the rung; asked again when the rung falls.

Source: design section 5.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from codex_kernel.whole_files import replace_file
from codex_protocol.errors import ThreadError


class Consents:
    """The consents in one home, by machine."""

    def __init__(self, folder: Path) -> None:
        """Consents kept in `folder` (our own folder of the home); nothing is read before it is asked for."""
        self._file = folder / "sandbox-consent.json"

    def given(self, rung: int) -> bool:
        """Whether the user accepted `rung` (or a lower one) on this machine."""
        accepted = self._read().get(_machine())
        return isinstance(accepted, int) and accepted >= rung

    def record(self, rung: int) -> None:
        """The user accepted `rung` on this machine.

        Raises:
            ThreadError: It cannot be written down.
        """
        consents = self._read()
        consents[_machine()] = rung
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_file(self._file, msgspec.json.format(msgspec.json.encode(consents), indent=1), private=True)
        except OSError as error:
            raise ThreadError(f"the consent could not be written to {self._file}: {error.strerror}") from error

    def _read(self) -> dict[str, object]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, object])
        except (OSError, ValueError):
            return {}


def _machine() -> str:
    try:
        return Path("/etc/machine-id").read_text(encoding="ascii").strip() or os.uname().nodename
    except (OSError, UnicodeDecodeError):
        return os.uname().nodename
