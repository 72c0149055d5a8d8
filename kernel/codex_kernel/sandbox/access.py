"""May a path be read, may it be written: the answers the file tools get, from the lists commands are confined by."""

from __future__ import annotations

import os

from codex_kernel.config.types import SandboxSettings
from codex_kernel.sandbox import repositories
from codex_kernel.sandbox.deny import is_denied
from codex_kernel.sandbox.host import Host
from codex_kernel.sandbox.plan import Mask, Places, hidden
from codex_kernel.sandbox.roots import Roots, inside
from codex_protocol.policy import DangerFullAccess, ReadOnly, SandboxPolicy

_NAMES = frozenset(repositories.PROTECTED_NAMES)


class Access:
    """Decides for one thread; every question resolves symbolic links anew."""

    def __init__(self, places: Places, settings: SandboxSettings, host: Host, roots: Roots, cwd: str) -> None:
        """Take what the sandbox was made with; `cwd` is what relative patterns and paths mean."""
        self._places = places
        self._settings = settings
        self._host = host
        self._roots = roots
        self._cwd = cwd

    def may_read(self, path: str) -> bool:
        """Whether neither the name nor what it leads to is hidden."""
        return "\0" not in path and not any(self._is_hidden(each) for each in self._both(path))

    def may_write(self, path: str, policy: SandboxPolicy, workspace: str) -> bool:
        """Whether name and target lie in writable roots and are neither protected nor hidden."""
        if isinstance(policy, DangerFullAccess):
            return True
        if isinstance(policy, ReadOnly) or "\0" in path:
            return False
        roots = self._roots.of(policy, workspace)
        return all(self._is_writable(each, roots) for each in self._both(path))

    def _both(self, path: str) -> tuple[str, str]:
        """The entry itself (its directory resolved) and what it leads to."""
        absolute = os.path.join(self._cwd, path)
        parent, name = os.path.split(absolute.rstrip("/") or "/")
        target = self._host.real(absolute)
        entry = target if name in ("", ".", "..") else os.path.join(self._host.real(parent), name)
        return entry, target

    def _is_hidden(self, path: str) -> bool:
        return any(_covered(path, mask) for mask in hidden(self._cwd, self._places, self._host)) or is_denied(
            path, self._settings.deny_read, self._cwd, self._host.user_home
        )

    def _is_writable(self, path: str, roots: tuple[str, ...]) -> bool:
        if self._is_hidden(path) or any(inside(path, place) for place in self._sealed()):
            return False
        own = [root for root in roots if inside(path, root)]
        if not own or path in own or any(inside(root, place) for root in own for place in self._sealed()):
            return False
        if any(part.lower() in _NAMES for root in own for part in path[len(root) :].split("/")):
            return False
        return not self._is_git_directory(path, own)

    def _sealed(self) -> tuple[str, ...]:
        return (self._places.home, *self._places.private, *self._places.code)

    def _is_git_directory(self, path: str, roots: list[str]) -> bool:
        """Whether the path lies in a directory that a `.git` file or link at the top of a root names."""
        for root in roots:
            git = os.path.join(root, ".git")
            if self._host.kind(git) is not None and any(
                inside(path, directory) for directory in repositories.git_directories(self._host, git)
            ):
                return True
        return False


def _covered(path: str, mask: Mask) -> bool:
    return inside(path, mask.path) and not any(inside(path, keep) for keep in mask.keep)
