"""Runs the hooks of an event side by side and joins what they say, in the order they are configured."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from codex_kernel.hooks.definitions import Handler
from codex_kernel.hooks.process import run_hook
from codex_kernel.hooks.results import HookResult, result_of
from codex_kernel.hooks.trust import Trust

log = logging.getLogger(__name__)

Notify = Callable[[str], None]
"""Gets one sentence for the user."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What all hooks of one event said together."""

    blocked: str | None = None
    """The first objection; None when nobody objects."""
    blocker: Handler | None = None
    """Whose objection that is."""
    contexts: tuple[str, ...] = ()
    stopped: bool = False
    stop_reason: str | None = None
    permission: Literal["allow", "deny"] | None = None
    """Any denial wins."""
    updated_input: dict[str, Any] | None = None
    """The last one's."""


NOTHING = Outcome()


class HookEngine:
    """The hooks of one thread."""

    def __init__(self, handlers: Sequence[Handler], trust: Trust, env: Mapping[str, str]) -> None:
        """Nothing is run yet.

        Args:
            handlers: All that are configured.
            trust: Which of them may run.
            env: What they inherit.
        """
        self._handlers = tuple(handlers)
        self._trust = trust
        self._env = env
        self._told: set[str] = set()
        self._background: set[asyncio.Task[HookResult]] = set()

    def has(self, event: str) -> bool:
        """Whether any hook is configured for the event."""
        return any(handler.event == event for handler in self._handlers)

    async def fire(
        self, event: str, payload: Mapping[str, Any], cwd: Path, notify: Notify, subjects: Sequence[str] = ()
    ) -> Outcome:
        """Run the trusted hooks of an event that are meant for one of `subjects`, and wait for them.

        Args:
            event: Its name.
            payload: What they read; JSON.
            cwd: Where they run.
            notify: Told of hooks that fail, are skipped, or have something to say to the user.
            subjects: What matchers are compared with.

        Raises:
            asyncio.CancelledError: Interrupted; their processes are gone.
        """
        handlers = [one for one in self._handlers if one.event == event and self._may_run(one, cwd, notify)]
        handlers = [one for one in handlers if one.matches(subjects)]
        if not handlers:
            return NOTHING
        encoded = json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace")
        waited = [one for one in handlers if not one.background]
        for handler in handlers:
            if handler.background:
                self._start(handler, encoded, cwd)
        for handler in waited:
            if handler.status:
                notify(handler.status)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._run(handler, encoded, cwd)) for handler in waited]
        return _joined(waited, [task.result() for task in tasks], notify)

    async def aclose(self) -> None:
        """End what still runs in the background."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    def _may_run(self, handler: Handler, cwd: Path, notify: Notify) -> bool:
        status = self._trust.status(handler, cwd)
        if status in ("untrusted", "modified") and handler.key not in self._told:
            self._told.add(handler.key)
            why = "was changed since you trusted it" if status == "modified" else "is not trusted"
            notify(
                f"The {handler.event} hook of {handler.file} {why} and does not run; "
                "'codex hooks list' shows it and 'codex hooks trust' trusts it."
            )
        return status == "trusted"

    def _start(self, handler: Handler, payload: bytes, cwd: Path) -> None:
        task = asyncio.create_task(self._run(handler, payload, cwd))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _run(self, handler: Handler, payload: bytes, cwd: Path) -> HookResult:
        finished = await run_hook(handler.command, payload, cwd, self._env, handler.timeout_s)
        result = result_of(handler.event, finished)
        if result.failed:
            log.warning("the %s hook %s failed: %s", handler.event, handler.key, result.failed)
        return result


def _joined(handlers: Sequence[Handler], results: Sequence[HookResult], notify: Notify) -> Outcome:
    pairs = list(zip(handlers, results, strict=True))
    for handler, result in pairs:
        if result.failed:
            notify(f"The {handler.event} hook of {handler.file} failed, and the work goes on: {result.failed}.")
        if result.message:
            notify(result.message)
    objections = [(handler, result.blocked) for handler, result in pairs if result.blocked is not None]
    answers = [result.permission for result in results if result.permission is not None]
    denials = [(handler, result.blocked) for handler, result in pairs if result.permission == "deny"]
    blocker, blocked = (denials or objections or [(None, None)])[0]
    stops = [result.stop_reason for result in results if result.stopped]
    rewrites = [result.updated_input for result in results if result.updated_input is not None]
    return Outcome(
        blocked=blocked,
        blocker=blocker,
        contexts=tuple(result.context for result in results if result.context),
        stopped=bool(stops),
        stop_reason=next((reason for reason in stops if reason), None),
        permission=("deny" if "deny" in answers else "allow") if answers else None,
        updated_input=rewrites[-1] if rewrites else None,
    )
