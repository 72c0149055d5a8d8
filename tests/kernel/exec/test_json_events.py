import json

import pytest

from codex_kernel.exec.json_events import JsonEvents
from codex_kernel.exec.json_lines import encode_lines
from codex_protocol import events as ev
from codex_protocol.file_changes import AddedFile, DeletedFile, FileChange, UpdatedFile
from codex_protocol.policy import (
    ApprovalPolicy,
    DangerFullAccess,
    ReadOnly,
    ReviewDecision,
    SandboxFacts,
    SandboxPolicy,
)
from codex_protocol.token_usage import TokenUsage
from tests.support.event_samples import every_event

NO_TIME = ev.Duration(0, 0)


def printed(*events: ev.EventMsg) -> list[str]:
    state = JsonEvents()
    return b"".join(encode_lines(state.lines(event)) for event in events).decode().splitlines()


def objects(*events: ev.EventMsg) -> list[dict]:
    return [json.loads(line) for line in printed(*events)]


def began(call_id: str, *command: str) -> ev.ExecCommandBegin:
    return ev.ExecCommandBegin(call_id=call_id, command=command, cwd="/w")


def ended(call_id: str, code: int, output: str = "") -> ev.ExecCommandEnd:
    return ev.ExecCommandEnd(
        call_id=call_id,
        stdout=output,
        stderr="",
        aggregated_output=output,
        exit_code=code,
        duration=NO_TIME,
        formatted_output=output,
    )


def tokens(**counts: int) -> ev.TokenCount:
    return ev.TokenCount(input_tokens=1, output_tokens=1, total_tokens=2, total=TokenUsage(**counts))


def test_a_plain_answer_prints_the_four_lines_of_the_contract_byte_for_byte():
    assert printed(
        ev.SessionConfigured(session_id="T", model="m"),
        ev.TaskStarted(),
        ev.UserMessage(message="hi"),
        ev.AgentMessageDelta(delta="hello"),
        ev.AgentMessage(message="hello there"),
        tokens(input_tokens=100, cached_input_tokens=10, output_tokens=20, reasoning_output_tokens=5, total_tokens=120),
        ev.TaskComplete(last_agent_message="hello there"),
    ) == [
        '{"type":"thread.started","thread_id":"T"}',
        '{"type":"turn.started"}',
        '{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"hello there"}}',
        '{"type":"turn.completed","usage":{"input_tokens":100,"cached_input_tokens":10,"cache_write_input_tokens":0,'
        '"output_tokens":20,"reasoning_output_tokens":5}}',
    ]


def test_a_failing_command_prints_the_two_lines_of_the_contract():
    command = ("/bin/bash", "-lc", "echo hi; exit 3")
    assert printed(
        began("c", *command),
        ev.ExecCommandOutputDelta(call_id="c", stream="stdout", chunk=b"hi\n"),
        ended("c", 3, "hi\n"),
    ) == [
        '{"type":"item.started","item":{"id":"item_0","type":"command_execution","command":"/bin/bash -lc '
        '\'echo hi; exit 3\'","aggregated_output":"","exit_code":null,"status":"in_progress"}}',
        '{"type":"item.completed","item":{"id":"item_0","type":"command_execution","command":"/bin/bash -lc '
        '\'echo hi; exit 3\'","aggregated_output":"hi\\n","exit_code":3,"status":"failed"}}',
    ]


def test_parallel_commands_keep_their_own_ids():
    lines = objects(began("a", "x"), began("b", "y"), ended("b", 0), ended("a", 0), began("a", "z"))
    assert [(line["type"], line["item"]["id"]) for line in lines] == [
        ("item.started", "item_0"),
        ("item.started", "item_1"),
        ("item.completed", "item_1"),
        ("item.completed", "item_0"),
        ("item.started", "item_2"),
    ]


