"""Who is measured: this project and two upstream releases, each started and configured as its users do it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import peers
from tests.support.replies import custom_call, function_call


@dataclass(frozen=True)
class Contestant:
    """One program to measure."""

    name: str
    version: str
    command: Path
    model: str
    shell_call: Callable[[str], dict[str, Any]]
    """A tool call that runs a script in bash."""
    patch_call: Callable[[str], dict[str, Any]]
    resume: Callable[[Path, str], list[str]]
    """Arguments of `exec` after its options that send a prompt to the only thread of a home."""

    def config(self, base_url: str) -> str:
        """The `config.toml` that sends it to the scripted server; nothing is switched off."""
        return (
            f'model = "{self.model}"\nmodel_provider = "scripted"\n\n[model_providers.scripted]\nname = "scripted"\n'
            f'base_url = "{base_url}"\nwire_api = "responses"\nrequest_max_retries = 0\nstream_max_retries = 0\n'
        )

    def argv(self, *options: str, prompt: Sequence[str] = ("go",)) -> list[str]:
        """A command line of `exec`."""
        return [str(self.command), "exec", "--skip-git-repo-check", *options, *prompt]


def _exec_command(script: str) -> dict[str, Any]:
    return function_call("exec_command", {"cmd": script})


def _shell(script: str) -> dict[str, Any]:
    return function_call("shell", {"command": ["bash", "-lc", script], "timeout_ms": 60_000})


def _custom_patch(patch: str) -> dict[str, Any]:
    return custom_call("apply_patch", patch)


def _patch_by_shell(patch: str) -> dict[str, Any]:
    return function_call("shell", {"command": ["apply_patch", patch]})


def _resume_last(home: Path, prompt: str) -> list[str]:
    return ["resume", "--last", prompt]


def _resume_by_path(home: Path, prompt: str) -> list[str]:
    rollouts = sorted(home.glob("sessions/**/*.jsonl"))
    return ["-c", f"experimental_resume={json.dumps(str(rollouts[0]))}", prompt]


def ours(command: Path) -> Contestant:
    """This project."""
    run = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    version = run.stdout.split()[-1]
    return Contestant("ours", version, command, "gpt-5.5", _exec_command, _custom_patch, _resume_last)


def august() -> Contestant:
    """Upstream of August 2025."""
    peer = peers.august()
    return Contestant("0.27", peer.version, peer.command, peer.model, _shell, _patch_by_shell, _resume_by_path)


def november() -> Contestant:
    """Upstream of November 2026."""
    peer = peers.november()
    return Contestant("0.169", peer.version, peer.command, peer.model, _exec_command, _custom_patch, _resume_last)
