"""The sandbox of systems we start no commands on, Windows for now: it says so, and answers about paths."""

from __future__ import annotations

from pathlib import Path

from codex_kernel.config.types import SandboxSettings
from codex_kernel.sandbox.access import Access, Rights
from codex_kernel.sandbox.host import Host
from codex_kernel.sandbox.interface import Command, Process
from codex_kernel.sandbox.plan import Places
from codex_kernel.sandbox.roots import Roots
from codex_kernel.sandbox.words import summary_of
from codex_protocol.errors import SandboxError
from codex_protocol.policy import SandboxFacts, SandboxPolicy

_RUNG = 5
_SENTENCE = "Commands cannot be run on this system yet: work in Linux (WSL will do) or macOS."


class NoSandbox:
    """Implements `Sandbox` where no command can be started."""

    def __init__(self, places: Places, settings: SandboxSettings, host: Host, cwd: str) -> None:
        """Take what paths are decided by."""
        self._access = Access(places, settings, host, Roots(host), cwd)

    def facts(self, policy: SandboxPolicy) -> SandboxFacts:
        """See `Sandbox`."""
        return SandboxFacts(rung=_RUNG, summary=summary_of(policy), notice=_SENTENCE)

    def warm(self, policy: SandboxPolicy, workspace: Path) -> None:
        """See `Sandbox`."""

    async def start(self, command: Command) -> Process:
        """See `Sandbox`."""
        raise SandboxError(_SENTENCE)

    def may_read(self, path: Path) -> bool:
        """See `Sandbox`."""
        return self._access.may_read(str(path))

    def may_write(self, path: Path, policy: SandboxPolicy, workspace: Path) -> bool:
        """See `Sandbox`."""
        return self._access.may_write(str(path), policy, str(workspace))

    def rights(self) -> Rights:
        """See `Sandbox`."""
        return self._access.rights()

    async def aclose(self) -> None:
        """See `Sandbox`."""
