"""Raw messages against a kernel: what it answers, and what it takes without dying."""

from __future__ import annotations

import asyncio
from pathlib import Path

from codex_kernel.model.scripted import calls, fails, says, waits
from codex_protocol import wire
from tests.support.kernels import HesitantModel, running_kernel, text_of


async def test_a_cell_is_a_prompt_and_its_answer_is_shown_as_markdown_with_readable_text(tmp_path: Path):
    async with running_kernel(tmp_path, [says("It is **done**.")]) as bench:
        client = await bench.client()
        reply, outputs = await client.execute("do it")
        assert reply["status"] == "ok"
        shown = [output["content"]["data"] for output in outputs if output["type"] == "display_data"]
        assert "It is **done**." in [data.get("text/markdown") for data in shown]
        assert all(data["text/plain"] for data in shown)


async def test_the_first_output_of_a_thread_names_directory_model_approval_and_rung(tmp_path: Path):
    async with running_kernel(tmp_path, [says("one")], [says("two")]) as bench:
        client = await bench.client()
        _, outputs = await client.execute("a")
        first = outputs[0]["content"]["data"]["text/plain"]
        for fact in (str(tmp_path / "work"), "gpt-5.5", "on-request", "rung"):
            assert fact in first
        _, outputs = await client.execute("b")
        assert "directory:" not in text_of(outputs)


async def test_a_message_with_a_wrong_signature_is_not_answered_and_the_next_right_one_is(tmp_path: Path):
    async with running_kernel(tmp_path) as bench:
        stranger, client = await bench.client(b"another key"), await bench.client()
        await stranger.send("kernel_info_request")
        assert (await client.request("kernel_info_request"))["content"]["status"] == "ok"
        assert not await stranger.sockets["shell"].poll(50)


async def test_a_message_sent_twice_is_answered_once(tmp_path: Path):
    async with running_kernel(tmp_path) as bench:
        client = await bench.client()
        frames = client.wire.pack("kernel_info_request", {})
        await client.sockets["shell"].send_multipart(frames)
        await client.sockets["shell"].send_multipart(frames)
        await client.recv()
        await client.request("connect_request")
        assert not await client.sockets["shell"].poll(50)


async def test_frames_that_are_no_message_do_not_end_the_kernel(tmp_path: Path):
    async with running_kernel(tmp_path) as bench:
        client = await bench.client()
        deep = b"[" * 100_000
        for frames in ([b""], [b"<IDS|MSG>"], [b"<IDS|MSG>", b"", b"{}", b"{}", b"{}", b"{}"], [b"x"] * 9):
            for channel in ("shell", "control", "stdin"):
                await client.sockets[channel].send_multipart(frames)
        for parts in ([b"null"] * 4, [b"\xff"] * 4, [b'{"msg_id":1,"msg_type":"x"}', b"{}", b"{}", b"{}"], [deep] * 4):
            signed = [b"<IDS|MSG>", client.wire._sign(parts), *parts]  # pyright: ignore[reportPrivateUsage]
            await client.sockets["shell"].send_multipart(signed)
        for content in ({"code": 5}, {"code": None}, {"cursor_pos": "x"}, {"cursor_pos": -4, "code": "abc"}):
            for kind in ("complete_request", "inspect_request", "is_complete_request", "history_request"):
                assert (await client.request(kind, content))["content"]["status"] in ("ok", "complete")
        assert (await client.request("kernel_info_request"))["content"]["status"] == "ok"


async def test_an_unknown_request_gets_one_sentence(tmp_path: Path):
    async with running_kernel(tmp_path) as bench:
        client = await bench.client()
        reply = await client.request("frobnicate_request")
        assert reply["type"] == "frobnicate_reply"
        assert reply["content"]["status"] == "error"
        assert "frobnicate_request" in reply["content"]["evalue"]
        await client.send("frobnicate")
        assert (await client.request("kernel_info_request"))["content"]["status"] == "ok"


