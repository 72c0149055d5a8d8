"""May a path be read, may it be written: the answers the file tools get, from the lists commands are confined by."""

from __future__ import annotations

import os
from collections.abc import Iterator

from codex_kernel.config.types import SandboxSettings
from codex_kernel.sandbox import repositories
from codex_kernel.sandbox.deny import is_denied
from codex_kernel.sandbox.host import Host, Kind
from codex_kernel.sandbox.plan import Mask, Places, covers, hidden
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
        return self.rights().may_read(path)

    def may_write(self, path: str, policy: SandboxPolicy, workspace: str) -> bool:
        """Whether name and target lie in writable roots and are neither protected nor hidden."""
        return self.rights().may_write(path, policy, workspace)

    def rights(self) -> Rights:
        """The answers as they are now, for many paths in a row."""
        return Rights(self._places, self._settings, self._host, self._roots, self._cwd)


class Rights:
    """Answers by what stood on disk when something was first asked: see `PathRights`.

    What is hidden, which roots there are and where a directory leads is found out once: 200 files of a patch would
    else cost 40 ms.
    """

    def __init__(self, places: Places, settings: SandboxSettings, host: Host, roots: Roots, cwd: str) -> None:
        """Nothing is looked at yet."""
        self._places = places
        self._settings = settings
        self._host = host
        self._roots = roots
        self._cwd = cwd
        self._masks: list[Mask] | None = None
        self._real: dict[str, str] = {}
        """Where directories lead."""
        self._of_policy: dict[tuple[SandboxPolicy, str], tuple[str, ...]] = {}
        self._git: dict[str, tuple[str, ...]] = {}
        """By root: the directories its `.git` file or link names."""
        self._repositories: dict[str, bool] = {}

    def may_read(self, path: os.PathLike[str] | str) -> bool:
        """See `PathRights`."""
        path = os.fspath(path)
        return "\0" not in path and not any(self._is_hidden(each) for each in self._both(path))

    def may_write(self, path: os.PathLike[str] | str, policy: SandboxPolicy, workspace: os.PathLike[str] | str) -> bool:
        """See `PathRights`."""
        path = os.fspath(path)
        if isinstance(policy, DangerFullAccess):
            return True
        if isinstance(policy, ReadOnly) or "\0" in path:
            return False
        key = (policy, os.fspath(workspace))
        if key not in self._of_policy:
            self._of_policy[key] = self._roots.of(*key)
        return all(self._is_writable(each, self._of_policy[key]) for each in self._both(path))

    def _both(self, path: str) -> tuple[str, ...]:
        """The entry itself (its directory resolved) and, where that is another, what it leads to."""
        absolute = os.path.join(self._cwd, path)
        parent, name = os.path.split(absolute.rstrip("/") or "/")
        if name in ("", ".", ".."):
            return (self._host.real(absolute),)
        if parent not in self._real:
            self._real[parent] = self._host.real(parent)
        entry = os.path.join(self._real[parent], name)
        return (entry, self._host.real(entry)) if self._host.kind(entry) is Kind.LINK else (entry,)

    def _is_hidden(self, path: str) -> bool:
        if self._masks is None:
            self._masks = hidden(self._cwd, self._places, self._host)
        return any(covers(mask, path) for mask in self._masks) or is_denied(
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
        if any(inside(path, directory) for root in own for directory in self._git_of(root)):
            return False
        return not any(self._holds_a_repository(above) for root in own for above in _between(path, root))

    def _holds_a_repository(self, directory: str) -> bool:
        """Whether git keeps a repository's own files here: a bare one's, or those of a `.git` file elsewhere."""
        if directory not in self._repositories:
            there = [self._host.kind(os.path.join(directory, name)) for name in ("HEAD", "objects", "commondir")]
            self._repositories[directory] = there[0] is not None and (there[1] is not None or there[2] is not None)
        return self._repositories[directory]

    def _sealed(self) -> tuple[str, ...]:
        return (self._places.home, *self._places.private, *self._places.code)

    def _git_of(self, root: str) -> tuple[str, ...]:
        if root not in self._git:
            git = os.path.join(root, ".git")
            known = self._host.kind(git) is not None
            self._git[root] = tuple(repositories.git_directories(self._host, git)) if known else ()
        return self._git[root]


def _between(path: str, root: str) -> Iterator[str]:
    """The directories above `path` that are below `root`."""
    above = os.path.dirname(path)
    while above != root and inside(above, root):
        yield above
        above = os.path.dirname(above)
