"""What command lines and front ends set for one thread; stronger than every file and every `-c`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from codex_protocol.policy import ApprovalPolicy, SandboxMode


class Flags(msgspec.Struct, frozen=True, kw_only=True):
    """Everything unset by default: then files, `-c` and defaults decide."""

    cd: Path | None = None
    """`-C`: working directory, relative to the process's."""
    model: str | None = None
    model_provider: str | None = None
    profile: str | None = None
    sandbox_mode: SandboxMode | None = None
    approval_policy: ApprovalPolicy | None = None
    add_dirs: tuple[str, ...] = ()
    """`--add-dir`: relative to the working directory; each must exist."""
    oss: bool = False
    local_provider: Literal["ollama", "lmstudio"] | None = None
    """Which server `oss` means; None: the setting `oss_provider`."""
    full_auto: bool = False
    """workspace-write; asks on failure unless `approval_policy` says otherwise."""
    bypass: bool = False
    """No sandbox and no questions."""
    search: bool = False
    ephemeral: bool = False
    demo: bool = False
    """The offline demo model."""
    strict: bool = False
    """Unknown keys are errors."""
    trust: bool = False
    """The directory is trusted from now on; `load_config` writes it down."""
    ignore_user_config: bool = False
    """Neither `config.toml` nor profiles are read, but what it says about trust is."""
    ignore_rules: bool = False
    bypass_hook_trust: bool = False
    enable: tuple[str, ...] = ()
    """Features to switch on."""
    disable: tuple[str, ...] = ()
    base_instructions: str | None = None
    developer_instructions: str | None = None
    compact_prompt: str | None = None
    config: dict[str, Any] = {}
    """Settings as a JSON object whose keys may be dotted; stronger than `-c`, weaker than the other flags."""
