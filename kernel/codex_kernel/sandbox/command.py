"""One command in the sandbox, run as the model's commands are, with our own standard streams: `codex sandbox`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from codex_kernel.config.types import Config
from codex_kernel.sandbox.attachment import Attachment, Gone
from codex_kernel.sandbox.environment import command_environment
from codex_kernel.sandbox.interface import Command, Exit
from codex_kernel.sandbox.launcher import make_sandbox, plan_of
from codex_protocol.errors import UsageError
from codex_protocol.policy import DangerFullAccess, ReadOnly, SandboxPolicy, WorkspaceWrite, mode_of


def with_network(policy: SandboxPolicy, *, network: bool) -> SandboxPolicy:
    """The policy with the host's network opened, where it may be.

    Raises:
        UsageError: The policy has none to open.
    """
    if not network:
        return policy
    if isinstance(policy, ReadOnly):
        raise UsageError("--network needs a command that may write: add -s workspace-write")
    if isinstance(policy, WorkspaceWrite):
        from msgspec.structs import replace

        return replace(policy, network_access=True)
    return policy


def run_sandboxed(
    argv: Sequence[str],
    *,
    config: Config,
    runtime_dir: Path,
    private_dirs: Sequence[Path] = (),
    explain: bool = False,
) -> int:
    """The command's exit status, 128 + N when signal N ended it; what it reads and writes is what we read and write.

    With a terminal on both sides it gets one of its own and ours is passed through; otherwise bytes are. How far this
    machine confines it is said once on stderr, where that is not all the way.

    Args:
        argv: The command; not looked at when `explain` is set.
        config: Its policy, directory and environment policy count.
        runtime_dir: As for `make_sandbox`.
        private_dirs: As for `make_sandbox`.
        explain: Print what the command may touch, and run nothing.

    Raises:
        SandboxError: The command does not exist, or cannot be confined on this machine.
    """
    if explain:
        return _explain(config, runtime_dir, private_dirs)
    return asyncio.run(_run(tuple(argv), config, runtime_dir, private_dirs))


def _explain(config: Config, runtime_dir: Path, private_dirs: Sequence[Path]) -> int:
    from codex_kernel.sandbox.explain import explanation

    facts = make_sandbox(config, config.codex_home, runtime_dir, private_dirs=private_dirs).facts(config.sandbox_policy)
    plan = plan_of(config, config.codex_home, runtime_dir, private_dirs=private_dirs)
    sys.stdout.write(explanation(mode_of(config.sandbox_policy), facts, plan, str(config.cwd)))
    sys.stdout.flush()
    return 0


async def _run(argv: tuple[str, ...], config: Config, runtime_dir: Path, private_dirs: Sequence[Path]) -> int:
    policy = config.sandbox_policy
    sandbox = make_sandbox(config, config.codex_home, runtime_dir, private_dirs=private_dirs)
    notice = sandbox.facts(policy).notice
    if notice is not None and not isinstance(policy, DangerFullAccess):
        _say(notice)
    attachment = Attachment()
    rows, columns = attachment.size()
    command = Command(
        argv=argv,
        cwd=config.cwd,
        env=command_environment(config.shell_environment_policy, os.environ),
        policy=policy,
        workspace=config.cwd,
        pty=attachment.interactive,
        rows=rows,
        columns=columns,
        stdin=True,
    )
    try:
        process = await attachment.started(sandbox.start(command))
        try:
            ended = await attachment.join(process)
        finally:
            await process.aclose()
        _comment(ended)
        return ended.code
    except Gone as gone:
        return gone.code
    finally:
        await sandbox.aclose()


def _comment(ended: Exit) -> None:
    """Why we ended it; what the sandbox stopped, where a person reads along."""
    if ended.killed_because is not None:
        _say(ended.killed_because)
    elif ended.denied is not None and os.isatty(2):
        _say(ended.denied)


def _say(sentence: str) -> None:
    sys.stderr.write(f"codex: {sentence}\n")
    sys.stderr.flush()
