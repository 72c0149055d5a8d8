"""Events fold into results; results show themselves without trusting what others wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_client.result_views import footer, html, plain
from codex_client.results import Passed, TurnResult
from codex_client.turn_record import TurnRecord
from codex_protocol.events import (
    AgentMessage,
    AgentMessageDelta,
    AgentReasoning,
    ApprovalResolved,
    Duration,
    Error,
    ExecApprovalRequest,
    ExecCommandBegin,
    ExecCommandEnd,
    McpInvocation,
    McpToolCallBegin,
    McpToolCallEnd,
    PatchApplyBegin,
    PatchApplyEnd,
    PlanStep,
    PlanUpdate,
    TaskComplete,
    TaskStarted,
    TokenCount,
    TurnAborted,
    TurnDiff,
    Warning,
    WebSearchBegin,
    WebSearchEnd,
)
from codex_protocol.file_changes import AddedFile, FileChange, UpdatedFile
from codex_protocol.policy import ReviewDecision
from tests.support.event_samples import every_event

EVIL = "<script>alert(1)</script>\x1b[31m\u202e"


def folded(*events: Any) -> TurnResult:
    record = TurnRecord(id="1", thread_id="t", cwd="/w", model="m", clock=lambda: 1.0)
    for event in events:
        record.take(event)
    return record.result()


def ran(call_id: str, code: int = 0, output: str = "out\n") -> list[Any]:
    return [
        ExecCommandBegin(call_id=call_id, command=("bash", "-lc", f"do {call_id}"), cwd="/w"),
        ExecCommandEnd(
            call_id=call_id,
            stdout=output,
            stderr="",
            aggregated_output=output,
            exit_code=code,
            duration=Duration.of(1.5),
            formatted_output=output,
        ),
    ]


def test_commands_stand_in_the_order_they_began() -> None:
    first, second = ran("a"), ran("b", 3)
    result = folded(first[0], second[0], second[1], first[1])
    assert [(run.script, run.exit_code, run.duration_s) for run in result.commands] == [
        ("do a", 0, 1.5),
        ("do b", 3, 1.5),
    ]


def test_a_command_and_its_patch_may_share_a_call_id() -> None:
    changes = {"/w/a.txt": FileChange(add=AddedFile("x\n"))}
    begin = PatchApplyBegin(call_id="a", auto_approved=True, changes=changes)
    end = PatchApplyEnd(call_id="a", stdout="Success", stderr="", success=True)
    result = folded(*ran("a"), begin, end)
    assert len(result.commands) == 1
    assert result.changes == changes


def test_a_patch_that_failed_changed_nothing() -> None:
    begin = PatchApplyBegin(call_id="a", auto_approved=True, changes={"/w/a": FileChange(add=AddedFile(""))})
    result = folded(begin, PatchApplyEnd(call_id="a", stdout="", stderr="no such line", success=False))
    assert result.changes == {}
    assert "no such line" in plain(result)


def test_tokens_are_summed_over_responses() -> None:
    count = TokenCount(input_tokens=10, cached_input_tokens=4, output_tokens=2, total_tokens=12)
    assert (folded(count, count).usage.total_tokens, folded(count, count).usage.cached_input_tokens) == (24, 8)


@pytest.mark.parametrize(
    ("end", "status", "error"),
    [
        (TaskComplete(last_agent_message="x"), "completed", None),
        (TaskComplete(error="it broke"), "failed", "it broke"),
        (TurnAborted(), "interrupted", None),
    ],
)
def test_a_turn_ends_in_one_of_three_ways(end: Any, status: str, error: str | None) -> None:
    result = folded(TaskStarted(), end)
    assert (result.status, result.error) == (status, error)


def test_approvals_tell_who_answered() -> None:
    ask = ExecApprovalRequest(call_id="c", approval_id="p", digest="d", command=("rm", "x"), cwd="/w")
    answer = ApprovalResolved(approval_id="p", call_id="c", decision=ReviewDecision.DENIED, by="page")
    [approval] = folded(ask, answer).approvals
    assert (approval.what, approval.decision, approval.by) == ("rm x", ReviewDecision.DENIED, "page")


def test_what_is_being_said_is_there_while_it_is_said() -> None:
    record = TurnRecord(id="1", thread_id="t")
    record.take(AgentMessageDelta(delta="he"))
    record.take(AgentMessageDelta(delta="llo"))
    assert record.saying == "hello"
    record.take(AgentMessage(message="hello"))
    assert record.saying == ""


def test_every_kind_of_event_can_be_taken_and_shown() -> None:
    result = folded(*every_event())
    assert plain(result)
    assert html(result)
    json.dumps(result._repr_mimebundle_())  # pyright: ignore[reportPrivateUsage]


def evil_result() -> TurnResult:
    call = McpInvocation(EVIL, EVIL, {"a": EVIL})
    return folded(
        AgentReasoning(text=EVIL),
        AgentMessage(message=EVIL),
        *ran(EVIL, 1, f"{EVIL}\n"),
        PatchApplyBegin(call_id="p", auto_approved=True, changes={f"/w/{EVIL}": FileChange(add=AddedFile(EVIL))}),
        PatchApplyEnd(call_id="p", stdout=EVIL, stderr=EVIL, success=True),
        McpToolCallBegin(call_id="m", invocation=call),
        McpToolCallEnd(call_id="m", invocation=call, duration=Duration.of(0), result={"Err": EVIL}),
        WebSearchBegin(call_id="w"),
        WebSearchEnd(call_id="w", query=EVIL),
        PlanUpdate(explanation=EVIL, plan=(PlanStep(EVIL, "pending"),)),
        TurnDiff(unified_diff=EVIL),
        Warning(message=EVIL),
        Error(message=EVIL),
        TaskComplete(last_agent_message=f"{EVIL} and more"),
    )


def test_nothing_others_wrote_is_obeyed_by_a_page_or_a_terminal() -> None:
    import msgspec

    passed = (Passed(name="v", kind="str", text=EVIL, cut=True),)
    for result in (evil_result(), msgspec.structs.replace(evil_result(), error=EVIL, context=passed)):
        page, text = html(result), plain(result)
        assert "<script" not in page
        for hidden in ("\x1b", "\u202e"):
            assert hidden not in page
            assert hidden not in text


def test_rows_of_a_diff_are_coloured_by_their_sign_alone() -> None:
    diff = "@@ -1,3 +1,3 @@\n +kept\n-old\n+new\n"
    begin = PatchApplyBegin(
        call_id="p", auto_approved=True, changes={"/w/a": FileChange(update=UpdatedFile(unified_diff=diff))}
    )
    page = html(folded(begin, PatchApplyEnd(call_id="p", stdout="", stderr="", success=True)))
    assert page.count("background:") == 2


def test_the_footer_says_how_it_went() -> None:
    count = TokenCount(input_tokens=1000, cached_input_tokens=0, output_tokens=234, total_tokens=1234)
    assert footer(folded(count, TaskComplete(last_agent_message="x"))) == "completed · 0ms · m · 1,234 tokens"
