"""What a command may touch, as lists of paths: decided here, compared in tests, carried out elsewhere.

No system call is made but through the host that is handed in, so that the same policy over the same tree gives the
same plan. Paths are strings with every symbolic link resolved.
"""

from __future__ import annotations

import os

import msgspec

from codex_kernel.config.types import SandboxSettings
from codex_kernel.sandbox import repositories
from codex_kernel.sandbox.host import Host, Identity, Kind
from codex_kernel.sandbox.roots import inside
from codex_protocol.policy import ReadOnly, WorkspaceWrite

_VISIBLE_IN_HOME = ("skills", "prompts", "AGENTS.md", "AGENTS.override.md")
"""What commands may read of our home: skills carry scripts."""
_HIDDEN_IN_HOME = (
    "auth.json",
    ".env",
    "config.toml",
    "history.jsonl",
    "sessions",
    "archived_sessions",
    "log",
    "workbench",
)
"""What is hidden one by one when the thread works in our home itself."""
_USER_KEYS = (".ssh", ".aws", ".gnupg")
_SMALLEST_SHM = 64 * 1024**2


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Our own directories, symlinks resolved."""

    home: str
    """`$CODEX_HOME`."""
    private: tuple[str, ...]
    """The runtime directory, and where short socket names live."""
    code: tuple[str, ...] = ()
    """What the agent itself is loaded from."""
    trusted: tuple[str, ...] = ()
    """Directories the user trusts: what is protected at their top is so wherever they lie."""


class Mask(msgspec.Struct, frozen=True):
    """Something hidden."""

    path: str
    keep: tuple[str, ...] = ()
    """Paths inside that stay visible."""


class Confinement(msgspec.Struct, frozen=True, kw_only=True):
    """What commands under one policy in one tree may touch."""

    roots: tuple[str, ...]
    """Writable directories."""
    identities: tuple[Identity, ...]
    """Of each root, when it was first seen."""
    read_only: tuple[str, ...]
    """Inside roots, existing, not writable."""
    anchors: tuple[str, ...] = ()
    """Directories inside roots above something protected; writable, but they cannot be moved away with it."""
    placeholders: tuple[str, ...]
    """What is absent and must not come to be by a command: made by us as an empty directory, or as one of
    `repositories.GIT_FILES_MADE_AHEAD`, then read-only."""
    masks: tuple[Mask, ...]
    network: bool
    """The host's network."""
    memory_bytes: int
    shm_bytes: int
    processes: int | None
    file_bytes: int | None
    free_disk_bytes: int | None
    disks: tuple[str, ...]
    """A directory on each file system that can be filled."""


