"""Compaction: a shorter history with everything in it that counts."""

from __future__ import annotations

import asyncio
from pathlib import Path

from codex_kernel.model.scripted import calls, fails, says, uses, waits
from codex_protocol.errors import ContextWindowExceeded, ModelError
from codex_protocol.events import ContextCompacted, Error, TaskComplete, TaskStarted, UserMessage, Warning
from codex_protocol.ops import Compact, TextInput, UserInput
from tests.support.threads import running

LONG = "word " * 2000
PLAN = {"plan": [{"step": "first step", "status": "completed"}, {"step": "second step", "status": "in_progress"}]}


def texts(watched, number=-1) -> list[str]:
    return [item.text() for item in watched.sent(number) if hasattr(item, "text")]


async def test_on_demand_it_keeps_instructions_plan_and_the_users_words(tmp_path: Path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "AGENTS.md").write_text("be kind")
    async with running(tmp_path, [calls("update_plan", PLAN)], says(LONG), says("the summary"), says("on")) as watched:
        await watched.turn("build the thing")
        watched.thread.submit(Compact())
        compacted = await watched.until(ContextCompacted)
        assert not compacted.automatic
        await watched.until(TaskComplete, 2)
        await watched.turn("go on")
        sent = "\n".join(texts(watched))
        for kept in (
            "be kind",
            "<environment_context>",
            "<permissions>",
            "build the thing",
            "the summary",
            "second step",
        ):
            assert kept in sent
        assert LONG not in sent
        assert sent.count("<environment_context>") == 1
        path = watched.thread.rollout_path
    async with running(tmp_path, says("resumed"), resume=path) as watched:
        await watched.turn("third")
        sent = "\n".join(texts(watched))
        assert "the summary" in sent
        assert LONG not in sent


async def test_near_the_limit_it_happens_by_itself_in_the_middle_of_a_turn(tmp_path: Path):
    flood = calls("exec_command", {"cmd": f"echo {LONG}"})
    script = [[uses(100, 10), flood], says("the summary"), [uses(50, 5), says("done")]]
    async with running(tmp_path, *script, model_auto_compact_token_limit=2000) as watched:
        end = await watched.turn("the task")
        assert end.last_agent_message == "done"
        assert watched.all(ContextCompacted)[0].automatic
        assert "the task" in texts(watched)
        assert not any(LONG[:50] in text for text in texts(watched))


async def test_it_never_makes_the_history_larger(tmp_path: Path):
    async with running(tmp_path, says("short"), says(LONG), says("on")) as watched:
        await watched.turn("hi")
        watched.thread.submit(Compact())
        assert "no shorter" in (await watched.until(Warning)).message
        await watched.until(TaskComplete, 2)
        await watched.turn("go on")
        assert "short" in texts(watched)


async def test_a_request_that_is_too_long_is_compacted_and_asked_again(tmp_path: Path):
    script = [says(LONG), fails(ContextWindowExceeded("too long")), says("the summary"), says("fits now")]
    async with running(tmp_path, *script) as watched:
        await watched.turn("one")
        assert (await watched.turn("two")).last_agent_message == "fits now"


async def test_a_summary_that_is_too_long_to_ask_for_leaves_out_the_oldest(tmp_path: Path):
    too_long = fails(ContextWindowExceeded("too long"))
    script = [says("oldest " + LONG), says("newer"), too_long, says("the summary"), says("on")]
    async with running(tmp_path, *script) as watched:
        await watched.turn("one")
        await watched.turn("two")
        watched.thread.submit(Compact())
        await watched.until(ContextCompacted)
        asked = "\n".join(texts(watched, 3))
        assert "newer" in asked
        assert "oldest" not in asked


async def test_a_failing_provider_leaves_the_history_as_it_was(tmp_path: Path):
    async with running(tmp_path, says(LONG), fails(ModelError("no")), says("on")) as watched:
        await watched.turn("one")
        watched.thread.submit(Compact())
        assert (await watched.until(Error)).message == "no"
        await watched.turn("two")
        assert LONG in texts(watched)


async def test_futile_compaction_is_not_tried_again_in_the_same_turn(tmp_path: Path):
    noop = [uses(5000, 1), calls("exec_command", {"cmd": "true"})]
    script = [noop, says(LONG), noop, noop, [uses(5000, 1), says("done")]]
    async with running(tmp_path, *script, model_auto_compact_token_limit=3000) as watched:
        end = await watched.turn("one")
        assert end.last_agent_message == "done"
        assert len(watched.all(Warning)) == 1


async def test_what_is_typed_during_a_compaction_is_answered_and_survives_a_resume(tmp_path: Path):
    summarised = asyncio.Event()
    script = [says(LONG), [waits(summarised), says("the summary")], says("the answer")]
    async with running(tmp_path, *script) as watched:
        await watched.turn("one")
        watched.thread.submit(Compact())
        await watched.until(TaskStarted, 2)
        watched.thread.submit(UserInput(items=(TextInput("typed meanwhile"),)))
        assert (await watched.until(UserMessage, 2)).steered
        summarised.set()
        end = await watched.until(TaskComplete, 3)
        assert end.last_agent_message == "the answer"
        assert texts(watched).count("typed meanwhile") == 1
        assert len(watched.all(UserMessage)) == 2
        path = watched.thread.rollout_path
    async with running(tmp_path, says("resumed"), resume=path) as watched:
        await watched.turn("third")
        assert texts(watched).count("typed meanwhile") == 1
