"""`codex mcp` as a process of its own against a scripted model."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.mcp_wire import WireClient
from tests.support.model_server import ModelServer
from tests.support.our_command import OurCommand
from tests.support.replies import calls, fails, patches, says

TOUCH = ["bash", "-lc", "touch made && echo done"]
SHELL = 'tools.shell = "shell"\n'


class Served(WireClient):
    """A client with the model and the command behind its server."""

    def __init__(self, process: subprocess.Popen[Any], model: ModelServer, codex: OurCommand) -> None:
        super().__init__(process)
        self.model = model
        self.codex = codex


@contextmanager
def serving(folder: Path, script: Any, *arguments: str, settings: str = SHELL, servers: str = "") -> Iterator["Served"]:
    """A server that plays `script`, and its client; it has to end by itself when its input does."""
    with ModelServer(script) as model:
        codex = OurCommand(folder, model, settings=settings)
        with (codex.home / "config.toml").open("a") as file:
            file.write(servers)
        process = codex.start("mcp", *arguments, text=False)
        client = Served(process, model, codex)
        try:
            yield client
            client.process.stdin.close()  # type: ignore[union-attr]
            assert process.wait(20) == 0
            assert b"Traceback" not in process.stderr.read()  # type: ignore[union-attr]
        finally:
            client.close()


def tool(client: Served, arguments: dict[str, Any], name: str = "codex", id: int | str = 5) -> int | str:
    return client.request("tools/call", {"name": name, "arguments": arguments}, id)


def text(answer: dict[str, Any]) -> str:
    return answer["result"]["content"][0]["text"]


def test_a_call_is_a_turn_and_a_reply_goes_on_with_it(tmp_path: Path):
    with serving(tmp_path, [says("one"), says("two")]) as client:
        client.initialize()
        tool(client, {"prompt": "go"}, id="a15")
        answer = client.response("a15")
        assert answer["result"]["content"] == [{"type": "text", "text": "one"}]
        assert "isError" not in answer["result"]
        events = [message["params"] for message in client.seen if message.get("method") == "codex/event"]
        assert [event["msg"]["type"] for event in events] == [
            "session_configured", "task_started", "agent_message", "token_count", "task_complete",
        ]  # fmt: skip
        assert {event["_meta"]["requestId"] for event in events} == {"a15"}
        assert [event["id"] for event in events] == ["", "a15", "a15", "a15", "a15"]
        session = events[0]["msg"]["session_id"]
        assert answer["result"]["structuredContent"] == {"sessionId": session, "threadId": session, "content": "one"}
        tool(client, {"sessionId": session, "prompt": "more"}, "codex-reply", id=6)
        assert text(client.response(6)) == "two"
        assert client.model.requests[1].input[-1]["content"][0]["text"] == "more"


def test_replies_to_one_thread_run_one_after_another(tmp_path: Path):
    with serving(tmp_path, [says("one"), says("two"), says("three")]) as client:
        client.initialize()
        tool(client, {"prompt": "go"})
        session = client.response(5)["result"]["structuredContent"]["sessionId"]
        for id in (6, 7):
            tool(client, {"sessionId": session, "prompt": str(id)}, "codex-reply", id=id)
        assert text(client.response(6)) == "two"
        assert text(client.response(7)) == "three"


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("nothing", {}, "Unknown tool 'nothing'"),
        ("codex", None, "`prompt` field is required"),
        ("codex", {}, "Failed to parse configuration for Codex tool: missing field `prompt`"),
        ("codex", {"prompt": 1}, "Failed to parse configuration for Codex tool: Expected `str`"),
        ("codex", {"prompt": "x", "sandbox": "none"}, "Failed to parse configuration for Codex tool: Invalid enum"),
        ("codex", {"prompt": "  "}, "is empty"),
        ("codex", {"prompt": "x", "cwd": "missing"}, "Failed to load Codex configuration from overrides: The working"),
        ("codex", {"prompt": "x", "profile": "p"}, "Failed to load Codex configuration from overrides: The profile"),
        ("codex-reply", None, "`session_id` and `prompt` fields are required"),
        ("codex-reply", {"prompt": "x"}, "`session_id` and `prompt` fields are required"),
        ("codex-reply", {"prompt": "x", "sessionId": "x"}, "Failed to parse session_id"),
        (
            "codex-reply",
            {"prompt": "x", "sessionId": "00000000-0000-0000-0000-000000000000"},
            "Session not found for session_id: 00000000",
        ),
    ],
)
def test_a_call_that_cannot_begin_is_a_result_that_says_why(shared: Served, name: str, arguments: Any, said: str):
    result = shared.ask("tools/call", {"name": name, **({} if arguments is None else {"arguments": arguments})})
    assert result["result"]["isError"] is True
    assert said in text(result)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Served"]:
    with serving(tmp_path_factory.mktemp("served"), lambda request: says("done")) as client:
        client.initialize()
        yield client


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("resources/list", {}, -32601),
        ("server/discover", {}, -32601),
        ("newConversation", None, -32602),
        ("getAuthStatus", None, -32602),
        ("tools/call", {}, -32602),
        ("sendUserMessage", {"conversationId": "x", "items": [{"type": "text"}]}, -32602),
        ("sendUserMessage", {"conversationId": "x", "items": []}, -32600),
        ("interruptConversation", {"conversationId": "x"}, -32600),
        ("removeConversationListener", {"subscriptionId": "x"}, -32600),
        ("cancelLoginChatGpt", {"loginId": "x"}, -32600),
        ("gitDiffToRemote", {"cwd": "/"}, -32600),
        ("newConversation", {"profile": "missing"}, -32600),
        ("initialize", {}, -32600),
    ],
)
def test_a_request_that_cannot_be_done_is_refused(shared: Served, method: str, params: Any, code: int):
    assert shared.ask(method, params)["error"]["code"] == code


def test_lines_that_are_no_messages_are_passed_over(shared: Served):
    shared.send_raw(b'nonsense\n[1]\n{"id":null}\n\xff\xfe\n\n')
    assert shared.ask("ping")["result"] == {}


def test_a_failing_model_is_a_failed_result(tmp_path: Path):
    with serving(tmp_path, lambda request: fails(400, {"error": {"message": "no such model"}})) as client:
        client.initialize()
        tool(client, {"prompt": "go"})
        answer = client.response(5)
        assert answer["result"]["isError"] is True
        assert "no such model" in text(answer)


def test_settings_of_a_call_reach_the_model(tmp_path: Path):
    with serving(tmp_path, lambda request: says("done"), "-c", 'model_reasoning_effort="low"') as client:
        client.initialize()
        tool(client, {"prompt": "x", "model": "o3", "base-instructions": "You are a test.", "cwd": "."})
        assert "isError" not in client.response(5)["result"]
        sent = client.model.requests[0].json
        assert sent["model"] == "o3"
        assert sent["reasoning"]["effort"] == "low"
        assert sent["instructions"].startswith("You are a test.")


def elicited(client: Served) -> dict[str, Any]:
    return client.until(lambda message: message.get("method") == "elicitation/create")


def test_a_command_is_asked_about_by_elicitation_and_runs_when_approved(tmp_path: Path):
    script = [calls("shell", {"command": TOUCH}, call_id="c1"), says("done")]
    with serving(tmp_path, script) as client:
        client.initialize()
        tool(client, {"prompt": "go", "approval-policy": "untrusted", "sandbox": "danger-full-access"})
        asked = elicited(client)
        assert asked["id"] == 0
        params = asked["params"]
        work = str(client.codex.work)
        assert params["message"].startswith(f"Allow Codex to run `bash -lc 'touch made && echo done'` in `{work}`?")
        assert params["requestedSchema"] == {"type": "object", "properties": {}}
        assert params["codex_elicitation"] == "exec-approval"
        assert params["codex_mcp_tool_call_id"] == params["codex_event_id"] == "5"
        assert params["codex_call_id"] == "c1"
        assert params["codex_command"] == TOUCH
        assert params["codex_cwd"] == work
        assert client.seen[-2]["params"]["msg"]["type"] == "exec_approval_request"
        client.answer(0, {"decision": "approved"})
        assert text(client.response(5)) == "done"
        assert (client.codex.work / "made").exists()


@pytest.mark.parametrize("answer", [{"action": "decline"}, {"decision": "denied"}, {"nonsense": 1}, "x"])
def test_a_command_that_is_not_clearly_approved_does_not_run(tmp_path: Path, answer: Any):
    with serving(tmp_path, [calls("shell", {"command": TOUCH}, call_id="c1"), says("ok, not then")]) as client:
        client.initialize()
        tool(client, {"prompt": "go", "approval-policy": "untrusted"})
        client.answer(elicited(client)["id"], answer)
        assert text(client.response(5)) == "ok, not then"
        assert client.model.requests[1].outputs()["c1"] == "exec command rejected by user"


def test_stopping_the_turn_in_an_answer_ends_the_call_with_a_failure(tmp_path: Path):
    with serving(tmp_path, [calls("shell", {"command": TOUCH}), says("never")]) as client:
        client.initialize()
        tool(client, {"prompt": "go", "approval-policy": "untrusted"})
        client.answer(elicited(client)["id"], {"decision": "abort"})
        answer = client.response(5)
        assert answer["result"]["isError"] is True
        assert client.seen[-2]["params"]["msg"] == {"type": "turn_aborted", "reason": "interrupted"}


def test_a_client_that_cannot_be_asked_is_denied_at_once(tmp_path: Path):
    with serving(tmp_path, [calls("shell", {"command": TOUCH}, call_id="c1"), says("denied")]) as client:
        client.initialize(elicitation=False)
        tool(client, {"prompt": "go", "approval-policy": "untrusted"})
        assert text(client.response(5)) == "denied"
        assert "nobody can answer" in client.model.requests[1].outputs()["c1"]


def test_a_patch_is_asked_about_with_its_changes(tmp_path: Path):
    patch = "*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch\n"
    with serving(tmp_path, [patches(patch), says("done")]) as client:
        client.initialize()
        tool(client, {"prompt": "go", "approval-policy": "untrusted", "sandbox": "workspace-write"})
        asked = elicited(client)["params"]
        new = client.codex.work / "new.txt"
        assert asked["codex_elicitation"] == "patch-approval"
        assert asked["codex_changes"] == {str(new): {"add": {"content": "hello\n"}}}
        client.answer(0, {"action": "accept"})
        assert text(client.response(5)) == "done"
        assert new.read_text() == "hello\n"


def test_a_cancelled_call_stops_and_is_not_answered(tmp_path: Path):
    with serving(tmp_path, [calls("shell", {"command": ["sleep", "60"]}), says("again")]) as client:
        client.initialize()
        tool(client, {"prompt": "go", "sandbox": "danger-full-access"})
        client.event("exec_command_begin")
        session = next(m for m in client.seen if m.get("method") == "codex/event")["params"]["msg"]["session_id"]
        client.notify("notifications/cancelled", {"requestId": 99})
        client.notify("notifications/cancelled", {"requestId": 5, "reason": "enough"})
        client.event("turn_aborted")
        tool(client, {"sessionId": session, "prompt": "more"}, "codex-reply", id=6)
        assert text(client.response(6)) == "again"
        assert not [message for message in client.seen if message.get("id") == 5]


def test_progress_is_told_to_who_asked_for_it(tmp_path: Path):
    with serving(tmp_path, [says("one")]) as client:
        client.initialize()
        client.request(
            "tools/call", {"name": "codex", "arguments": {"prompt": "go"}, "_meta": {"progressToken": "t"}}, id=5
        )
        client.response(5)
        told = [m["params"] for m in client.seen if m.get("method") == "notifications/progress"]
        assert [(one["progressToken"], one["progress"]) for one in told] == [("t", 1), ("t", 2)]
        assert told[1]["message"] == "one"


def test_the_end_of_input_in_the_middle_of_a_turn_ends_the_server_and_its_children(tmp_path: Path):
    marker = f"mcp-eof-{tmp_path.name}"
    sleeping = ["bash", "-c", f"exec -a {marker} sleep 60"]
    with serving(tmp_path, [calls("shell", {"command": sleeping})]) as client:
        client.initialize()
        tool(client, {"prompt": "go", "sandbox": "danger-full-access"})
        client.event("exec_command_begin")
        client.process.stdin.close()  # type: ignore[union-attr]
        assert client.process.wait(5) == 0
        assert not _running(marker)


def _running(marker: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (line := (folder / "cmdline").read_bytes().decode(errors="replace")):
                found.append(line)
        except OSError:
            continue
    return found


MCP_SERVER = Path(__file__).parents[2] / "support" / "mcp_python_server.py"


def test_approvals_of_mcp_calls_and_servers_own_questions_reach_the_client(tmp_path: Path):
    settings = f"""{SHELL}[mcp_servers.py]
