import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_kernel.mcp_server.approvals import decision_of
from codex_kernel.mcp_server.messages import Malformed, Notification, Request, Response, encode_request, parse
from codex_kernel.mcp_server.older_events import older
from codex_protocol import events as ev
from codex_protocol.events import EventMsg
from codex_protocol.file_changes import AddedFile, DeletedFile, FileChange, UpdatedFile
from codex_protocol.policy import ReviewDecision
from tests.support.event_samples import every_event

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary(max_size=100) | st.builds(lambda value: json.dumps(value).encode(), _JSON))
def test_any_line_is_told_apart_without_raising(line: bytes):
    assert isinstance(parse(line), Request | Notification | Response | Malformed)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"id": 1, "method": "ping"}, Request(1, "ping", None)),
        ({"id": "a", "method": "ping", "params": {}}, Request("a", "ping", {})),
        ({"method": "notifications/initialized"}, Notification("notifications/initialized", None)),
        ({"id": 3, "result": {}}, Response(3, {}, None)),
        ({"id": 3, "error": {"code": 1}}, Response(3, None, {"code": 1})),
    ],
)
def test_messages_are_told_apart(raw: dict[str, Any], expected: object):
    assert parse(json.dumps(raw).encode()) == expected


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b'[{"id":1,"method":"ping"}]',
        b'{"id":true,"method":"ping"}',
        b"\xff",
        b'{"id":null,"method":"x"}',
    ],
)
def test_what_is_no_message_has_no_id_to_answer(line: bytes):
    assert isinstance(found := parse(line), Malformed)
    assert found.id is None


def test_a_request_without_a_usable_method_can_be_refused_by_its_id():
    assert parse(b'{"id":7,"method":5}') == Malformed("the method is not a string", 7)


def test_a_message_is_one_line_whatever_it_holds():
    line = encode_request(0, "x", {"text": "a\nb\r\u2028c"})
    assert line.count(b"\n") == 1
    assert json.loads(line)["params"]["text"] == "a\nb\r\u2028c"


@pytest.mark.parametrize("msg", every_event(), ids=lambda msg: type(msg).__name__)
def test_every_event_is_a_json_object_or_left_out_in_the_older_vocabulary(msg: EventMsg):
    wire = older(msg)
    assert wire is None or msgspec.json.decode(msgspec.json.encode(wire))["type"] in _OLDER


_OLDER = {
    "error", "task_started", "task_complete", "token_count", "agent_message", "agent_message_delta", "agent_reasoning",
    "agent_reasoning_delta", "agent_reasoning_raw_content", "agent_reasoning_raw_content_delta",
    "agent_reasoning_section_break", "session_configured", "mcp_tool_call_begin", "mcp_tool_call_end",
    "web_search_begin", "web_search_end", "exec_command_begin", "exec_command_output_delta", "exec_command_end",
    "exec_approval_request", "apply_patch_approval_request", "background_event", "stream_error", "patch_apply_begin",
    "patch_apply_end", "turn_diff", "get_history_entry_response", "mcp_list_tools_response",
    "list_custom_prompts_response", "plan_update", "turn_aborted", "shutdown_complete", "conversation_history",
}  # fmt: skip


@pytest.mark.parametrize(
    ("msg", "expected"),
    [
        (
            ev.SessionConfigured(session_id="s", model="m"),
            {"type": "session_configured", "session_id": "s", "model": "m", "history_log_id": 0}
            | {"history_entry_count": 0},
        ),
        (
            ev.ExecCommandOutputDelta(call_id="c", stream="stdout", chunk=b"hi"),
            {"type": "exec_command_output_delta", "call_id": "c", "stream": "stdout", "chunk": [104, 105]},
        ),
        (ev.Warning(message="w"), {"type": "background_event", "message": "w"}),
        (
            ev.PatchApplyBegin(
                call_id="c",
                auto_approved=True,
                changes={
                    "/a": FileChange(add=AddedFile("x")),
                    "/b": FileChange(delete=DeletedFile("x")),
                    "/c": FileChange(update=UpdatedFile("@@")),
                },
            ),
            {
                "type": "patch_apply_begin",
                "call_id": "c",
                "auto_approved": True,
                "changes": {
                    "/a": {"add": {"content": "x"}},
                    "/b": "delete",
                    "/c": {"update": {"unified_diff": "@@", "move_path": None}},
                },
            },
        ),
        (
            ev.ExecApprovalRequest(call_id="c", approval_id="a", digest="d", command=("ls",), cwd="/w"),
            {"type": "exec_approval_request", "call_id": "c", "command": ["ls"], "cwd": "/w"},
        ),
        (ev.ApprovalResolved(approval_id="a", call_id="c", decision=ReviewDecision.DENIED), None),
        (ev.TaskComplete(last_agent_message="x", error=None), {"type": "task_complete", "last_agent_message": "x"}),
    ],
)
def test_events_have_the_shape_of_august_2025(msg: EventMsg, expected: object):
    assert msgspec.json.decode(msgspec.json.encode(older(msg))) == expected


@pytest.mark.parametrize(
    ("result", "error", "expected"),
    [
        ({"decision": "approved"}, None, ReviewDecision.APPROVED),
        ({"decision": "approved_for_session"}, None, ReviewDecision.APPROVED_FOR_SESSION),
        ({"decision": "abort"}, None, ReviewDecision.ABORT),
        ({"decision": "APPROVED"}, None, ReviewDecision.DENIED),
        ({"decision": ["approved"]}, None, ReviewDecision.DENIED),
        ({"action": "accept"}, None, ReviewDecision.APPROVED),
        ({"action": "accept", "content": {"decision": "approved_for_session"}}, None, "approved_for_session"),
        ({"action": "accept", "content": {"decision": "no"}}, None, ReviewDecision.DENIED),
        ({"action": "decline"}, None, ReviewDecision.DENIED),
        ({"action": "cancel"}, None, ReviewDecision.ABORT),
        ({"action": "decline", "decision": "approved?"}, None, ReviewDecision.DENIED),
        ({"action": {}}, None, ReviewDecision.DENIED),
        ("approved", None, ReviewDecision.DENIED),
        (None, None, ReviewDecision.DENIED),
        ({"decision": "approved"}, {"code": -1}, ReviewDecision.DENIED),
    ],
)
def test_only_a_clear_yes_approves(result: Any, error: Any, expected: str):
    assert decision_of(Response(0, result, error)) == expected
