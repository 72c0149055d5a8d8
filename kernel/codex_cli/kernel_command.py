"""`codex kernel install`: the kernelspec by which Jupyter finds the agent."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from codex_cli.parser import CommandLineError, Parsed
from codex_protocol.errors import CodexError

NAME = "codex"
_FORK = "codex-fork"


def run_kernel_command(parsed: Parsed) -> int:
    """The exit code; what was written is said on stdout."""
    prefix = parsed.one("prefix")
    places = [parsed.flag("user"), parsed.flag("sys_prefix"), prefix is not None]
    if sum(places) > 1:
        raise CommandLineError("'--user', '--sys-prefix' and '--prefix' contradict each other", parsed.chain)
    path = install(
        prefix=sys.prefix if parsed.flag("sys_prefix") else prefix,
        fork=parsed.flag("fork"),
    )
    sys.stdout.write(f"The kernel 'codex' is installed in {path}\n")
    if parsed.flag("fork"):
        sys.stdout.write("Only a Jupyter of this environment can start it, as its kernels come from the fork server.\n")
    return 0


def install(*, prefix: str | None = None, fork: bool = False) -> Path:
    """Write the kernelspec; where it stands.

    Args:
        prefix: An environment's root; None: the user's own folder.
        fork: Have kernels forked. A Jupyter in another environment does not know how and would leave the spec out.

    Raises:
        CodexError: The folder cannot be written.
    """
    from jupyter_client.kernelspec import KernelSpecManager

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "kernel.json").write_text(json.dumps(spec(fork=fork), indent=1) + "\n", encoding="utf-8")
        try:
            place = KernelSpecManager().install_kernel_spec(folder, NAME, user=prefix is None, prefix=prefix)
        except OSError as error:
            where = prefix or "your Jupyter folder"
            raise CodexError(f"the kernelspec cannot be written to {where}: {error.strerror or error}") from error
    return Path(place)


def spec(*, fork: bool = False) -> dict[str, Any]:
    """The kernelspec: this interpreter by its absolute path, and `-P`: nothing of the user's directory is imported."""
    metadata: dict[str, Any] = {"supported_encryption": "curve", "debugger": False}
    if fork:
        metadata["kernel_provisioner"] = {"provisioner_name": _FORK, "config": {}}
    return {
        "argv": [sys.executable, "-P", "-m", "codex_kernel.jupyter", "-f", "{connection_file}"],
        "display_name": "Codex",
        "language": "codex",
        "interrupt_mode": "message",
        "kernel_protocol_version": "5.4",
        "metadata": metadata,
    }