command = "{sys.executable}"
args = ["-P", "{MCP_SERVER}", "stdio"]
required = true
startup_timeout_sec = 20
"""
    script = [calls("py__erase", {"name": "x"}, call_id="c1"), calls("py__ask", {}, call_id="c2"), says("done")]
    with serving(tmp_path, script, servers=settings.partition(SHELL)[2]) as client:
        client.initialize()
        tool(client, {"prompt": "go"})
        asked = elicited(client)
        assert asked["params"]["message"].startswith('Allow Codex to call `py/erase` with {"name":"x"}?')
        assert asked["params"]["codex_elicitation"] == "mcp-tool-call-approval"
        client.answer(asked["id"], {"action": "accept"})
        question = elicited(client)
        assert question["params"]["message"] == "MCP server `py` asks: Which colour?"
        assert "colour" in question["params"]["requestedSchema"]["properties"]
        client.answer(question["id"], {"action": "accept", "content": {"colour": "blue"}})
        assert text(client.response(5)) == "done"
        outputs = client.model.requests[2].outputs()
        assert outputs == {"c1": '{"result":"erased x"}', "c2": '{"result":"accept blue"}'}
        kinds = [m["params"]["msg"]["type"] for m in client.seen if m.get("method") == "codex/event"]
        assert kinds.count("mcp_tool_call_begin") == kinds.count("mcp_tool_call_end") == 2


def test_the_end_of_input_also_ends_the_mcp_servers_of_the_threads(tmp_path: Path):
    marker = f"mcp-server-{tmp_path.name}"
    stubborn = f"trap '' TERM; exec {sys.executable} -P {MCP_SERVER} stdio {marker}"
    servers = f'[mcp_servers.py]\ncommand = "sh"\nargs = ["-c", "{stubborn}"]\n'
    with serving(tmp_path, [calls("py__slow", {"seconds": 60})], servers=f"{servers}required = true\n") as client:
        client.initialize()
        tool(client, {"prompt": "go"})
        client.event("mcp_tool_call_begin")
        assert _running(marker)
        client.process.stdin.close()  # type: ignore[union-attr]
        assert client.process.wait(6) == 0
        assert not _running(marker)


def test_a_terminal_is_told_what_the_command_is_for(tmp_path: Path):
    import os
    import pty

    with ModelServer([]) as model:
        codex = OurCommand(tmp_path, model)
        ours, theirs = pty.openpty()
        process = codex.start("mcp", stdin=theirs)
        _, err = process.communicate(timeout=20)
        os.close(ours)
        os.close(theirs)
    assert process.returncode == 1
    assert "this is a terminal" in err


def test_a_bad_override_is_said_before_anything_is_served(tmp_path: Path):
    with ModelServer([]) as model:
        done = OurCommand(tmp_path, model).run("mcp", "-c", "approval_policy=maybe", code=1)
    assert "approval_policy" in done.stderr
    assert done.stdout == ""
