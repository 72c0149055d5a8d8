"""The sandbox of one thread: helpers kept warm, commands started through them, questions about paths answered."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from codex_kernel.config.types import SandboxSettings
from codex_kernel.sandbox import ladder
from codex_kernel.sandbox.access import Access, Rights
from codex_kernel.sandbox.deny import DeniedPaths
from codex_kernel.sandbox.environment import sandbox_variables
from codex_kernel.sandbox.host import Host
from codex_kernel.sandbox.interface import Command, Process
from codex_kernel.sandbox.layers import Layer
from codex_kernel.sandbox.placeholders import Placeholders
from codex_kernel.sandbox.plan import Confinement, Places, plan
from codex_kernel.sandbox.roots import Roots
from codex_kernel.sandbox.words import facts_of
from codex_protocol.errors import SandboxError
from codex_protocol.policy import DangerFullAccess, SandboxFacts, SandboxPolicy

if TYPE_CHECKING:
    from codex_kernel.sandbox.slot import Slot

_turnstiles: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def _turnstile() -> asyncio.Semaphore:
    """Lets one helper of the process be warmed at a time: a hundred at once would leave no processor to the loop.

    A command that needs its helper passes by.
    """
    return _turnstiles.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(1))


class LocalSandbox:
    """Implements `Sandbox` on this machine."""

    def __init__(
        self,
        places: Places,
        settings: SandboxSettings,
        host: Host,
        cwd: str,
        runtime_dir: Path,
        *,
        lowest_rung: int | None,
        layers: frozenset[Layer],
    ) -> None:
        self._places = places
        self._settings = settings
        self._runtime_dir = runtime_dir
        self._lowest_rung = lowest_rung
        self._layers = layers
        self._host = host
        self._roots = Roots(self._host)
        self._access = Access(places, settings, self._host, self._roots, cwd)
        self._placeholders = Placeholders(runtime_dir)
        self._slots: dict[tuple[SandboxPolicy, str], Slot] = {}
        self._warming: set[asyncio.Task[None]] = set()
        self._rung: ladder.Rung | None = None

    def facts(self, policy: SandboxPolicy) -> SandboxFacts:
        """See `Sandbox`."""
        return facts_of(policy, self._found_rung())

    def warm(self, policy: SandboxPolicy, workspace: Path) -> None:
        """See `Sandbox`."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # nothing can be kept without a loop; the first command starts what it needs
        task = loop.create_task(self._warm(policy, workspace))
        self._warming.add(task)
        task.add_done_callback(self._warming.discard)

    async def _warm(self, policy: SandboxPolicy, workspace: Path) -> None:
        async with _turnstile():
            try:
                await self._slot(policy, workspace).helper()
            except SandboxError:
                return  # the command that needs it reports it

    async def start(self, command: Command) -> Process:
        """See `Sandbox`."""
        if not command.argv or not command.argv[0]:
            raise SandboxError("The command is empty.")
        if any("\0" in word for word in (*command.argv, *command.env.values(), *command.env)):
            raise SandboxError("The command or its environment contains a zero byte.")
        if (bad := next((name for name in command.env if not name or "=" in name), None)) is not None:
            raise SandboxError(f"The environment variable name {bad!r} cannot be used.")
        by_seatbelt = not isinstance(command.policy, DangerFullAccess) and sys.platform == "darwin"
        env = command.env | sandbox_variables(command.policy, seatbelt=by_seatbelt)
        slot = self._slot(command.policy, command.workspace)
        if sys.platform != "linux":
            return await slot.run_directly(command, env)
        return await slot.run(command, env)

    def may_read(self, path: Path) -> bool:
        """See `Sandbox`."""
        return self._access.may_read(str(path))

    def may_write(self, path: Path, policy: SandboxPolicy, workspace: Path) -> bool:
        """See `Sandbox`."""
        return self._access.may_write(str(path), policy, str(workspace))

    def rights(self) -> Rights:
        """See `Sandbox`."""
        return self._access.rights()

    async def aclose(self) -> None:
        """See `Sandbox`."""
        for task in list(self._warming):
            task.cancel()
        await asyncio.gather(*self._warming, return_exceptions=True)
        await asyncio.gather(*(slot.aclose() for slot in self._slots.values()))
        self._slots.clear()
        self._placeholders.clear()

    def _slot(self, policy: SandboxPolicy, workspace: Path) -> Slot:
        here = "" if isinstance(policy, DangerFullAccess) else str(workspace)
        slot = self._slots.get((policy, here))
        if slot is None:
            from codex_kernel.sandbox.slot import Slot  # with what it starts processes by; many threads run none

            denied = DeniedPaths(self._settings.deny_read, os.path.realpath(workspace), self._host)
            slot = Slot(
                policy,
                make_plan=lambda: self._plan(policy, here, denied.paths()),
                denied=denied.paths,
                identity=self._host.identity,
                rung=self._found_rung,
                distrust=self._distrust,
                idle=self._one_is_idle,
            )
            self._slots[policy, here] = slot
        return slot

    def _plan(self, policy: SandboxPolicy, workspace: str, denied: tuple[str, ...]) -> Confinement:
        """The plan as the tree stands now, its placeholders made."""
        if isinstance(policy, DangerFullAccess):
            raise SandboxError("Full access has no plan.")
        self._placeholders.sweep()
        roots = self._roots.of(policy, workspace)
        made = plan(policy, workspace, self._places, self._settings, self._host, roots=roots, denied=denied)
        if sys.platform == "linux":  # elsewhere what does not exist is forbidden by name
            self._placeholders.hold(made.placeholders, made.read_only)
        return made

    def _found_rung(self) -> ladder.Rung:
        if self._rung is None:
            self._rung = ladder.find_rung(self._runtime_dir, lowest=self._lowest_rung, layers=self._layers)
        return self._rung

    def _distrust(self) -> None:
        ladder.forget(self._runtime_dir)
        self._rung = None

    def _one_is_idle(self) -> None:
        if all(slot.empty for slot in self._slots.values()):
            self._placeholders.clear()
