"""Which directories a policy opens for writing, and that they stay the directories they were."""

from __future__ import annotations

import os

from codex_kernel.sandbox.host import Host, Identity, Kind
from codex_protocol.policy import DangerFullAccess, ReadOnly, SandboxPolicy


class Roots:
    """Resolves the policy's roots; what a name led to when it was first asked about is what it means for good.

    A command that may write the directory above a root could put a symbolic link in its place; the next command's
    root would then be wherever that leads. So what a link inside another root leads to is never one.
    """

    def __init__(self, host: Host) -> None:
        """Nothing is resolved yet."""
        self._host = host
        self._first: dict[str, tuple[str, Identity]] = {}

    def of(self, policy: SandboxPolicy, workspace: str) -> tuple[str, ...]:
        """Writable directories, symlinks resolved, each once; what does not exist or was replaced is left out.

        Source: spec/approvals-and-sandbox.md section 1, "Writable roots". `/` for full access.
        """
        if isinstance(policy, DangerFullAccess):
            return ("/",)
        if isinstance(policy, ReadOnly):
            return ()
        wanted = [workspace, *policy.writable_roots]
        if not policy.exclude_slash_tmp:
            wanted.append("/tmp")  # noqa: S108 - the policy grants it by name
        temp_dir = self._host.temp_dir
        if not policy.exclude_tmpdir_env_var and temp_dir and os.path.isabs(temp_dir):
            wanted.append(temp_dir)
        writable = {real for name in wanted if self._host.kind(real := self._host.real(name)) is Kind.DIRECTORY}
        found = (self._real(name) for name in wanted if not self._led_by_a_command(name, writable))
        return tuple(dict.fromkeys(real for real in found if real is not None))

    def _led_by_a_command(self, name: str, writable: set[str]) -> bool:
        """Whether a symbolic link on the way lies where commands write."""
        while name != os.path.dirname(name):
            above = os.path.dirname(name)
            if self._host.kind(name) is Kind.LINK and any(inside(self._host.real(above), root) for root in writable):
                return True
            name = above
        return False

    def _real(self, name: str) -> str | None:
        real = self._host.real(name)
        identity = self._host.identity(real)
        if identity is None or self._host.kind(real) is not Kind.DIRECTORY:
            return None
        return real if self._first.setdefault(name, (real, identity)) == (real, identity) else None


def inside(path: str, directory: str) -> bool:
    """Whether `path` is `directory` or below it, component by component; nothing is resolved."""
    return path == directory or path.startswith(directory if directory.endswith("/") else directory + "/")
