"""What one `codex exec` is asked to do, as the command line said it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from codex_protocol.policy import SandboxMode
from codex_render.terminal import ColourChoice


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """The thread to go on with."""

    how: Literal["resume", "fork"]
    name: str | None = None
    """Its id or name; None: the newest one."""
    everywhere: bool = False
    """With no name: of any directory, not only of this one."""


class ReviewTarget(msgspec.Struct, frozen=True, kw_only=True):
    """What to review; a review by prompt alone has none of these."""

    uncommitted: bool = False
    base: str | None = None
    commit: str | None = None
    title: str | None = None


class ExecRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Paths are as typed: relative ones belong to the process's directory, not to `-C`."""

    prompt: str | None = None
    """The positional; None: read stdin, `-` likewise."""
    earlier: Earlier | None = None
    review: ReviewTarget | None = None
    overrides: tuple[str, ...] = ()
    """`-c key=value`, in order."""
    model: str | None = None
    profile: str | None = None
    sandbox_mode: SandboxMode | None = None
    cwd: Path | None = None
    add_dirs: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    json: bool = False
    last_message_file: Path | None = None
    output_schema_file: Path | None = None
    colour: ColourChoice = "auto"
    ephemeral: bool = False
    skip_git_repo_check: bool = False
    full_auto: bool = False
    bypass: bool = False
    trust: bool = False
    strict: bool = False
    oss: bool = False
    local_provider: Literal["ollama", "lmstudio"] | None = None
    ignore_user_config: bool = False
    ignore_rules: bool = False
    bypass_hook_trust: bool = False
    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    search: bool = False
    demo: bool = False
