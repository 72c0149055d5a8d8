import asyncio
from typing import Any

import pytest

from codex_kernel.model.interface import Completed, Created, ItemDone, Prompt, ReasoningDelta, TextDelta
from codex_kernel.model.scripted import ScriptedModel, calls, custom, fails, reasons, says, sends, uses, waits
from codex_protocol.errors import ModelError, StreamClosed
from codex_protocol.items import CustomToolCall, FunctionCall, Message, Reasoning, WebSearchCall
from codex_protocol.token_usage import TokenUsage
from tests.support.http_client import PROMPT


async def play(model: ScriptedModel, prompt: Prompt = PROMPT) -> list[Any]:
    return [event async for event in model.stream(prompt)]


async def test_a_script_is_played_response_by_response() -> None:
    model = ScriptedModel(
        [reasons("hm"), says("a text of more than one piece"), calls("shell", {"command": ["ls"]})], says("done")
    )
    first = await play(model)
    assert isinstance(first[0], Created)
    kinds = [type(event.item) for event in first if isinstance(event, ItemDone)]
    assert kinds == [Reasoning, Message, FunctionCall]
    assert "".join(event.delta for event in first if isinstance(event, TextDelta)) == "a text of more than one piece"
    assert ReasoningDelta("hm") in first
    assert isinstance(first[-1], Completed)
    second = await play(model)
    assert second[-2].item.text() == "done"
    assert model.prompts == [PROMPT, PROMPT]


async def test_prompts_are_kept_as_they_were() -> None:
    model = ScriptedModel(says("a"), says("b"))
    history = list(PROMPT.input)
    await play(model, Prompt(model="m", instructions="", input=history, thread_id="t"))
    history.clear()
    assert len(model.prompts[0].input) == 1


async def test_call_ids_are_numbered_unless_given() -> None:
    model = ScriptedModel([calls("f", "not json"), custom("apply_patch", "p", call_id="mine"), calls("g", {})])
    items = [event.item for event in await play(model) if isinstance(event, ItemDone)]
    first, second, third = items
    assert isinstance(first, FunctionCall)
    assert isinstance(second, CustomToolCall)
    assert isinstance(third, FunctionCall)
    assert [first.call_id, second.call_id, third.call_id] == ["call_1", "mine", "call_2"]
    assert first.arguments == "not json"


async def test_a_failure_comes_after_what_was_sent_before_it() -> None:
    model = ScriptedModel([says("half"), fails(StreamClosed("cut"))], says("whole"))
    seen: list[Any] = []
    with pytest.raises(StreamClosed, match="cut"):
        seen.extend([seen.append(event) async for event in model.stream(PROMPT)])
    assert any(isinstance(event, ItemDone) for event in seen)
    assert (await play(model))[-2].item.text() == "whole"


async def test_a_script_that_is_over_says_so_or_starts_its_last_response_again() -> None:
    model = ScriptedModel(says("a"))
    await play(model)
    with pytest.raises(ModelError, match="only 1"):
        await play(model)
    model = ScriptedModel(says("a"), again=True)
    for _ in range(3):
        assert (await play(model))[-2].item.text() == "a"


async def test_token_counts_are_the_responses_own_or_the_models() -> None:
    usual = TokenUsage(input_tokens=1, total_tokens=1)
    model = ScriptedModel(says("a"), [says("b"), uses(10, 5, cached_tokens=4)], usage=usual)
    assert (await play(model))[-1].usage == usual
    assert (await play(model))[-1].usage == TokenUsage(
        input_tokens=10, cached_input_tokens=4, output_tokens=5, total_tokens=15
    )


async def test_a_response_can_be_made_of_its_prompt_and_hold_any_item() -> None:
    model = ScriptedModel(lambda prompt: [says(f"{len(prompt.input)} items"), sends(WebSearchCall(id="w"))])
    items = [event.item for event in await play(model) if isinstance(event, ItemDone)]
    assert isinstance(items[0], Message)
    assert items[0].text() == "1 items"
    assert items[1] == WebSearchCall(id="w")


async def test_a_response_waits_for_its_event_and_can_be_cancelled() -> None:
    go = asyncio.Event()
    model = ScriptedModel([waits(go), says("a")], [waits()])
    task = asyncio.create_task(play(model))
    await asyncio.sleep(0)
    assert not task.done()
    go.set()
    await asyncio.wait_for(task, 5)
    stuck = asyncio.create_task(play(model))
    await asyncio.sleep(0)
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    await model.aclose()
    assert model.closed
