"""Clients of ops and events: everything once and in order, over both routes, whatever happens between."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from codex_kernel.core import event_log
from codex_kernel.model.scripted import calls, says, waits
from tests.support.kernels import Client, HesitantModel, Message, running_kernel


def user_input(text: str) -> dict[str, Any]:
    return {"type": "user_input", "items": [{"type": "text", "text": text}]}


async def follow(client: Client, attached: Message, until: str) -> list[int]:
    """The numbers a client sees after attaching, up to an event of a kind."""
    seen: list[int] = []
    while True:
        message = await client.recv("iopub")
        if message["type"] != "codex_event" or message["content"]["n"] <= attached["last"]:
            continue
        seen.append(message["content"]["n"])
        if message["content"]["msg"]["type"] == until:
            return seen


async def test_two_clients_on_one_thread_see_everything_once_and_in_order(tmp_path: Path):
    async with running_kernel(tmp_path, [says("a long answer of many pieces " * 20)]) as bench:
        one, two = await bench.client(), await bench.client()
        first = await one.ask(type="attach", client="page-1")
        second = await two.ask(type="attach", client="page-2")
        await two.ask(type="submit", op=user_input("go"))
        seen = [await follow(one, first, "task_complete"), await follow(two, second, "task_complete")]
        assert seen[0] == seen[1] == list(range(2, seen[0][-1] + 1))


async def test_a_client_that_comes_in_the_middle_of_a_turn_misses_nothing_and_gets_nothing_twice(tmp_path: Path):
    model = HesitantModel("first part, ", "second part")
    async with running_kernel(tmp_path, model=model) as bench:
        one, two = await bench.client(), await bench.client()
        await one.ask(type="attach", client="page-1")
        await one.ask(type="submit", op=user_input("go"))
        await one.event("agent_message_delta")
        attached = await two.ask(type="attach", client="page-2")
        before = [event["n"] for event in attached["snapshot"]["events"]]
        assert attached["busy"]
        model.go.set()
        after = await follow(two, attached, "task_complete")
        assert before + after == list(range(1, after[-1] + 1))


async def test_a_client_that_missed_events_asks_from_where_it_was(tmp_path: Path):
    async with running_kernel(tmp_path, [says("one")], [says("two")]) as bench:
        client = await bench.client()
        attached = await client.ask(type="attach", client="page-1")
        await client.ask(type="submit", op=user_input("first"))
        await client.event("task_complete")
        since = {"boot": attached["boot"], "n": 3}
        again = await client.ask(type="replay", client="page-1", since=since)
        kinds = [event["msg"]["type"] for event in again["replay"]]
        assert again["snapshot"] is None
        assert [event["n"] for event in again["replay"]][-1] == again["last"]
        assert "agent_message" in kinds
        assert "session_configured" not in kinds


async def test_another_boot_gets_a_snapshot(tmp_path: Path):
    async with running_kernel(tmp_path, [says("one")]) as bench:
        client = await bench.client()
        reply = await client.ask(type="attach", client="page-1", since={"boot": "another", "n": 7})
        assert reply["snapshot"]["configured"]["session_id"] == reply["thread_id"]
        assert reply["replay"] == []


async def test_who_missed_more_than_is_kept_gets_items_instead_of_events(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(event_log, "RETAINED_EVENTS", 10)
    async with running_kernel(tmp_path, [says("one")], [says("two")], [says("three")]) as bench:
        client = await bench.client()
        attached = await client.ask(type="attach", client="page-1")
        for text in ("a", "b", "c"):
            await client.ask(type="submit", op=user_input(text))
            await client.event("task_complete")
        reply = await client.ask(type="replay", client="page-1", since={"boot": attached["boot"], "n": 1})
        said = [item for item in reply["snapshot"]["items"] if item["type"] == "message"]
        texts = [part["text"] for item in said for part in item["content"]]
        assert [text for text in texts if text in ("one", "two", "three")] == ["one", "two", "three"]
        assert reply["snapshot"]["events"] == []


async def test_a_snapshot_says_what_stored_commands_do(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(event_log, "RETAINED_EVENTS", 5)
    script = [calls("shell", {"command": ["bash", "-lc", "cat a.py"]}, call_id="c1")], [says("read")], [says("more")]
    async with running_kernel(tmp_path, *script) as bench:
        client = await bench.client()
        attached = await client.ask(type="attach", client="page-1")
        for text in ("a", "b"):
            await client.ask(type="submit", op=user_input(text))
            await client.event("task_complete")
        reply = await client.ask(type="replay", client="page-1", since={"boot": attached["boot"], "n": 1})
        assert reply["snapshot"]["parsed"] == {"c1": [{"type": "read", "cmd": "cat a.py", "name": "a.py"}]}


async def test_another_protocol_version_is_told_to_restart_the_thread(tmp_path: Path):
    async with running_kernel(tmp_path) as bench:
        client = await bench.client()
        reply = await client.ask(type="attach", client="page-1", protocol_version=99, something_new=True)
        assert (reply["type"], reply["reason"]) == ("refused", "version")
        assert "restart this thread" in reply["message"]


async def test_what_is_no_request_is_refused_with_a_sentence(tmp_path: Path):
    async with running_kernel(tmp_path) as bench:
        client = await bench.client()
        for request in (
            {"type": "nonsense"},
            {},
            {"type": "submit", "op": {"type": "zap"}},
            {"type": "submit", "op": {"type": "interrupt", "extra": 1}},
            {"type": "attach"},
            {"type": "query", "name": "nothing"},
            {"type": "query", "name": "files", "arguments": {"query": 7}},
        ):
            reply = await client.ask(**request)
            assert reply["type"] == "refused", request
            assert "\n" not in reply["message"]


async def test_a_comm_does_what_the_control_channel_does(tmp_path: Path):
    async with running_kernel(tmp_path, [says("hello there")]) as bench:
        client = await bench.client()

        def mine(message: Message) -> bool:
            return message["type"] == "comm_msg" and message["content"]["comm_id"] == "c1"

        opened = {
            "comm_id": "c1",
            "target_name": "codex.thread",
            "data": {"type": "attach", "client": "w-1", "ref": "r"},
        }
        await client.send("comm_open", opened)
        attached = (await client.until(mine))["content"]["data"]
        assert (attached["type"], attached["ref"]) == ("attached", "r")
        info = await client.request("comm_info_request", {"target_name": "codex.thread"})
        assert list(info["content"]["comms"]) == ["c1"]
        await client.send("comm_msg", {"comm_id": "c1", "data": {"type": "submit", "op": user_input("hi")}})
        seen: list[Any] = []
        while not seen or seen[-1].get("msg", {}).get("type") != "task_complete":
            seen.append((await client.until(mine))["content"]["data"])
        numbers = [data["n"] for data in seen if data["type"] == "event"]
        assert numbers == list(range(attached["last"] + 1, numbers[-1] + 1))
        await client.send("comm_close", {"comm_id": "c1", "data": {}})
        assert (await client.request("comm_info_request", {}))["content"]["comms"] == {}


async def test_a_comm_with_an_unknown_target_is_closed(tmp_path: Path):
    async with running_kernel(tmp_path) as bench:
        client = await bench.client()
        await client.send("comm_open", {"comm_id": "c9", "target_name": "elsewhere", "data": {}})
        closed = await client.until(lambda m: m["type"] == "comm_close")
        assert closed["content"]["comm_id"] == "c9"


async def test_a_client_that_dies_without_a_word_is_noticed_by_its_presence_topic(tmp_path: Path):
    from codex_protocol.attach import presence_topic

    async with running_kernel(tmp_path) as bench:
        page, other = await bench.client(), await bench.client()
        page.sockets["iopub"].subscribe(presence_topic("page-1"))
        await page.ask(type="attach", client="page-1")
        assert bench.kernel.clients.can_answer()
        left = asyncio.Event()
        bench.kernel.clients.on_change = left.set
        page.close()
        await asyncio.wait_for(left.wait(), 10)
        assert not bench.kernel.clients.can_answer()
        await other.request("kernel_info_request")


async def test_an_interrupt_from_a_client_ends_the_cells_turn(tmp_path: Path):
    async with running_kernel(tmp_path, [waits(), says("never")]) as bench:
        page, console = await bench.client(), await bench.client()
        await page.ask(type="attach", client="page-1")
        await console.start("wait")
        await page.event("task_started")
        await page.ask(type="submit", op={"type": "interrupt"})
        assert (await console.recv())["content"]["ename"] == "Interrupted"


async def test_a_cell_joins_the_turn_that_a_client_began_and_ends_with_it(tmp_path: Path):
    go = asyncio.Event()
    async with running_kernel(tmp_path, [waits(go), says("both done")], [says("and that too")]) as bench:
        page, console = await bench.client(), await bench.client()
        await page.ask(type="attach", client="page-1")
        await page.ask(type="submit", op=user_input("first"))
        await page.event("task_started")
        cell = await console.start("and also this")
        await page.event("user_message")
        await page.event("user_message")
        go.set()
        reply = await console.recv()
        assert (reply["parent"]["msg_id"], reply["content"]["status"]) == (cell, "ok")


async def test_a_cell_that_is_run_during_a_compaction_ends_with_its_answer(tmp_path: Path):
    go = asyncio.Event()
    async with running_kernel(tmp_path, [says("one")], [waits(go), says("summary")], [says("the answer")]) as bench:
        page, console = await bench.client(), await bench.client()
        await page.ask(type="attach", client="page-1")
        await page.ask(type="submit", op=user_input("first"))
        await page.event("task_complete")
        await page.ask(type="submit", op={"type": "compact"})
        await page.event("task_started")
        cell = asyncio.ensure_future(console.execute("and now?"))
        while not (await page.event("user_message"))["msg"]["steered"]:
            pass
        go.set()
        reply, outputs = await cell
        assert reply["status"] == "ok"
        assert "the answer" in str([message["content"] for message in outputs])


async def test_a_new_thread_is_another_boot_for_everybody(tmp_path: Path):
    async with running_kernel(tmp_path, [says("one")], [says("two")]) as bench:
        client = await bench.client()
        attached = await client.ask(type="attach", client="page-1")
        assert (await client.ask(type="new_thread"))["type"] == "done"
        event = await client.event("session_configured")
        assert event["boot"] != attached["boot"]
        reply = await client.ask(type="replay", client="page-1", since={"boot": attached["boot"], "n": 1})
        assert reply["thread_id"] != attached["thread_id"]


async def test_a_thread_that_was_shut_down_is_gone_on_with(tmp_path: Path):
    async with running_kernel(tmp_path, [says("one")], [says("two")]) as bench:
        client = await bench.client()
        attached = await client.ask(type="attach", client="page-1")
        await client.ask(type="submit", op=user_input("first"))
        await client.event("task_complete")
        await client.ask(type="submit", op={"type": "shutdown"})
        assert (await client.ask(type="submit", op=user_input("second")))["type"] == "accepted"
        assert (await client.event("agent_message"))["msg"]["message"] == "two"
        again = await client.ask(type="attach", client="page-1")
        assert again["thread_id"] == attached["thread_id"]


async def test_an_agent_that_ends_takes_nothing_any_more_and_opens_nothing(tmp_path: Path):
    async with running_kernel(tmp_path, [waits()]) as bench:
        client = await bench.client()
        await client.ask(type="attach", client="page-1")
        await client.ask(type="submit", op=user_input("first"))
        await client.event("task_started")
        thread = bench.kernel.agent.current
        ending = asyncio.ensure_future(bench.kernel.agent.end())
        asked = [
            {"type": "submit", "op": user_input("late")},
            {"type": "attach", "client": "page-2"},
            {"type": "new_thread"},
        ]
        for request in asked:
            refused = await client.ask(**request)
            assert (refused["type"], refused["reason"]) == ("refused", "ended")
            assert "can be resumed" in refused["message"] or "resume it" in refused["message"]
        await ending
        assert thread is not None
        assert thread.ended
        assert bench.kernel.agent.current is None


async def test_an_unknown_thread_to_resume_does_not_cost_the_open_one(tmp_path: Path):
    async with running_kernel(tmp_path, [says("one")]) as bench:
        client = await bench.client()
        attached = await client.ask(type="attach", client="page-1")
        assert (await client.ask(type="new_thread", resume="no such thread"))["type"] == "refused"
        assert (await client.ask(type="attach", client="page-1"))["thread_id"] == attached["thread_id"]


async def test_ten_thousand_events_for_a_client_that_does_not_read_hold_nobody_up(tmp_path: Path):
    flood = calls("shell", {"command": ["bash", "-c", "for i in $(seq 4000); do echo line $i; done"]})
    answer = says("word " * 60_000)  # 24 characters a delta: over twelve thousand of them
    async with running_kernel(tmp_path, [flood], [answer]) as bench:
        idle, reader = await bench.client(), await bench.client()
        attached = await idle.ask(type="attach", client="page-1")
        await reader.ask(type="submit", op=user_input("go"))
        thread = await bench.kernel.agent.thread()
        done = asyncio.Event()
        thread.subscribe(
            lambda numbered: done.set() if numbered.event.msg.__class__.__name__ == "TaskComplete" else None
        )
        await asyncio.wait_for(done.wait(), 60)
        assert thread.position[1] > 10_000
        since = {"boot": attached["boot"], "n": attached["last"]}
        caught_up = await idle.ask(type="replay", client="page-1", since=since)
        assert caught_up["replay"][-1]["n"] == caught_up["last"]
        assert caught_up["replay"][-1]["msg"]["type"] == "task_complete"
