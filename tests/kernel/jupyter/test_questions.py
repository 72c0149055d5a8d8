"""Approvals at a cell: asked in words, denied where nobody can answer, left to a rich client where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codex_kernel.model.scripted import calls, says
from codex_protocol.policy import ApprovalPolicy, ReadOnly
from tests.support.kernels import running_kernel, text_of

ASKS: dict[str, Any] = {"approval_policy": ApprovalPolicy.UNTRUSTED, "sandbox_policy": ReadOnly()}


def touch(name: str = "made") -> Any:
    return calls("shell", {"command": ["touch", name]})


@pytest.mark.parametrize(("answer", "made"), [("yes", True), ("always", True), ("no", False)])
async def test_a_person_at_a_console_is_asked_and_the_answer_decides(tmp_path: Path, answer: str, made: bool):
    async with running_kernel(tmp_path, [touch()], [says("done")], **ASKS) as bench:
        client = await bench.client()
        reply, outputs = await client.execute("go", answers=(answer,))
        assert reply["status"] == "ok"
        assert (tmp_path / "work" / "made").exists() is made
        assert "console" in text_of(outputs)


async def test_the_question_shows_the_command_its_place_and_the_choices_in_words(tmp_path: Path):
    async with running_kernel(tmp_path, [touch("one two")], [says("done")], **ASKS) as bench:
        client = await bench.client()
        await client.start("go")
        prompt = (await client.recv("stdin"))["content"]["prompt"]
        for part in ("touch 'one two'", str(tmp_path / "work"), "[y]es", "[a]lways", "[n]o", "[s]top"):
            assert part in prompt
        await client.send("input_reply", {"value": "n"}, channel="stdin")
        await client.recv()


async def test_stop_ends_the_turn(tmp_path: Path):
    async with running_kernel(tmp_path, [touch()], [says("never said")], **ASKS) as bench:
        client = await bench.client()
        reply, outputs = await client.execute("go", answers=("stop",))
        assert (reply["status"], reply["ename"]) == ("error", "Interrupted")
        assert "never said" not in text_of(outputs)


async def test_an_answer_that_means_nothing_is_asked_again_and_approves_nothing(tmp_path: Path):
    async with running_kernel(tmp_path, [touch()], [says("done")], **ASKS) as bench:
        client = await bench.client()
        _, outputs = await client.execute("go", answers=("", "yes please do", "no"))
        assert text_of(outputs).count("Please answer") == 2
        assert not (tmp_path / "work" / "made").exists()


async def test_where_nobody_can_be_asked_it_is_denied_at_once(tmp_path: Path):
    async with running_kernel(tmp_path, [touch()], [says("went on")], **ASKS) as bench:
        client = await bench.client()
        reply, outputs = await client.execute("go", allow_stdin=False)
        assert reply["status"] == "ok"
        assert "went on" in text_of(outputs)
        assert not (tmp_path / "work" / "made").exists()


async def test_a_rich_client_is_offered_the_question_and_the_cell_is_not_asked(tmp_path: Path):
    async with running_kernel(tmp_path, [touch()], [says("done")], **ASKS) as bench:
        page, console = await bench.client(), await bench.client()
        await page.ask(type="attach", client="page-1")
        cell = await console.start("go")
        asked = (await page.event("exec_approval_request"))["msg"]
        op = {"type": "exec_approval", "id": asked["approval_id"], "decision": "approved", "by": "page"}
        await page.ask(type="submit", op=op)
        assert (await console.recv())["parent"]["msg_id"] == cell
        assert (tmp_path / "work" / "made").exists()
        assert not await console.sockets["stdin"].poll(20)


async def test_when_the_last_rich_client_leaves_the_cell_is_asked_instead(tmp_path: Path):
    async with running_kernel(tmp_path, [touch()], [says("done")], **ASKS) as bench:
        page, console = await bench.client(), await bench.client()
        await page.ask(type="attach", client="page-1")
        await console.start("go")
        await page.event("exec_approval_request")
        await page.ask(type="detach", client="page-1")
        assert (await console.recv("stdin"))["type"] == "input_request"
        await console.send("input_reply", {"value": "y"}, channel="stdin")
        await console.recv()
        assert (tmp_path / "work" / "made").exists()


async def test_a_late_answer_is_not_used_and_says_who_was_first(tmp_path: Path):
    async with running_kernel(tmp_path, [touch("a")], [touch("b")], [says("done")], **ASKS) as bench:
        page, console = await bench.client(), await bench.client()
        await page.ask(type="attach", client="page-1", can_answer=False)
        await console.start("go")
        await console.recv("stdin")
        asked = (await page.event("exec_approval_request"))["msg"]
        op = {"type": "exec_approval", "id": asked["approval_id"], "decision": "denied", "by": "page"}
        await page.ask(type="submit", op=op)
        await console.recv("stdin")  # the second question, while the first is still open in front of the person
        await console.send("input_reply", {"value": "y"}, channel="stdin")
        late = await console.until(lambda m: m["type"] == "stream")
        assert "by page" in late["content"]["text"]
        assert "not used" in late["content"]["text"]
        await console.send("input_reply", {"value": "y"}, channel="stdin")
        await console.recv()
        assert [(tmp_path / "work" / name).exists() for name in "ab"] == [False, True]


async def test_an_approval_of_a_thread_that_had_a_rich_client_waits_for_its_return(tmp_path: Path):
    async with running_kernel(tmp_path, [touch()], [says("done")], **ASKS) as bench:
        page = await bench.client()
        await page.ask(type="attach", client="page-1")
        await page.ask(type="submit", op={"type": "user_input", "items": [{"type": "text", "text": "go"}]})
        await page.event("exec_approval_request")
        await page.ask(type="detach", client="page-1")
        attached = await page.ask(type="attach", client="page-2")
        (pending,) = attached["snapshot"]["pending"]
        op = {"type": "exec_approval", "id": pending["approval_id"], "decision": "approved", "by": "page"}
        await page.ask(type="submit", op=op)
        await page.event("task_complete")
        assert (tmp_path / "work" / "made").exists()
