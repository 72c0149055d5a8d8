"""The shapes of what agent and helper send each other; only type checkers and the agent import this file."""

from __future__ import annotations

from typing import TypedDict


class Mask(TypedDict):
    """Something hidden: a file, or a directory of which only `keep` stays visible."""

    path: str
    directory: bool
    keep: list[str]


class View(TypedDict):
    """What the mount layer is to show."""

    private_network: bool
    roots: list[tuple[str, int, int]]
    """Writable directories with device and inode as the plan saw them."""
    read_only: list[tuple[str, int, int]]
    """Files, directories and symbolic links inside roots that stay as they are."""
    masks: list[Mask]
    shm_bytes: int


class Limits(TypedDict):
    """What one tree may use; None: no limit."""

    processes: int | None
    rlimit_processes: int | None
    """As `processes`, where the kernel counts for this helper alone (a user namespace of its own)."""
    file_bytes: int | None
    memory_bytes: int | None
    free_disk_bytes: int | None
    disks: list[str]
    """A directory on each file system that commands can fill."""


class Recipe(TypedDict):
    """How a helper confines every command it starts."""

    confined: bool
    """False: the user's own rights; the other fields but `limits` are then of no effect."""
    view: View | None
    """None: the mounts stay as they are."""
    pins: list[tuple[str, int, int]]
    """Paths the plan rests on, with device and inode; held open, so that no later file can take over the number."""
    pid_namespace: bool
    private_network: bool
    landlock: bool
    seccomp: bool
    inet: bool
    unix: bool
    private_ipc: bool
    """Whether mounts, processes and IPC are private, by this helper or by what it runs in."""
    writable: list[str]
    devices: list[str]
    limits: Limits


class Job(TypedDict):
    """One command. Descriptors sent along, in order: control, stdout, stderr (pipes only), stdin (when `stdin`)."""

    argv: list[bytes]
    cwd: bytes
    env: dict[bytes, bytes]
    pty: bool
    rows: int
    columns: int
    stdin: bool
