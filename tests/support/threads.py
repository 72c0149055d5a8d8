"""Threads for tests of the core: a scripted model, a sandbox that confines nothing, every event gathered."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from codex_kernel.config.types import Config, ModelProvider, WireApi
from codex_kernel.core.thread import Thread
from codex_kernel.model.scripted import ScriptedModel
from codex_protocol.events import Event, EventMsg, NumberedEvent, TaskComplete, TurnAborted
from codex_protocol.ops import TextInput, UserInput
from codex_protocol.policy import ApprovalPolicy, DangerFullAccess
from tests.support.plain_sandbox import PlainSandbox

PROVIDER = ModelProvider(name="scripted", base_url="http://127.0.0.1:9", wire_api=WireApi.RESPONSES)


def make_config(folder: Path, **changes: Any) -> Config:
    """Settings of a thread that works in `folder`/work with its home in `folder`/home."""
    home, work = folder / "home", folder / "work"
    home.mkdir(exist_ok=True)
    work.mkdir(exist_ok=True)
    values: dict[str, Any] = {
        "codex_home": home,
        "cwd": work,
        "model": "gpt-5.5",
        "model_provider": "scripted",
        "provider": PROVIDER,
        "approval_policy": ApprovalPolicy.NEVER,
        "sandbox_policy": DangerFullAccess(),
    }
    return Config(**{**values, **changes})


class Watched:
    """A thread and what it said."""

    def __init__(self, thread: Thread, model: ScriptedModel, sandbox: PlainSandbox) -> None:
        self.thread = thread
        self.model = model
        self.sandbox = sandbox
        self.events: list[Event] = []
        self._news = asyncio.Event()
        thread.subscribe(self._take)

    def _take(self, numbered: NumberedEvent) -> None:
        self.events.append(numbered.event)
        self._news.set()

    def all(self, kind: type) -> list[Any]:
        return [event.msg for event in self.events if isinstance(event.msg, kind)]

    async def until(self, kind: type | tuple[type, ...], count: int = 1) -> Any:
        """The `count`-th event of a kind, waited for."""

        async def wait() -> EventMsg:
            while True:
                found = [event.msg for event in self.events if isinstance(event.msg, kind)]
                if len(found) >= count:
                    return found[count - 1]
                self._news.clear()
                await self._news.wait()

        return await asyncio.wait_for(wait(), 60)

    async def turn(self, text: str = "go", **fields: Any) -> Any:
        """Run one turn to its end: a `TaskComplete` or `TurnAborted`."""
        before = len(self.all(TaskComplete) + self.all(TurnAborted))
        self.thread.submit(UserInput(items=(TextInput(text),), **fields))
        return await self.until((TaskComplete, TurnAborted), before + 1)

    def sent(self, number: int = -1) -> tuple[Any, ...]:
        """The input of a request: items."""
        return tuple(self.model.prompts[number].input)


@asynccontextmanager
async def running(
    folder: Path,
    *responses: Any,
    can_ask: bool = False,
    sandbox: PlainSandbox | None = None,
    model: ScriptedModel | None = None,
    resume: Path | None = None,
    fork: Path | None = None,
    **config: Any,
) -> AsyncIterator[Watched]:
    """A thread that plays `responses`, ended at the end."""
    model = model or ScriptedModel(*responses)
    sandbox = sandbox or PlainSandbox()
    thread = await Thread.start(
        make_config(folder, **config),
        can_ask=can_ask,
        model=model,
        sandbox=sandbox,
        resume=resume,
        fork=fork,
        environment={"PATH": os.environ["PATH"], "HOME": str(folder)},
    )
    watched = Watched(thread, model, sandbox)
    try:
        yield watched
    finally:
        await asyncio.wait_for(thread.aclose(), 60)
