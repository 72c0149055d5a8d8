"""The settings of a thread a client asks for: the user's files, the server's `-c`, then what the request says.

Other than upstream's, `-c` on the server's command line counts for its threads; a request is stronger.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from codex_kernel.config.flags import Flags
from codex_kernel.config.load import load_config
from codex_protocol.policy import ApprovalPolicy, SandboxMode
from codex_store.home import Home

if TYPE_CHECKING:
    from codex_kernel.config.types import Config
    from codex_kernel.mcp_server.tool_schemas import CodexArguments


class NewConversation(msgspec.Struct, frozen=True, rename="camel"):
    """Parameters of `newConversation`; unknown ones are ignored."""

    model: str | None = None
    profile: str | None = None
    cwd: str | None = None
    approval_policy: ApprovalPolicy | None = None
    sandbox: SandboxMode | None = None
    config: dict[str, Any] | None = None
    base_instructions: str | None = None
    include_plan_tool: bool | None = None
    include_apply_patch_tool: bool | None = None


class ServerSettings(msgspec.Struct, frozen=True):
    """What the server was started with."""

    home: Home
    cwd: Path
    overrides: tuple[str, ...] = ()
    """`-c` arguments."""
    flags: Flags = Flags()
    """What else its command line set."""


def config_for(server: ServerSettings, asked: NewConversation | CodexArguments) -> Config:
    """The settings of a new thread. Reads files.

    Raises:
        ConfigError: A setting cannot be used, or the directory does not exist.
        UsageError: Settings contradict each other.
    """
    extra: dict[str, Any] = dict(asked.config or {})
    if asked.include_plan_tool is not None:
        extra["tools.update_plan"] = asked.include_plan_tool
    if isinstance(asked, NewConversation) and asked.include_apply_patch_tool is not None:
        extra["tools.apply_patch"] = "auto" if asked.include_apply_patch_tool else "none"
    given: dict[str, Any] = {
        "cd": Path(asked.cwd) if asked.cwd is not None else None,
        "model": asked.model,
        "profile": asked.profile,
        "approval_policy": asked.approval_policy,
        "sandbox_mode": asked.sandbox,
        "base_instructions": asked.base_instructions,
        "config": extra or None,
    }
    flags = msgspec.structs.replace(server.flags, **{name: value for name, value in given.items() if value is not None})
    return load_config(home=server.home, cwd=server.cwd, overrides=server.overrides, flags=flags)


def file_config(overrides: Sequence[str], home: Home, cwd: Path) -> Config:
    """What files and `-c` say, without any request."""
    return load_config(home=home, cwd=cwd, overrides=overrides)
