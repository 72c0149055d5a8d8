"""Digests of exactly what a person approved; compared again before it runs.

Source: design section 4 point 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from codex_protocol.policy import SandboxPolicy

_VERSION = 1
_NO_CHANGES: Mapping[str, str] = {}


class FileEdit(msgspec.Struct, frozen=True):
    """What a patch does to one file."""

    path: Path
    """Absolute."""
    old_sha256: str | None
    """Hex, of the bytes on disk; None when there is no file."""
    new: bytes | None
    """The bytes it will hold; None when it goes."""


def command_digest(
    argv: tuple[str, ...], cwd: Path, policy: SandboxPolicy, env: Mapping[str, str] = _NO_CHANGES
) -> str:
    """SHA-256 (hex) of a command, its directory, its rights and the variables set for it.

    Args:
        argv: As it will be run.
        cwd: Absolute.
        policy: What it runs under: `DangerFullAccess` when it is let out of the sandbox.
        env: Variables set besides the environment policy's; their order does not matter.
    """
    return _sha256(["command", argv, str(cwd), policy, sorted(env.items())])


def patch_digest(edits: Iterable[FileEdit]) -> str:
    """SHA-256 (hex) of what a patch changes, whatever the order of its files."""
    encoded = [[str(edit.path), edit.old_sha256, None if edit.new is None else sha256_of(edit.new)] for edit in edits]
    return _sha256(["patch", sorted(encoded, key=lambda edit: str(edit[0]))])


def sha256_of(data: bytes) -> str:
    """Hex, as `FileEdit.old_sha256` takes it."""
    import hashlib  # 3 ms at the start of every thread

    return hashlib.sha256(data).hexdigest()


def _sha256(value: list[Any]) -> str:
    try:
        encoded = msgspec.json.encode([_VERSION, *value])
    except UnicodeEncodeError:  # lone surrogates: argv and paths that are no UTF-8
        encoded = repr([_VERSION, *value]).encode("utf-8", "backslashreplace")
    return sha256_of(encoded)