async def test_an_oversized_message_gets_one_sentence(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("codex_kernel.jupyter.kernel.MAX_MESSAGE_BYTES", 1 << 20)
    async with running_kernel(tmp_path) as bench:
        client = await bench.client()
        reply = await client.request("execute_request", {"code": "x" * (2 << 20)})
        assert "MiB" in reply["content"]["evalue"]
        assert wire.MAX_MESSAGE_BYTES > 1 << 20


async def test_everything_else_is_answered_while_a_cell_runs(tmp_path: Path):
    never = asyncio.Event()
    async with running_kernel(tmp_path, [waits(never), says("late")]) as bench:
        client = await bench.client()
        cell = await client.start("wait")
        await client.until(lambda m: m["type"] == "execute_input")
        for kind, content in (
            ("kernel_info_request", {}),
            ("complete_request", {"code": "/sta", "cursor_pos": 4}),
            ("history_request", {"hist_access_type": "tail", "n": 3}),
            ("comm_info_request", {}),
            ("is_complete_request", {"code": "x"}),
        ):
            assert (await client.request(kind, content))["parent"]["msg_id"] != cell
        never.set()
        assert (await client.recv())["parent"]["msg_id"] == cell


async def test_an_interrupt_stops_the_turn_and_what_waits_behind_it_is_not_run(tmp_path: Path):
    async with running_kernel(tmp_path, [waits(), says("never")], [says("after")]) as bench:
        client = await bench.client()
        first, second = await client.start("wait"), await client.start("next")
        await client.until(lambda m: m["type"] == "display_data")
        reply = await client.request("interrupt_request", channel="control")
        assert reply["content"]["status"] == "ok"
        replies = {message["parent"]["msg_id"]: message["content"] for message in [await client.recv() for _ in "12"]}
        assert replies[first]["status"] == "error"
        assert replies[first]["ename"] == "Interrupted"
        assert replies[second]["status"] == "aborted"
        reply, outputs = await client.execute("go on")
        assert (reply["status"], "after" in text_of(outputs)) == ("ok", True)


async def test_a_failing_turn_is_one_error_message_of_one_sentence(tmp_path: Path):
    from codex_protocol.errors import ModelError

    async with running_kernel(tmp_path, [fails(ModelError("the provider said no"))]) as bench:
        client = await bench.client()
        reply, outputs = await client.execute("x")
        errors = [output["content"] for output in outputs if output["type"] == "error"]
        assert [error["evalue"] for error in errors] == ["the provider said no"]
        assert errors[0]["traceback"] == ["TurnFailed: the provider said no"]
        assert reply["status"] == "error"


async def test_busy_and_idle_frame_every_request_once(tmp_path: Path):
    async with running_kernel(tmp_path, [says("x")]) as bench:
        client = await bench.client()
        ids = [await client.send("kernel_info_request"), await client.start("go"), await client.send("zzz_request")]
        while sum(m["content"].get("execution_state") == "idle" for m in client.iopub) < 3:
            await client.recv("iopub")
        for id in ids:
            mine = [m for m in client.iopub if m["parent"].get("msg_id") == id and m["type"] == "status"]
            assert [m["content"]["execution_state"] for m in mine] == ["busy", "idle"]


async def test_a_silent_cell_shows_nothing_and_counts_nothing(tmp_path: Path):
    async with running_kernel(tmp_path, [says("x")], [says("y")]) as bench:
        client = await bench.client()
        reply, outputs = await client.execute("quiet", silent=True, store_history=False)
        assert (reply["execution_count"], outputs) == (0, [])
        reply, _ = await client.execute("loud")
        assert reply["execution_count"] == 1


async def test_on_a_page_text_grows_in_one_output(tmp_path: Path):
    model = HesitantModel("first part, ", "second part")
    async with running_kernel(tmp_path, model=model) as bench:
        client = await bench.client()
        await client.start("tell", page=True)
        growing = await client.until(
            lambda m: m["type"] == "display_data" and "first part" in m["content"]["data"]["text/plain"]
        )
        model.go.set()
        final = await client.until(
            lambda m: m["type"] == "update_display_data" and "second part" in m["content"]["data"]["text/plain"]
        )
        assert final["content"]["transient"] == growing["content"]["transient"]
        assert growing["content"]["transient"]["display_id"]


async def test_a_users_own_command_is_shown_with_its_output_and_told_to_the_model(tmp_path: Path):
    async with running_kernel(tmp_path, [says("seen")]) as bench:
        client = await bench.client()
        reply, outputs = await client.execute("!echo hel''lo; exit 3")
        assert reply["status"] == "ok"
        assert "hello" in text_of(outputs)
        assert "exit 3" in text_of(outputs)
        await client.execute("what did I run?")
        thread = bench.kernel.agent.current
        assert thread is not None
        assert any("hello" in str(item) for item in thread.items)


async def test_a_command_that_floods_does_not_flood_the_cell(tmp_path: Path):
    flood = calls("shell", {"command": ["bash", "-c", "yes | head -c 3000000"]})
    async with running_kernel(tmp_path, [flood], [says("ok")], [flood], [says("ok")]) as bench:
        client = await bench.client()
        for page in (False, True):
            reply, outputs = await client.execute("flood", page=page)
            assert reply["status"] == "ok"
            assert len(outputs[-1]["content"]["data"]["text/plain"]) < 2_000
            assert len(text_of(outputs)) < 100_000


async def test_a_shutdown_in_a_turn_is_answered_and_ends_the_kernel_at_once(tmp_path: Path):
    async with running_kernel(tmp_path, [waits(), says("never")]) as bench:
        client = await bench.client()
        await client.start("wait")
        await client.until(lambda m: m["type"] == "display_data")
        reply = await client.request("shutdown_request", {"restart": False}, channel="control")
        assert reply["content"] == {"status": "ok", "restart": False}
        await asyncio.wait_for(bench.kernel.ended.wait(), 5)
