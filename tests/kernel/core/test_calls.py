"""Running the calls of one response, without a thread around them."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from codex_kernel.core.calls import MOST_AT_ONCE, run_calls
from codex_kernel.core.history import History
from codex_kernel.core.state import NoRecorder
from codex_kernel.tools.interface import ToolOutput
from codex_kernel.tools.registry import ToolRegistry
from codex_protocol.items import FunctionCall


class Crowd:
    """A parallel tool that counts how many of its calls run."""

    names = ("crowd",)
    parallel = True

    def __init__(self) -> None:
        self.running = self.most = 0

    async def run(self, call: FunctionCall, context: object) -> ToolOutput:
        self.running += 1
        self.most = max(self.most, self.running)
        for _ in range(3):
            await asyncio.sleep(0)
        self.running -= 1
        return ToolOutput(call.call_id, success=True)

    def find(self, call: object) -> Crowd:
        """As the registry it stands for."""
        return self


async def test_a_crowd_of_parallel_calls_runs_a_few_at_once_and_answers_in_call_order() -> None:
    crowd = Crowd()
    calls = [FunctionCall(name="crowd", arguments="{}", call_id=f"call_{n}") for n in range(200)]
    outputs = await run_calls(
        calls,
        cast("ToolRegistry", crowd),
        cast("Any", lambda call: None),
        History(NoRecorder()),
        lambda msg: None,
        lambda make: None,
    )
    assert [output.text() for output in outputs] == [call.call_id for call in calls]
    assert crowd.most == MOST_AT_ONCE
