"""What the rest of the agent knows of the sandbox: a command goes in, a process tree comes out.

Nothing else in this project starts a program for the model.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from codex_protocol.policy import SandboxFacts, SandboxPolicy

Stream = Literal["stdout", "stderr"]


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One program to start."""

    argv: tuple[str, ...]
    cwd: Path
    """Absolute."""
    env: dict[str, str]
    """The whole environment; nothing is inherited. `CODEX_SANDBOX*` variables are added by the sandbox."""
    policy: SandboxPolicy
    """`DangerFullAccess` starts it unconfined, with the user's own rights."""
    workspace: Path
    """The thread's directory: the first writable root under `WorkspaceWrite`. `cwd` may lie elsewhere."""
    pty: bool = False
    """A pseudo-terminal instead of pipes; everything then arrives as `stdout`."""
    rows: int = 24
    columns: int = 80
    stdin: bool = False
    """With pipes: a writable stdin; otherwise stdin is the null device."""


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended."""

    code: int
    """Exit status; 128 + N when signal N ended it."""
    signal: int | None = None
    denied: str | None = None
    """What the sandbox seems to have stopped, in one sentence; None when the command failed by itself."""
    killed_because: str | None = None
    """Why we ended the tree (memory, disk), in one sentence; None otherwise."""
    warning: str | None = None
    """What a person should look at: something it changed that the sandbox could only notice, in one sentence."""
    left_behind: tuple[str, ...] = ()
    """Programs that it had left running and that were ended with it, as far as that was seen."""


class Chunk(msgspec.Struct, frozen=True):
    """Bytes a command wrote; at most 64 KiB."""

    stream: Stream
    data: bytes


class Process(Protocol):
    """A running command and everything it started. Whoever holds it must call `aclose` at the end."""

    @property
    def confined(self) -> bool:
        """False when it runs with the user's own rights."""
        ...

    def output(self) -> AsyncIterator[Chunk]:
        """What it writes, in order of arrival; ends when the streams are closed or the tree is dead.

        A reader that falls behind holds the command back: at most 1 MiB is buffered. One reader at a time.
        """
        ...

    async def wait(self) -> Exit:
        """How the command ended, once the whole tree is dead; may be awaited many times and by many."""
        ...

    async def write(self, data: bytes) -> None:
        """Send to stdin or the terminal.

        Raises:
            SandboxError: It has no stdin or has closed it.
        """
        ...

    def line_limit(self) -> int | None:
        """Bytes of a line, without its end, that its terminal takes as it is set now; None: any, or no terminal."""
        ...

    def close_stdin(self) -> None:
        """End of input; with a terminal, end-of-transmission is sent instead."""
        ...

    def resize(self, rows: int, columns: int) -> None:
        """Change the terminal's size; nothing happens without one."""
        ...

    def interrupt(self) -> None:
        """SIGINT to the foreground: the command may clean up."""
        ...

    def kill(self) -> None:
        """End the whole tree now, daemons included; returns at once."""
        ...

    async def aclose(self) -> None:
        """Kill what still runs, wait for it and free every descriptor; safe to call twice."""
        ...


class PathRights(Protocol):
    """What the file tools may touch."""

    def may_read(self, path: Path) -> bool:
        """Whether tools and commands may read `path`, symlinks resolved: the one place deny-read is decided."""
        ...

    def may_write(self, path: Path, policy: SandboxPolicy, workspace: Path) -> bool:
        """Whether a patch may write `path` under `policy`: symlinks and `..` resolved, protected names refused."""
        ...


class Sandbox(PathRights, Protocol):
    """Starts commands under policies; one per thread. Keeps warm helpers and ends them when idle."""

    def facts(self, policy: SandboxPolicy) -> SandboxFacts:
        """How commands under `policy` are confined on this machine. Probes on the first call (some 50 ms)."""
        ...

    def warm(self, policy: SandboxPolicy, workspace: Path) -> None:
        """Start what a command under `policy` will need, in the background; returns at once."""
        ...

    async def start(self, command: Command) -> Process:
        """The command's process, running.

        Raises:
            SandboxError: The program is not found, the directory does not exist, or the policy cannot be enforced
                on this machine. `error.args[0]` is the sentence the model is given.
        """
        ...

    def rights(self) -> PathRights:
        """The same two answers for many paths in a row, by what stands on disk now: not to be kept.

        Who acts on an answer opens the path without following links, so that it is still the one asked about.
        """
        ...

    async def aclose(self) -> None:
        """End every helper and everything started through it."""
        ...
