"""Our `codex` as a process of its own, with a home of its own, against a scripted server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.model_server import ModelServer

COMMAND = (str(Path(sys.executable).with_name("codex")),)
"""As users start it, with whatever bundle of bytecode there is."""
_OURS = ("CODEX_", "OPENAI_", "NO_COLOR", "FORCE_COLOR", "RUST_LOG")


class OurCommand:
    """Runs in `work`, a git repository as far as anybody asks; settings stand in `home/config.toml`."""

    def __init__(self, scratch: Path, server: ModelServer, *, settings: str = "", wire_api: str = "responses") -> None:
        self.home = scratch / "home"
        self.work = scratch / "work"
        self.home.mkdir(parents=True)
        (self.work / ".git").mkdir(parents=True)
        (self.work / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        (self.home / "config.toml").write_text(
            f'model = "gpt-5.5"\nmodel_provider = "scripted"\n{settings}\n[model_providers.scripted]\n'
            f'name = "scripted"\nbase_url = "{server.url}"\nwire_api = "{wire_api}"\n'
            "request_max_retries = 0\nstream_max_retries = 1\n"
        )

    def environment(self, **more: str) -> dict[str, str]:
        """This process's environment without what would change a run."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        return {**kept, "CODEX_HOME": str(self.home), **more}

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """A running command; its streams are pipes of text unless `options` say otherwise."""
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        env = self.environment(**options.pop("env", {}))
        return subprocess.Popen(
            [*COMMAND, *arguments], **{**pipes, "cwd": self.work, "env": env, "text": True, **options}
        )

    def run(self, *arguments: str, code: int = 0, stdin: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
        """A command that has ended with `code`, without a traceback."""
        process = self.start(*arguments, **options)
        out, err = process.communicate(stdin, timeout=60)
        assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in (err or "")
        return subprocess.CompletedProcess(arguments, code, out, err)

    def exec(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """`codex exec` that has ended."""
        return self.run("exec", *arguments, **options)

    def events(self, *arguments: str, **options: Any) -> list[dict[str, Any]]:
        """The lines of `codex exec --json`."""
        return [json.loads(line) for line in self.exec("--json", *arguments, **options).stdout.splitlines()]

    def rollouts(self) -> list[Path]:
        """The threads on disk."""
        return sorted(self.home.glob("sessions/**/*.jsonl"))
