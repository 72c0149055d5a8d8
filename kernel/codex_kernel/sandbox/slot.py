"""One policy in one tree: its plan, its helper, and when either must be made anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from codex_kernel.sandbox import bubblewrap, words
from codex_kernel.sandbox.cgroup import make_group
from codex_kernel.sandbox.helper import Helper, HelperFailed
from codex_kernel.sandbox.host import Identity
from codex_kernel.sandbox.interface import Command, Exit, Process
from codex_kernel.sandbox.layers import Layer
from codex_kernel.sandbox.process import Ending, NotStarted
from codex_kernel.sandbox.recipe import confined_recipe, unconfined_recipe
from codex_protocol.errors import SandboxError
from codex_protocol.policy import DangerFullAccess, SandboxPolicy

if TYPE_CHECKING:
    from codex_kernel.sandbox.ladder import Rung
    from codex_kernel.sandbox.plan import Confinement

IDLE_S = 120.0
_ATTEMPTS = 3


class Slot:
    """Starts commands of one policy in one tree; keeps at most one helper ready."""

    def __init__(
        self,
        policy: SandboxPolicy,
        make_plan: Callable[[], Confinement],
        denied: Callable[[], tuple[str, ...]],
        identity: Callable[[str], Identity | None],
        rung: Callable[[], Rung],
        distrust: Callable[[], None],
        idle: Callable[[], None],
    ) -> None:
        """Nothing is started yet.

        Args:
            policy: What commands are confined to.
            make_plan: Plans anew and makes the placeholders; may raise OSError.
            denied: What the deny-read patterns mean now; quick while the tree has not changed.
            identity: Device and inode of a path; None when absent.
            rung: What this machine can do; probes at the first call.
            distrust: Called when the machine can do less than `rung` said.
            idle: Called when the helper has ended for want of work.
        """
        self._policy = policy
        self._make_plan = make_plan
        self._denied = denied
        self._denied_then: tuple[str, ...] = ()
        self._identity = identity
        self._rung = rung
        self._distrust = distrust
        self._idle = idle
        self._lock = asyncio.Lock()
        self._plan: Confinement | None = None
        self._network_seen = False
        self._compare = False
        self._watched: dict[str, Identity | None] = {}
        self._helper: Helper | None = None
        self._retired: list[Helper] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def empty(self) -> bool:
        """Whether it holds no process."""
        return self._helper is None and not self._retired

    async def run(self, command: Command, env: dict[str, str]) -> Process:
        """Start a command.

        Raises:
            SandboxError: As `Sandbox.start`.
        """
        for attempt in range(_ATTEMPTS):
            helper = await self.helper()
            try:
                return await helper.run(command, env, self._describer(command), self._ended)
            except HelperFailed:
                continue  # it died between two commands; the next one is fresh
            except NotStarted as error:
                if error.stage == 0 and attempt + 1 < _ATTEMPTS:
                    continue
                raise words.not_started(command, error) from error
        raise SandboxError("The sandbox's helper process keeps ending before it starts the command.")

    async def run_directly(self, command: Command, env: dict[str, str]) -> Process:
        """Start a command where there are no helpers; confined by what its command line then begins with.

        Raises:
            SandboxError: As `Sandbox.start`.
        """
        from codex_kernel.sandbox.direct import start_directly

        if isinstance(self._policy, DangerFullAccess):
            return await start_directly(command, command.argv, env, confined=False, describe=self._describer(command))
        from codex_kernel.sandbox import seatbelt

        rung = self._rung()
        if not rung.seatbelt:
            raise words.not_enforced(rung)
        self._plan = await asyncio.to_thread(self._make_plan)
        argv = seatbelt.command_line(self._plan, command.argv)
        return await start_directly(command, argv, env, confined=True, describe=self._describer(command))

    async def helper(self) -> Helper:
        """A helper that confines as the tree stands now.

        Raises:
            SandboxError: The policy cannot be enforced on this machine.
        """
        async with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._helper is not None and self._helper.usable and not self._changed():
                return self._helper
            self._put_away()
            self._helper = await self._launch()
            self._schedule_idle()
            return self._helper

    async def aclose(self) -> None:
        """End the helper and everything it runs."""
        if self._timer is not None:
            self._timer.cancel()
        helpers = [*self._retired, *([self._helper] if self._helper is not None else [])]
        self._helper = None
        self._retired = []
        await asyncio.gather(*(helper.aclose() for helper in helpers))

    async def _launch(self) -> Helper:
        """A fresh helper; plans again when the tree changes under our hands, probes again when the machine refuses.

        A machine that turns out weaker than it was said to be runs nothing: whoever allowed the command believed the
        rung that was shown.
        """
        believed = None if isinstance(self._policy, DangerFullAccess) else self._rung().number
        reason = ""
        for _ in range(_ATTEMPTS):
            try:
                return await self._launch_once()
            except HelperFailed as error:
                reason = str(error)
                if error.replaced:
                    continue
            except OSError as error:
                reason = str(error)
            self._distrust()
            if believed is not None and (found := self._rung()).number > believed:
                raise words.weaker(believed, found)
        raise SandboxError(f"The sandbox cannot be set up: {reason}.")

    async def _launch_once(self) -> Helper:
        if isinstance(self._policy, DangerFullAccess):
            return await Helper.launch(unconfined_recipe())
        rung = self._rung()
        if not rung.layers & {Layer.NAMESPACES, Layer.LANDLOCK}:
            raise words.not_enforced(rung)
        plan = await asyncio.to_thread(self._make_plan)
        self._denied_then = self._denied()
        recipe = confined_recipe(plan, rung.layers, inside_bwrap=rung.bwrap is not None)
        prefix = bubblewrap.prefix(rung.bwrap, plan) if rung.bwrap is not None else ()
        group = make_group(memory_bytes=plan.memory_bytes, processes=plan.processes)
        helper = await Helper.launch(recipe, prefix, group)
        self._plan = plan
        self._network_seen = recipe["unix"]
        self._compare = not recipe["private_ipc"] or bool(rung.bwrap and bubblewrap.unprotected(plan))
        self._watched = dict.fromkeys((mask.path for mask in plan.masks), None)
        self._watched |= {path: (device, inode) for path, device, inode in recipe["pins"]}
        return helper

    def _changed(self) -> bool:
        """Whether a path the plan rests on is another file now, or is gone, or has come to be."""
        if self._plan is None:
            return False
        return self._denied() != self._denied_then or any(
            self._identity(path) != identity for path, identity in self._watched.items()
        )

    def _put_away(self) -> None:
        """The helper takes no more commands; those it runs go on under the old plan."""
        if self._helper is not None:
            self._helper.retire()
            if self._helper.busy:
                self._retired.append(self._helper)
            self._helper = None

    def _describer(self, command: Command) -> Callable[[Ending], Exit]:
        """What puts the command's ending into words, by the plan it starts under."""
        plan, seen = self._plan, self._network_seen
        if plan is None or not self._compare:
            return lambda ending: words.describe(command, ending, plan, network_seen=seen, changed=lambda: None)
        from codex_kernel.sandbox.tampering import fingerprints, tampered

        before = fingerprints(plan)
        return lambda ending: words.describe(
            command, ending, plan, network_seen=seen, changed=lambda: tampered(before, fingerprints(plan))
        )

    def _ended(self) -> None:
        self._retired = [helper for helper in self._retired if helper.busy]
        self._schedule_idle()

    def _schedule_idle(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(IDLE_S, self._stop_when_idle)

    def _stop_when_idle(self) -> None:
        self._timer = None
        if self._helper is None or self._helper.busy or self._lock.locked():
            return
        self._put_away()
        self._idle()