def plan(
    policy: ReadOnly | WorkspaceWrite,
    workspace: str,
    places: Places,
    settings: SandboxSettings,
    host: Host,
    *,
    roots: tuple[str, ...],
    denied: tuple[str, ...] = (),
) -> Confinement:
    """What a command under `policy` may touch.

    Args:
        policy: Of the thread.
        workspace: The thread's directory.
        places: What is ours.
        settings: What the configuration adds.
        host: This machine.
        roots: What the policy opens, as `Roots.of` gives it.
        denied: Existing paths the deny-read patterns mean, resolved.
    """
    sealed = (places.home, *places.private, *places.code)
    roots = tuple(root for root in roots if not any(inside(root, place) for place in sealed))
    plan_ = _Protection(host, roots, settings.git_writes)
    for place in sealed:
        plan_.seal(place)
    for root in roots:
        plan_.names_of(root)
    if isinstance(policy, WorkspaceWrite):
        for root in (host.real(path) for path in (workspace, *policy.writable_roots)):
            if root in roots:
                plan_.names_below(root)
    for directory in places.trusted:
        plan_.existing_names_of(directory)
    masks = _masks(workspace, places, denied, host)
    for mask in masks:
        plan_.absent(mask.path)
    every_root = tuple(dict.fromkeys((*roots, *plan_.git_roots)))
    read_only = _outermost(plan_.read_only, every_root)
    own = [mask.path for mask in masks if mask.path not in denied]
    protected = (*every_root, *read_only, *plan_.placeholders, *own)
    limits = settings.limits
    memory = limits.max_memory_bytes or host.memory_bytes * 3 // 4
    return Confinement(
        roots=every_root,
        identities=tuple(identity for root in every_root if (identity := host.identity(root)) is not None),
        read_only=read_only,
        anchors=_anchors(protected, every_root, (*read_only, *own), host),
        placeholders=tuple(dict.fromkeys(plan_.placeholders)),
        masks=masks,
        network=isinstance(policy, WorkspaceWrite) and policy.network_access,
        memory_bytes=memory,
        shm_bytes=max(memory // 2, _SMALLEST_SHM),
        processes=limits.max_processes,
        file_bytes=limits.max_file_bytes,
        free_disk_bytes=limits.min_free_disk_bytes,
        disks=_one_per_device(every_root, host),
    )


class _Protection:
    """Collects what stays unwritable inside the roots."""

    def __init__(self, host: Host, roots: tuple[str, ...], git_writes: bool) -> None:
        self.host = host
        self.roots = roots
        self.git_writes = git_writes
        self.read_only: list[str] = []
        self.placeholders: list[str] = []
        self.git_roots: list[str] = []

    def _in_roots(self, path: str) -> bool:
        return any(inside(path, root) for root in self.roots)

    def seal(self, path: str) -> None:
        """An existing path stays as it is."""
        if self._in_roots(path) and self.host.kind(path) is not None:
            self.read_only.append(path)

    def absent(self, path: str) -> None:
        """A path inside a root that does not exist must not be made by a command."""
        if self._in_roots(path) and self.host.kind(path) is None and self._can_make(path):
            self.placeholders.append(path)

    def _can_make(self, path: str) -> bool:
        parent = os.path.dirname(path)
        return self.host.kind(parent) is Kind.DIRECTORY and self.host.can_create_in(parent)

    def names_of(self, root: str) -> None:
        """`.git`, `.codex` and `.agents` at the top of a root, present or not."""
        for name in repositories.PROTECTED_NAMES:
            path = os.path.join(root, name)
            if self.host.kind(path) is None:
                self.absent(path)
            else:
                self._existing(path)

    def existing_names_of(self, directory: str) -> None:
        """The same names at the top of a directory inside a root, where they exist."""
        if not self._in_roots(directory):
            return
        for name in repositories.PROTECTED_NAMES:
            path = os.path.join(directory, name)
            if self.host.kind(path) is not None:
                self._existing(path)

    def names_below(self, root: str) -> None:
        """The same names deeper down, where they exist."""
        for path in repositories.nested(self.host, root):
            self._existing(path)

    def _existing(self, path: str) -> None:
        is_git = os.path.basename(path) == ".git"
        kind = self.host.kind(path)
        directories = repositories.git_directories(self.host, path) if is_git else (self.host.real(path),)
        if kind is not Kind.DIRECTORY:
            self.read_only.append(path)
        may_commit = is_git and self.git_writes and self._is_theirs(path, directories)
        for directory in directories:
            if may_commit:
                self._open_for_commits(directory, common=directory == directories[-1])
            else:
                self.seal(directory)

    def _is_theirs(self, git: str, directories: tuple[str, ...]) -> bool:
        """Whether this is a repository, and one in the roots or one that knows this worktree as its own.

        A command could make a `.git` file that names somebody else's repository.
        """
        if not directories or not repositories.looks_like_repository(self.host, directories[-1]):
            return False
        return all(map(self._in_roots, directories)) or repositories.is_linked_back(self.host, git, directories)

    def _open_for_commits(self, directory: str, *, common: bool) -> None:
        """Writable but for what git runs or follows. A common directory elsewhere is opened only where commits go."""
        if common and not self._in_roots(directory):
            parts = [os.path.join(directory, name) for name in ("objects", "refs", "logs")]
            self.git_roots.extend(part for part in parts if self.host.kind(part) is Kind.DIRECTORY)
            return
        self.git_roots.append(directory)  # also where a root holds it: a mount of its own cannot be renamed
        made_ahead = {"config.worktree"}
        if common:
            made_ahead = {*repositories.GIT_DIRECTORIES_MADE_AHEAD, *repositories.GIT_FILES_MADE_AHEAD}
        for name in repositories.GIT_ONLY_READ:
            path = os.path.join(directory, name)
            if self.host.kind(path) is not None:
                self.read_only.append(path)
            elif name in made_ahead:
                self.placeholders.append(path)


def _masks(workspace: str, places: Places, denied: tuple[str, ...], host: Host) -> tuple[Mask, ...]:
    here = host.real(workspace)
    masks = [*hidden(here, places, host), *(Mask(path) for path in denied)]
    kept: list[Mask] = []
    for mask in masks:
        if not any(covers(other, mask.path) for other in kept) and (host.kind(mask.path) or _may_appear(mask, host)):
            kept.append(mask)
    return tuple(kept)


def hidden(workspace: str, places: Places, host: Host) -> list[Mask]:
    """What is hidden whatever the configuration says: our home but for skills, our sockets, the user's keys."""
    masks: list[Mask] = []
    if workspace == places.home:
        masks += [Mask(os.path.join(places.home, name)) for name in _HIDDEN_IN_HOME]
    else:
        keep = [path for name in _VISIBLE_IN_HOME if host.kind(path := os.path.join(places.home, name)) is not None]
        if inside(workspace, places.home):
            keep.append(workspace)
        masks.append(Mask(places.home, tuple(keep)))
    masks += [Mask(path) for path in places.private]
    masks += [Mask(host.real(os.path.join(host.user_home, name))) for name in _USER_KEYS]
    return masks


def covers(mask: Mask, path: str) -> bool:
    """Whether a path is hidden by this."""
    return inside(path, mask.path) and not any(inside(path, keep) for keep in mask.keep)


def _may_appear(mask: Mask, host: Host) -> bool:
    return host.kind(os.path.dirname(mask.path)) is Kind.DIRECTORY


def _outermost(paths: list[str], roots: tuple[str, ...]) -> tuple[str, ...]:
    """Each path once, without those a read-only directory above covers; a root between the two breaks the cover."""
    kept: list[str] = []
    for path in sorted(dict.fromkeys(paths), key=lambda path: (path.count("/"), path)):
        covered = any(
            inside(path, above) and not any(inside(path, root) and inside(root, above) for root in roots)
            for above in kept
        )
        if not covered:
            kept.append(path)
    return tuple(kept)


def _anchors(
    protected: tuple[str, ...], roots: tuple[str, ...], closed: tuple[str, ...], host: Host
) -> tuple[str, ...]:
    """Every directory between a root and something protected: renamed, it would take the protection along."""
    found: dict[str, None] = {}
    for path in protected:
        above = os.path.dirname(path)
        while any(inside(above, root) and above != root for root in roots):
            if above not in roots and not any(inside(above, each) for each in closed):
                found[above] = None
            above = os.path.dirname(above)
    return tuple(path for path in sorted(found) if host.kind(path) is Kind.DIRECTORY)


def _one_per_device(paths: tuple[str, ...], host: Host) -> tuple[str, ...]:
    chosen: dict[int, str] = {}
    for path in paths:
        identity = host.identity(path)
        if identity is not None:
            chosen.setdefault(identity[0], path)
    return tuple(chosen.values())
