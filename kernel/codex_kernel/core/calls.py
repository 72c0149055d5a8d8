"""Running the calls of one response: side by side where tools allow it, each output on disk when its call ends."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Awaitable, Callable, Sequence

from codex_kernel.core.history import ABORTED, History, call_id_of, output_for
from codex_kernel.tools.interface import BadArguments, Emit, Tool, ToolContext, ToolOutput
from codex_kernel.tools.registry import ToolRegistry, unknown_call
from codex_protocol.errors import CodexError
from codex_protocol.events import EventMsg
from codex_protocol.items import OutputItem, ToolCallItem

MOST_AT_ONCE = 32
"""Of parallel calls: each may hold several descriptors, of which a process often has a thousand."""

log = logging.getLogger(__name__)

MakeContext = Callable[[ToolCallItem], ToolContext]
EmitLater = Callable[[Callable[[], EventMsg | None]], None]
RunCall = Callable[[ToolCallItem], Awaitable[ToolOutput]]
Around = Callable[[ToolCallItem, ToolContext, RunCall], Awaitable[ToolOutput]]


async def run_calls(
    calls: Sequence[ToolCallItem],
    registry: ToolRegistry,
    make_context: MakeContext,
    history: History,
    emit: Emit,
    emit_later: EmitLater,
    around: Around | None = None,
    ready: Callable[[ToolCallItem], Awaitable[None]] | None = None,
) -> list[OutputItem]:
    """The outputs, in call order; each was written to the rollout the moment its call ended.

    Neighbouring calls whose tools are parallel run together, `MOST_AT_ONCE` at a time; others run alone, in their turn.

    Args:
        calls: Calls of one response, in order; they are in the history already.
        registry: Finds the tool of a call.
        make_context: What a call may use.
        history: Its rollout gets the outputs; the caller appends what is returned.
        emit: Gets the events that tell of ends.
        emit_later: Gets what makes events that may wait until the next request is on its way.
        around: Runs each call by the function it is given, or does not; None just runs it.
        ready: Awaited before each call, and before what is around it.

    Raises:
        asyncio.CancelledError: The turn was interrupted. Every call has an output, in the history already.
        CodexError: A tool found what the model cannot mend. Likewise.
    """
    outputs: dict[str, OutputItem] = {}

    async def one(call: ToolCallItem) -> None:
        context = make_context(call)

        async def run(asked: ToolCallItem) -> ToolOutput:
            return await _result_of(asked, registry.find(asked), context)

        try:
            if ready is not None:
                await ready(call)
            result = await (run(call) if around is None else around(call, context, run))
        except asyncio.CancelledError:
            settle(call, context.interrupted or ToolOutput(ABORTED, success=False))
            raise
        except CodexError as error:
            settle(call, ToolOutput(f"error: {error}", success=False))
            raise
        settle(call, result)

    def settle(call: ToolCallItem, result: ToolOutput) -> None:
        item = output_for(call, result.content)
        outputs[call_id_of(call)] = item  # whatever becomes of the rollout: the history stays valid
        history.write(item)
        for event in result.after:
            emit(event)
        if result.later is not None:
            emit_later(result.later)

    def in_order() -> list[OutputItem]:
        for call in calls:
            if call_id_of(call) not in outputs:
                item = outputs[call_id_of(call)] = output_for(call, ABORTED)
                with contextlib.suppress(CodexError):
                    history.write(item)
        return [outputs[call_id_of(call)] for call in calls]

    try:
        for together, group in itertools.groupby(enumerate(calls), key=lambda pair: _group_of(pair, registry)):
            del together
            await _run_together([call for _, call in group], one)
    except BaseException:
        history.append(*in_order())
        raise
    return in_order()


def _group_of(pair: tuple[int, ToolCallItem], registry: ToolRegistry) -> int:
    """One key for all parallel calls in a row, a key of its own for any other."""
    position, call = pair
    tool = registry.find(call)
    return -1 if tool is None or tool.parallel else position


async def _run_together(calls: list[ToolCallItem], one: Callable[[ToolCallItem], Awaitable[None]]) -> None:
    if len(calls) == 1:
        await one(calls[0])
        return
    turnstile = asyncio.Semaphore(MOST_AT_ONCE)

    async def in_turn(call: ToolCallItem) -> None:
        async with turnstile:
            await one(call)

    try:
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(in_turn(call), name=f"call {call_id_of(call)}")
    except BaseExceptionGroup as failures:
        for failure in failures.exceptions:
            if isinstance(failure, CodexError):
                raise failure from None
        raise


async def _result_of(call: ToolCallItem, tool: Tool | None, context: ToolContext) -> ToolOutput:
    if tool is None:
        return ToolOutput(unknown_call(call), success=False)
    if not call_id_of(call):
        return ToolOutput("LocalShellCall without call_id or id", success=False)
    try:
        return await tool.run(call, context)
    except BadArguments as error:
        return ToolOutput(str(error), success=False)
    except (CodexError, asyncio.CancelledError):
        raise
    except Exception as error:  # a fault of a tool must not cost the user the thread
        log.exception("%s failed", tool.names[0])
        return ToolOutput(f"internal error in {tool.names[0]}: {type(error).__name__}: {error}", success=False)
