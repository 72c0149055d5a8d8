"""Where cases are played: without a sandbox, and under every choice of layers, through real helpers."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import textwrap
from collections.abc import Iterable
from pathlib import Path

from codex_kernel.config.types import ShellEnvironmentPolicy
from codex_kernel.sandbox import bubblewrap
from codex_kernel.sandbox.deny import DeniedPaths
from codex_kernel.sandbox.environment import command_environment, sandbox_variables
from codex_kernel.sandbox.helper import Helper
from codex_kernel.sandbox.host import RealHost
from codex_kernel.sandbox.interface import Command, Exit, Process
from codex_kernel.sandbox.layers import Layer
from codex_kernel.sandbox.placeholders import Placeholders
from codex_kernel.sandbox.plan import Places, plan
from codex_kernel.sandbox.recipe import confined_recipe
from codex_kernel.sandbox.roots import Roots
from codex_protocol.policy import ReadOnly, WorkspaceWrite
from tests.kernel.sandbox.escapes.case import MARK, Case, Room
from tests.kernel.sandbox.escapes.trees import Tree, grow

LETTERS = {"N": Layer.NAMESPACES, "L": Layer.LANDLOCK, "S": Layer.SECCOMP}
_PYTHON = "/usr/bin/python3"
_LIMIT_S = 30


def layers_of(letters: Iterable[str]) -> frozenset[Layer]:
    """Layers by their letters; B is always there."""
    return frozenset(LETTERS[letter] for letter in letters if letter in LETTERS)


class Stage:
    """A scratch folder, the helpers that are shared, and the agent's side of every run."""

    def __init__(self, folder: Path, probe: Path) -> None:
        """Descriptors 200 and up are left open for every child, as a careless agent might."""
        self._folder = folder
        self._probe = probe
        self._count = 0
        self._shared: dict[tuple[frozenset[Layer], str | None, bool, bool], asyncio.Task[tuple[Tree, Helper]]] = {}
        self._trees: list[Tree] = []

    async def close(self) -> None:
        """End every helper."""
        for found in await asyncio.gather(*self._shared.values(), return_exceptions=True):
            if not isinstance(found, BaseException):
                await found[1].aclose()

    async def without(self, case: Case) -> tuple[bool, str]:
        """Whether it happens with no sandbox at all, and what the command said."""
        tree = grow(case.tree, self._new_folder())
        return await self._play(case, tree, None)

    async def under(self, case: Case, layers: frozenset[Layer], bwrap: str | None = None) -> tuple[bool, str]:
        """Whether it happens under these layers alone, and what the command said.

        Args:
            case: What is tried.
            layers: What is switched on.
            bwrap: The program that builds the namespaces instead of our helper.
        """
        if case.tree != "repository":
            tree, helper = await self._launch(case, layers, bwrap)
            try:
                return await self._play(case, tree, helper)
            finally:
                await helper.aclose()
        key = (layers, bwrap, case.read_only, case.network)
        if key not in self._shared:
            self._shared[key] = asyncio.ensure_future(self._launch(case, layers, bwrap))
        tree, helper = await self._shared[key]
        return await self._play(case, tree, helper)

    def _new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._folder))

    async def _launch(self, case: Case, layers: frozenset[Layer], bwrap: str | None) -> tuple[Tree, Helper]:
        tree = grow(case.tree, self._new_folder())
        policy = (
            ReadOnly()
            if case.read_only
            else WorkspaceWrite(
                writable_roots=tree.more_roots,
                network_access=case.network,
                exclude_slash_tmp=True,
                exclude_tmpdir_env_var=True,
            )
        )
        host = RealHost(user_home=str(tree.user_home), temp_dir=None)
        places = Places(home=str(tree.home), private=(str(tree.runtime),), code=(str(tree.code),), trusted=tree.trusted)
        denied = DeniedPaths(tree.settings.deny_read, str(tree.root), host).paths()
        roots = Roots(host).of(policy, str(tree.root))
        made = plan(policy, str(tree.root), places, tree.settings, host, roots=roots, denied=denied)
        Placeholders(tree.runtime).hold(made.placeholders)
        recipe = confined_recipe(made, layers, inside_bwrap=bwrap is not None)
        return tree, await Helper.launch(recipe, bubblewrap.prefix(bwrap, made) if bwrap is not None else ())

    async def _play(self, case: Case, tree: Tree, helper: Helper | None) -> tuple[bool, str]:
        self._count += 1
        room = Room(tree.root, f"{case.name}-{self._count}", tree.outside, tree.home, tree.user_home)
        try:
            case.before(room)
            command = self._command(case, room)
            if helper is None:
                room.output = await _run_plain(case, room, command)
            else:
                process = await helper.run(command, command.env, _exit, lambda: None)
                room.output = await _run(case, room, process)
            return case.happened(room), room.output
        finally:
            room.close()

    def _command(self, case: Case, room: Room) -> Command:
        script = textwrap.dedent(case.script).lstrip("\n")
        if script.startswith("# python"):
            script = f"import sys; sys.path.insert(0, {str(self._probe)!r}); from probe import *\n{script}"
            argv = (_PYTHON, "-I", "-S", "-c", script)
        else:
            argv = ("/bin/bash", "-c", script)
        policy = ReadOnly() if case.read_only else WorkspaceWrite(network_access=case.network)
        passed = command_environment(ShellEnvironmentPolicy(), os.environ)
        own = {
            "HOME": str(room.user_home),
            "AGENT_HOME": str(room.home),
            "ROOT": str(room.root),
            "WORK": str(room.work),
            "OUTSIDE": str(room.outside),
            "MARK": MARK,
        }
        return Command(
            argv=argv,
            cwd=room.work,
            env=passed | own | room.env | sandbox_variables(policy),
            policy=policy,
            workspace=room.root,
            pty=case.pty,
        )


def _exit(ending: object) -> Exit:
    return Exit(code=ending.code)  # type: ignore[attr-defined]


async def _run(case: Case, room: Room, process: Process) -> str:
    said = bytearray()

    async def listen() -> None:
        async for chunk in process.output():
            said.extend(chunk.data)

    listening = asyncio.ensure_future(listen())
    try:
        async with asyncio.timeout(_LIMIT_S):
            if case.ended_by_us:
                await _ready(room)
                process.kill()
            await process.wait()
            await listening
    except TimeoutError:
        said += b" [ended: it took too long] "
    finally:
        listening.cancel()
        await process.aclose()
    return said.decode("utf-8", "replace")


async def _run_plain(case: Case, room: Room, command: Command) -> str:
    """With the user's own rights, the agent's descriptors and its whole environment, as a plain child has them."""
    out = room.outside.parent / f"{room.work.name}.out"
    passed = [int(name) for name in os.listdir("/proc/self/fd") if int(name) >= 200]
    with out.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command.argv,
            cwd=command.cwd,
            env=dict(os.environ) | command.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            pass_fds=passed,
        )
        if case.ended_by_us:
            await _ready(room)
            process.kill()
        try:
            async with asyncio.timeout(_LIMIT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
    return out.read_text("utf-8", "replace")


async def _ready(room: Room) -> None:
    while not (room.work / "ready").exists():  # noqa: ASYNC110 - the command can tell us by a file only
        await asyncio.sleep(0.005)


def clear(folder: Path) -> None:
    """Remove a scratch folder, whatever flags and modes the cases have left."""
    shutil.rmtree(folder, ignore_errors=True)
