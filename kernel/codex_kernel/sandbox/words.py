"""What the sandbox says to people and to the model, one sentence each."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from codex_kernel.sandbox.inside import wire
from codex_kernel.sandbox.interface import Command, Exit
from codex_protocol.errors import SandboxError
from codex_protocol.policy import DangerFullAccess, ReadOnly, SandboxFacts, SandboxPolicy, WorkspaceWrite

if TYPE_CHECKING:
    from codex_kernel.sandbox.ladder import Rung
    from codex_kernel.sandbox.plan import Confinement
    from codex_kernel.sandbox.process import Ending, NotStarted


def facts_of(policy: SandboxPolicy, rung: Rung) -> SandboxFacts:
    """The policy in words and how well this machine enforces it."""
    return SandboxFacts(rung=rung.number, summary=summary_of(policy), notice=notice_of(rung))


def summary_of(policy: SandboxPolicy) -> str:
    """As `workspace-write [workdir, /tmp, $TMPDIR]`. Source: spec/config.md section 7."""
    match policy:
        case DangerFullAccess():
            return "danger-full-access"
        case ReadOnly():
            return "read-only"
        case WorkspaceWrite():
            places = ["workdir"]
            if not policy.exclude_slash_tmp:
                places.append("/tmp")  # noqa: S108 - the policy's own word
            if not policy.exclude_tmpdir_env_var:
                places.append("$TMPDIR")
            places += policy.writable_roots
            network = " (network access enabled)" if policy.network_access else ""
            return f"workspace-write [{', '.join(places)}]{network}"


def notice_of(rung: Rung) -> str | None:
    """Why the rung is not 1 and what would help."""
    why = f" ({rung.reasons[0]})" if rung.reasons else ""
    match rung.number:
        case 1:
            return None
        case 2 if sys.platform == "darwin":
            return (
                "Commands are confined by the system's sandbox-exec: processes and memory are not limited, what leaves "
                "its process group outlives a command, and servers on loopback cannot be reached."
            )
        case 2:
            return (
                "Commands are confined with the help of the system's bubblewrap, because this machine refuses user "
                f"namespaces to us{why}."
            )
        case 3:
            return (
                f"Commands are confined by Landlock and seccomp only, as namespaces cannot be had{why}: .git is not "
                "protected and secrets are not hidden; allow unprivileged user namespaces or install bubblewrap."
            )
        case 4:
            return (
                f"Commands are confined only in part, as Landlock is missing{why}: each one is asked about; use a "
                "kernel with Landlock (5.13 or newer, enabled at boot)."
            )
        case _:
            what = "on this system" if sys.platform not in ("linux", "darwin") else "by this kernel"
            return (
                f"Commands cannot be confined {what}{why}: each one is asked about; work in a Linux machine or "
                "container that allows user namespaces and Landlock."
            )


def not_enforced(rung: Rung) -> SandboxError:
    """The policy needs more than this machine has."""
    return SandboxError(notice_of(rung) or "Commands cannot be confined on this machine.")


def weaker(believed: int, rung: Rung) -> SandboxError:
    """The machine can do less than when it was probed."""
    return SandboxError(
        f"The sandbox has become weaker since it was probed, rung {rung.number} instead of {believed}, so the command "
        "was not run; try again to go on with what is left."
    )


def not_started(command: Command, error: NotStarted) -> SandboxError:
    """Why the program never ran."""
    program = command.argv[0]
    if error.stage == wire.AT_DIRECTORY:
        return SandboxError(f"The working directory {command.cwd} cannot be used: {os.strerror(error.error)}.")
    if error.stage == wire.AT_PROGRAM:
        if error.error == errno.ENOENT:
            return SandboxError(f"{program}: program not found.")
        if error.error == errno.E2BIG:
            return SandboxError(
                f"{program}: the arguments and the environment are too long for this system; put long text into a file."
            )
        return SandboxError(f"{program}: cannot be run ({os.strerror(error.error)}).")
    if error.stage == wire.AT_TERMINAL:
        return SandboxError(f"{program}: no terminal could be opened ({error}).")
    return SandboxError(f"{program}: could not be confined, so it was not run ({error}).")


def describe(
    command: Command,
    ending: Ending,
    plan: Confinement | None,
    *,
    network_seen: bool,
    changed: Callable[[], str | None],
) -> Exit:
    """An ending in words.

    Args:
        command: What was run.
        ending: How it ended.
        plan: What it was confined to; None when it was not.
        network_seen: Whether its connects were seen.
        changed: What it changed and should not have, on machines that can only notice.
    """
    killed = next((note for note in ending.notes if note.startswith("killed:")), None)
    denied: str | None = None
    if plan is not None and killed is None and ending.code != 0:
        from codex_kernel.sandbox.denial import denied as find_denied

        denied = find_denied(plan, str(command.cwd), ending.code, ending.tail, ending.notes, network_seen=network_seen)
    return Exit(
        code=ending.code,
        signal=ending.signal or None,
        denied=denied,
        killed_because=_killed_because(killed) if killed is not None else None,
        warning=changed() or _removed(ending.notes),
        left_behind=tuple(note.removeprefix("left:") for note in ending.notes if note.startswith("left:")),
    )


def _removed(notes: list[str]) -> str | None:
    paths = [note.removeprefix("removed:") for note in notes if note.startswith("removed:")]
    if not paths:
        return None
    return f"It made {', '.join(paths)}, which git would obey; that was taken away again."


def _killed_because(note: str) -> str:
    _, what, used, limit, *rest = note.split(":", 4)
    match what:
        case "memory":
            return f"It was ended because it used {used} MiB of memory, more than the {limit} MiB it may use."
        case "processes":
            return f"It was ended because it had {used} processes, more than the {limit} it may have."
        case _:
            place = rest[0] if rest else "the disk"
            return f"It was ended because only {used} MiB were left on the disk of {place}."
