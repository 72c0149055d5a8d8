"""Which hooks the user trusts: a record of our own in the user's `config.toml`, bound to what the hook is and runs.

The record stands in `[hooks.state."KEY"]` as `workbench_hash`, beside upstream's `trusted_hash`, which we neither read
nor write. Source: spec/execpolicy-and-hooks.md section 2.2. Stricter than there: the files a command names are part of
the hash too, because a hook runs outside the sandbox and a command inside it may be able to change them.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

from codex_kernel.config.edit import remove_value, set_value
from codex_kernel.config.named_files import file_digest, named_files
from codex_kernel.config.types import HookTable
from codex_kernel.hooks.definitions import Handler

Status = Literal["trusted", "untrusted", "modified", "disabled"]
_FIELD = "workbench_hash"


def content_hash(handler: Handler, cwd: Path) -> str:
    """What a trusted hook is bound to: its definition, and the files its command names outside the system's folders.

    Args:
        handler: The hook.
        cwd: Where it runs; names in its command count from there.
    """
    parts: list[object] = [
        "codex-workbench hook 1",
        handler.event,
        handler.matcher,
        handler.command,
        handler.timeout_s,
        handler.background,
    ]
    parts += [[name, file_digest(path)] for name, path in named_files(_words(handler.command), cwd)]
    return "sha256:" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command, comments=False)
    except ValueError:
        return command.split()


class Trust:
    """What the user said about hooks."""

    def __init__(self, tables: Sequence[HookTable], *, bypass: bool = False) -> None:
        """Take the records out of the user's own tables; a project's are not looked at.

        Args:
            tables: The `[hooks]` tables of all settings files.
            bypass: Everything counts as trusted, for this run.
        """
        self._bypass = bypass
        self._state: dict[str, dict[str, Any]] = {}
        for table in tables:
            state = table.table.get("state") if table.kind == "user" else None
            if isinstance(state, dict):
                entries = cast("dict[str, object]", state)
                self._state |= {
                    key: cast("dict[str, Any]", entry) for key, entry in entries.items() if isinstance(entry, dict)
                }

    def status(self, handler: Handler, cwd: Path) -> Status:
        """Whether a hook may run in `cwd`: only what is `trusted` may."""
        entry = self._state.get(handler.key, {})
        if entry.get("enabled") is False:
            return "disabled"
        if self._bypass:
            return "trusted"
        recorded = entry.get(_FIELD)
        if not isinstance(recorded, str):
            return "untrusted"
        return "trusted" if recorded == content_hash(handler, cwd) else "modified"


def record_trust(config_file: Path, handler: Handler, cwd: Path) -> None:
    """Trust a hook as it is now.

    Raises:
        ConfigError: The user's settings cannot be changed.
    """
    set_value(config_file, ("hooks", "state", handler.key, _FIELD), content_hash(handler, cwd))
    set_value(config_file, ("hooks", "state", handler.key, "enabled"), True)


def forget_trust(config_file: Path, handler: Handler) -> bool:
    """Trust a hook no longer; False when it was not trusted.

    Raises:
        ConfigError: The user's settings cannot be changed.
    """
    return remove_value(config_file, ("hooks", "state", handler.key, _FIELD))
