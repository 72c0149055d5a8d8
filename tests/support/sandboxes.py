"""Real sandboxes over a throw-away tree, for tests in this process and for a process of another user."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path

from codex_kernel.config.types import CommandLimits, Config, ModelProvider, SandboxSettings
from codex_kernel.sandbox.interface import Command, Exit, Sandbox
from codex_kernel.sandbox.launcher import make_sandbox
from codex_kernel.sandbox.layers import ALL_LAYERS, Layer
from codex_protocol.policy import ReadOnly, SandboxPolicy, WorkspaceWrite

WRITE = WorkspaceWrite()
READ = ReadOnly()


@dataclass(frozen=True)
class Result:
    """What a finished command left."""

    exit: Exit
    stdout: str
    stderr: str

    @property
    def code(self) -> int:
        return self.exit.code


@dataclass
class Site:
    """A workspace, a home and a runtime directory below one folder, outside `/tmp`'s own workspace roots."""

    folder: Path
    settings: SandboxSettings = field(default_factory=SandboxSettings)

    def __post_init__(self) -> None:
        for directory in (self.workspace, self.home, self.runtime, self.outside):
            directory.mkdir(parents=True, exist_ok=True)
        (self.home / "auth.json").write_text("the login")

    @property
    def workspace(self) -> Path:
        return self.folder / "work"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def runtime(self) -> Path:
        return self.home / "workbench" / "run"

    @property
    def outside(self) -> Path:
        return self.folder / "outside"

    def sandbox(
        self,
        *,
        lowest_rung: int | None = None,
        layers: frozenset[Layer] = ALL_LAYERS,
        cwd: Path | None = None,
        runtime: Path | None = None,
    ) -> Sandbox:
        config = Config(
            codex_home=self.home,
            cwd=cwd or self.workspace,
            model="m",
            model_provider="p",
            provider=ModelProvider(name="p"),
            sandbox_policy=WRITE,
            sandbox=self.settings,
        )
        return make_sandbox(config, self.home, runtime or self.runtime, lowest_rung=lowest_rung, layers=layers)

    def command(
        self,
        *argv: str,
        policy: SandboxPolicy = WRITE,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        pty: bool = False,
        stdin: bool = False,
    ) -> Command:
        return Command(
            argv=argv,
            cwd=cwd or self.workspace,
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": os.environ.get("HOME", "/"), **(env or {})},
            policy=policy,
            workspace=self.workspace,
            pty=pty,
            stdin=stdin,
        )


async def run(sandbox: Sandbox, command: Command, *, limit_s: float = 60) -> Result:
    """Run to the end; kills what takes longer than `limit_s`."""
    process = await sandbox.start(command)
    try:
        said = {"stdout": bytearray(), "stderr": bytearray()}
        async with asyncio.timeout(limit_s):
            async for chunk in process.output():
                said[chunk.stream] += chunk.data
            ended = await process.wait()
        return Result(ended, said["stdout"].decode("utf-8", "replace"), said["stderr"].decode("utf-8", "replace"))
    finally:
        await process.aclose()


async def shell(
    sandbox: Sandbox, site: Site, script: str, *, policy: SandboxPolicy = WRITE, pty: bool = False
) -> Result:
    """Run a bash script in the workspace."""
    return await run(sandbox, site.command("bash", "-c", script, policy=policy, pty=pty))


def small_limits(**limits: int | None) -> SandboxSettings:
    """Settings with these limits and otherwise the defaults."""
    return SandboxSettings(limits=CommandLimits(**limits))