def test_a_patch_begins_and_completes_with_its_files_and_kinds():
    changes = {
        "/w/new": FileChange(add=AddedFile("x")),
        "/w/old": FileChange(delete=DeletedFile("x")),
        "/w/moved": FileChange(update=UpdatedFile("@@", "/w/there")),
    }
    lines = objects(
        ev.PatchApplyBegin(call_id="p", auto_approved=True, changes=changes),
        ev.PatchApplyEnd(call_id="p", stdout="", stderr="", success=True),
        ev.PatchApplyBegin(call_id="q", auto_approved=True, changes={}),
        ev.PatchApplyEnd(call_id="q", stdout="", stderr="no", success=False),
    )
    kinds = [
        {"path": "/w/new", "kind": "add"},
        {"path": "/w/old", "kind": "delete"},
        {"path": "/w/moved", "kind": "update"},
    ]
    assert lines[0]["item"] == {"id": "item_0", "type": "file_change", "changes": kinds, "status": "in_progress"}
    assert lines[1]["item"] == {"id": "item_0", "type": "file_change", "changes": kinds, "status": "completed"}
    assert lines[3]["item"]["status"] == "failed"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (
            {"Ok": {"content": [{"type": "text", "text": "x"}], "structuredContent": {"a": 1}}},
            {
                "result": {"content": [{"type": "text", "text": "x"}], "structured_content": {"a": 1}},
                "error": None,
                "status": "completed",
            },
        ),
        (
            {"Ok": {"content": [], "isError": True, "_meta": {"k": 1}}},
            {
                "result": {"content": [], "structured_content": None, "_meta": {"k": 1}},
                "error": None,
                "status": "failed",
            },
        ),
        ({"Err": "gone"}, {"result": None, "error": {"message": "gone"}, "status": "failed"}),
    ],
)
def test_an_mcp_call_tells_a_failing_tool_from_a_failing_server(result: dict, expected: dict):
    call = ev.McpInvocation("srv", "echo", {"text": "hey"})
    first, last = objects(
        ev.McpToolCallBegin(call_id="m", invocation=call),
        ev.McpToolCallEnd(call_id="m", invocation=call, duration=NO_TIME, result=result),
    )
    common = {"id": "item_0", "type": "mcp_tool_call", "server": "srv", "tool": "echo", "arguments": {"text": "hey"}}
    assert first["item"] == {**common, "result": None, "error": None, "status": "in_progress"}
    assert last["item"] == {**common, **expected}


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"type": "search", "query": "weather", "sources": []}, {"type": "search", "query": "weather"}),
        ({"type": "open_page", "url": "u"}, {"type": "open_page", "url": "u"}),
        ({"type": "find", "url": "u", "pattern": "p"}, {"type": "find_in_page", "url": "u", "pattern": "p"}),
        ({"type": "new kind"}, {"type": "other"}),
        (None, {"type": "other"}),
    ],
)
def test_a_web_search_keeps_one_id_and_a_known_action(action: dict | None, expected: dict):
    first, last = objects(
        ev.WebSearchBegin(call_id="ws_1"), ev.WebSearchEnd(call_id="ws_1", query="weather", action=action)
    )
    assert first["item"]["id"] == last["item"]["id"] == "item_0"
    assert (last["item"]["query"], last["item"]["action"]) == ("weather", expected)


def test_the_plan_starts_once_then_updates_and_completes_just_before_the_turn():
    lines = objects(
        ev.PlanUpdate(explanation=None, plan=(ev.PlanStep("a", "in_progress"), ev.PlanStep("b", "pending"))),
        ev.PlanUpdate(explanation=None, plan=(ev.PlanStep("a", "completed"), ev.PlanStep("b", "pending"))),
        ev.AgentMessage(message="done"),
        ev.TaskComplete(last_agent_message="done"),
    )
    assert [line["type"] for line in lines] == [
        *("item.started", "item.updated", "item.completed", "item.completed", "turn.completed")
    ]
    assert lines[0]["item"]["items"] == [{"text": "a", "completed": False}, {"text": "b", "completed": False}]
    assert lines[3]["item"] == {
        "id": "item_0",
        "type": "todo_list",
        "items": [{"text": "a", "completed": True}, {"text": "b", "completed": False}],
    }


