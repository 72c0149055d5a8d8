"""How threads are opened: what their directory, model, sandbox and the like are to be."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from codex_client.launch import set_flags
from codex_client.turn_settings import approval_policy as policy_of
from codex_client.turn_settings import one_of
from codex_protocol.errors import UsageError
from codex_protocol.kernel_options import KernelOptions
from codex_protocol.policy import SandboxMode
from codex_store.home import Home, find_home


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How threads are opened; what is None is left to config files. Travels to the workers of a batch."""

    cwd: str | None = None
    """None: this process's directory."""
    model: str | None = None
    model_provider: str | None = None
    profile: str | None = None
    sandbox: str | None = None
    """`read-only`, `workspace-write` or `danger-full-access`."""
    approval_policy: str | None = None
    """`untrusted`, `on-failure`, `on-request` or `never`."""
    config: dict[str, Any] = {}
    """Settings by their keys, which may be dotted: as in `config.toml`."""
    base_instructions: str | None = None
    developer_instructions: str | None = None
    add_dirs: tuple[str, ...] = ()
    """Directories that may be written too."""
    ephemeral: bool = False
    """Nothing is kept on disk."""
    demo: bool = False
    """The offline demo model."""
    trust: bool = False
    """The directory is trusted from now on: its own settings count, and the default sandbox is `workspace-write`."""
    env: dict[str, str] = {}
    """Added to the environment of the agent and its commands."""
    fork: bool = True
    """Ask the user's fork server for kernels, which takes 30 ms instead of 300."""

    def options(self, *, resume: str | None = None, fork: str | None = None) -> KernelOptions:
        """For a kernel.

        Raises:
            UsageError: A setting is none.
        """
        cwd = os.path.realpath(os.path.expanduser(self.cwd or os.getcwd()))
        if not os.path.isdir(cwd):
            raise UsageError(f"the directory {cwd} does not exist")
        flags = set_flags(
            model=self.model,
            model_provider=self.model_provider,
            profile=self.profile,
            sandbox_mode=None if self.sandbox is None else one_of(SandboxMode, self.sandbox, "sandbox").value,
            approval_policy=None if self.approval_policy is None else policy_of(self.approval_policy).value,
            base_instructions=self.base_instructions,
            developer_instructions=self.developer_instructions,
            add_dirs=list(self.add_dirs) or None,
            ephemeral=self.ephemeral,
            demo=self.demo,
            trust=self.trust,
            config=self.config or None,
        )
        return KernelOptions(cwd=cwd, flags=flags, resume=resume, fork=fork, originator="codex_python")

    def home(self) -> Home:
        """Whose threads these are."""
        return find_home({**os.environ, **self.env})


def make_settings(known: Settings, changes: Mapping[str, Any]) -> Settings:
    """The settings with changes.

    Raises:
        UsageError: There is no such setting, or it has another type.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if isinstance(given.get("cwd"), Path):
        given["cwd"] = str(given["cwd"])
    if "add_dirs" in given:
        given["add_dirs"] = [str(each) for each in given["add_dirs"]]
    unknown = set(given) - set(Settings.__struct_fields__)
    if unknown:
        raise UsageError(
            f"there is no setting {', '.join(sorted(unknown))}; there are {', '.join(Settings.__struct_fields__)}"
        )
    try:
        return msgspec.convert({**msgspec.to_builtins(known), **given}, Settings)
    except msgspec.ValidationError as error:
        raise UsageError(f"a setting cannot be used: {error}") from error
