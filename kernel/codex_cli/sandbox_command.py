"""`codex sandbox` and the older `codex debug landlock|seatbelt`: run a command as the model's commands are run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from codex_cli.log_setup import configure_logging
from codex_cli.parser import CommandLineError, Parsed
from codex_kernel.config.directory import current_directory
from codex_protocol.errors import CodexError
from codex_protocol.policy import SandboxMode


def run_sandbox_command(parsed: Parsed) -> int:
    """The command's own exit code; 128 + N when signal N ended it.

    Raises:
        CommandLineError: `--full-auto` and another mode at once, or no command.
        UsageError: `--network` under a policy that has none.
        CodexError: The platform has no such sandbox, or the command cannot be confined.
    """
    configure_logging(os.environ)
    _check_platform(parsed)
    explain = parsed.flag("explain")
    if not parsed.words and not explain:
        raise CommandLineError(f"'{' '.join(('codex', *parsed.path))}' needs COMMAND", parsed.chain)
    from msgspec.structs import replace

    from codex_kernel.config.load import Flags, load_config
    from codex_kernel.sandbox.command import run_sandboxed, with_network
    from codex_store.home import find_home

    home = find_home()
    config = load_config(
        home=home,
        cwd=_directory(parsed.one("cd")),
        overrides=parsed.many("config"),
        flags=Flags(sandbox_mode=_mode(parsed), add_dirs=parsed.many("add_dir")),
    )
    policy = with_network(config.sandbox_policy, network=parsed.flag("network"))
    return run_sandboxed(
        parsed.words,
        config=replace(config, sandbox_policy=policy),
        runtime_dir=home.runtime_dir(),
        private_dirs=home.private_dirs(),
        explain=explain,
    )


def _mode(parsed: Parsed) -> SandboxMode | None:
    """What the line says; None leaves it to the settings. The older commands are read-only unless told otherwise."""
    given = parsed.one("sandbox")
    if parsed.flag("full_auto"):
        if given not in (None, "workspace-write"):
            raise CommandLineError(f"'--full-auto' and '--sandbox {given}' contradict each other", parsed.chain)
        return SandboxMode.WORKSPACE_WRITE
    if given is not None:
        return SandboxMode(given)
    return SandboxMode.READ_ONLY if parsed.path[0] == "debug" else None


def _check_platform(parsed: Parsed) -> None:
    wanted = {"landlock": "linux", "seatbelt": "darwin"}.get(parsed.path[-1])
    if wanted is not None and not sys.platform.startswith(wanted):
        raise CodexError(f"'codex {' '.join(parsed.path)}' works on {wanted} only; 'codex sandbox' works here too")


def _directory(given: str | None) -> Path:
    directory = current_directory(given) / (given or "")
    if not directory.is_dir():
        raise CodexError(f"the directory {given} does not exist (-C)")
    return directory