def test_parts_of_one_reasoning_summary_are_one_item_and_the_next_summary_is_another():
    lines = objects(
        ev.AgentReasoning(text="one"),
        ev.AgentReasoning(text="two"),
        ev.AgentReasoningSectionBreak(),
        tokens(),
        ev.AgentReasoning(text="three"),
        ev.AgentMessage(message="m"),
    )
    assert [line["item"].get("text") for line in lines] == ["one\ntwo", "three", "m"]


def test_blank_reasoning_is_no_item_and_takes_no_number():
    assert objects(ev.AgentReasoning(text=" \n"), ev.AgentMessage(message="m"))[0]["item"]["id"] == "item_0"


def test_a_failed_turn_prints_its_error_and_ends_with_turn_failed():
    assert printed(ev.Error(message="400: no"), ev.TaskComplete(error="400: no")) == [
        '{"type":"error","message":"400: no"}',
        '{"type":"turn.failed","error":{"message":"400: no"}}',
    ]


def test_a_failure_without_an_error_event_still_prints_the_pair():
    assert [line["type"] for line in objects(ev.TaskComplete(error="no"))] == ["error", "turn.failed"]


def test_a_retry_is_announced_in_the_words_readers_know():
    lines = objects(ev.StreamError(message="cut", attempt=1, max_attempts=5), ev.StreamError(message="cut"))
    assert [line["message"] for line in lines] == ["Reconnecting... 1/5 (cut)", "cut"]


def test_a_warning_is_an_item_of_its_own():
    assert printed(ev.Warning(message="unknown key")) == [
        '{"type":"item.completed","item":{"id":"item_0","type":"error","message":"unknown key"}}'
    ]


def test_usage_is_summed_when_the_core_gives_no_total():
    count = ev.TokenCount(input_tokens=100, output_tokens=1, total_tokens=101)
    assert objects(count, count, ev.TaskComplete())[-1]["usage"]["input_tokens"] == 200


def test_events_without_an_item_print_nothing():
    assert (
        printed(
            ev.ExecCommandOutputDelta(call_id="c", stream="stdout", chunk=b"x"),
            ev.AgentReasoningDelta(delta="x"),
            ev.AgentReasoningRawContent(text="x"),
            ev.BackgroundEvent(message="x"),
            ev.TurnDiff(unified_diff="x"),
            ev.ImageViewed(call_id="c", path="/w/a.png"),
            ev.ContextCompacted(automatic=True),
            ev.TerminalInteraction(call_id="c", process_id=1, stdin="x"),
            ev.EnteredReviewMode(hint="x"),
            ev.ExitedReviewMode(),
            ev.ApprovalResolved(approval_id="a", call_id="c", decision=ReviewDecision.DENIED),
            ev.TurnContextChanged(cwd="/", approval_policy=ApprovalPolicy.NEVER, sandbox_policy=ReadOnly(), model="m"),
            ev.TurnAborted(),
            ev.ShutdownComplete(),
        )
        == []
    )


def test_text_is_not_escaped_beyond_what_json_needs():
    assert '"text":"é 日本 \\" \\u001b"' in printed(ev.AgentMessage(message='é 日本 " \x1b'))[0]


def test_an_end_without_its_beginning_is_still_an_item():
    assert objects(ended("unknown", 0))[0]["item"]["command"] == ""


def test_every_event_of_the_vocabulary_is_taken():
    samples = every_event()
    assert {type(event) for event in samples} == set(ev.EventMsg.__args__)
    printed(*samples)


@pytest.mark.parametrize(
    ("rung", "policy", "told"),
    [(3, ReadOnly(), True), (2, ReadOnly(), False), (5, ReadOnly(), True), (5, DangerFullAccess(), False)],
)
def test_missing_layers_of_the_sandbox_are_told_before_the_turn(rung: int, policy: SandboxPolicy, told: bool):
    facts = SandboxFacts(rung=rung, summary="read-only", notice="No user namespaces.")
    lines = objects(ev.SessionConfigured(session_id="T", model="m", sandbox_policy=policy, sandbox=facts))
    assert [line["item"]["message"] for line in lines[1:]] == (["No user namespaces."] if told else [])
