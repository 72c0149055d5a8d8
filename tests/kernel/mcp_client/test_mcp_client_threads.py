"""Threads with real MCP servers: a Python one on the official SDK, and the official reference server from npm."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from codex_kernel.config.confirmed import programs_of
from codex_kernel.config.types import McpServer
from codex_kernel.model.scripted import calls, says
from codex_protocol import events as ev
from codex_protocol.errors import ThreadError
from codex_protocol.items import FunctionCallOutput, InputImage
from codex_protocol.ops import ElicitationAnswer, Interrupt, ListMcpTools, McpApproval, TextInput, UserInput
from codex_protocol.policy import ApprovalPolicy, ReadOnly, ReviewDecision
from tests.support.peers import MODULES
from tests.support.threads import Watched, running

SERVER = Path(__file__).parents[2] / "support" / "mcp_python_server.py"
FILES = MODULES / "@modelcontextprotocol" / "server-filesystem" / "dist" / "index.js"
EVERYTHING = MODULES / "@modelcontextprotocol" / "server-everything" / "dist" / "index.js"


def python_server(**settings: Any) -> McpServer:
    return McpServer(command=sys.executable, args=("-P", str(SERVER), "stdio"), startup_timeout_sec=20, **settings)


def required(**settings: Any) -> McpServer:
    return python_server(required=True, **settings)


def output(watched: Watched, call_id: str) -> FunctionCallOutput:
    return next(item for item in watched.sent() if isinstance(item, FunctionCallOutput) and item.call_id == call_id)


def tool_names(watched: Watched, number: int = -1) -> list[str]:
    return [name for tool in watched.model.prompts[number].tools if (name := getattr(tool, "name", ""))]


async def test_a_tool_of_a_server_is_offered_called_and_its_result_read(tmp_path: Path):
    script = ([calls("py__add", {"a": 2, "b": 3}, call_id="c1")], [says("five")])
    async with running(tmp_path, *script, mcp_servers={"py": required()}) as watched:
        end = await watched.turn()
        assert end.last_agent_message == "five"
        assert output(watched, "c1").output == '{"result":5}'
        begin = (await watched.until(ev.McpToolCallBegin)).invocation
        assert begin == ev.McpInvocation("py", "add", {"a": 2, "b": 3})
        ended = await watched.until(ev.McpToolCallEnd)
        assert ended.result["Ok"]["structuredContent"] == {"result": 5}
        assert ended.duration.seconds() > 0
        names = tool_names(watched)
        assert names.index("exec_command") < names.index("py__add")
        own = [name for name in names if name.startswith("py__")]
        assert own == sorted(own)
        assert "list_mcp_resources" in names


async def test_typed_arguments_are_told_to_the_model_without_references(tmp_path: Path):
    async with running(tmp_path, [says("x")], mcp_servers={"py": required()}) as watched:
        await watched.turn()
        spec = next(tool for tool in watched.model.prompts[0].tools if getattr(tool, "name", "") == "py__move")
        assert spec.parameters == {
            "type": "object",
            "properties": {
                "point": {
                    "type": "object",
                    "properties": {"x": {"type": "number"}, "y": {"type": "number"}},
                    "required": ["x"],
                },
                "how": {"type": "string", "enum": ["up", "down"]},
                "note": {"type": "string"},
            },
            "required": ["point"],
        }


async def test_an_optional_server_never_delays_the_first_turn_and_joins_the_next(tmp_path: Path):
    gate = tmp_path / "gate"
    gate.touch()
    server = McpServer(command=sys.executable, args=("-P", str(SERVER), "stdio"), env={"STARTS_WHEN_GONE": str(gate)})
    async with running(tmp_path, [says("one")], [says("two")], mcp_servers={"py": server}) as watched:
        await watched.turn()
        assert not [name for name in tool_names(watched) if name.startswith("py__")]
        gate.unlink()
        while True:
            watched.thread.submit(ListMcpTools())
            listed = await watched.until(ev.McpListToolsResponse, len(watched.all(ev.McpListToolsResponse)) + 1)
            if listed.tools:
                break
            await asyncio.sleep(0.05)
        assert listed.tools["py__add"]["description"] == "Adds two numbers."
        await watched.turn()
        assert "py__add" in tool_names(watched)


async def test_the_tools_of_last_time_are_offered_at_once_and_a_call_waits_for_the_server(tmp_path: Path):
    async with running(tmp_path, [says("one")], mcp_servers={"py": required()}) as watched:
        await watched.turn()
    script = ([calls("py__add", {"a": 1, "b": 1}, call_id="c1")], [says("two")])
    async with running(tmp_path, *script, mcp_servers={"py": python_server()}) as watched:
        watched.thread.submit(ListMcpTools())
        listed = await watched.until(ev.McpListToolsResponse)
        assert listed.tools["py__add"]["_meta"] == {"codex/cached": True}
        await watched.turn()
        assert "py__add" in tool_names(watched, 0)
        assert output(watched, "c1").output == '{"result":2}'


async def test_a_required_server_that_does_not_start_keeps_the_thread_from_starting(tmp_path: Path):
    with pytest.raises(ThreadError, match="the required MCP server `x` failed to start: there is no program"):
        async with running(tmp_path, mcp_servers={"x": McpServer(command="no-such-program", required=True)}):
            pass


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("no-such-program",), "there is no program 'no-such-program'"),
        (("sh", "-c", "echo 'no licence' >&2; exit 3"), "no licence"),
        (("sh", "-c", "echo 'not json'; echo '[]'; echo '{}'; exec cat >/dev/null"), "closed the connection"),
        (("sh", "-c", 'read x; echo \'{"jsonrpc":"2.0","id":0,"result":{"no":1}}\'; exec cat'), "not"),
        (("sh", "-c", "exec sleep 100"), "did not answer within 1 s"),
        (("sh", "-c", "yes | tr -d '\\n'"), ""),
    ],
)
async def test_a_server_that_cannot_be_used_is_told_of_once_and_stops_nothing(
    tmp_path: Path, argv: tuple[str, ...], said: str
):
    bad = McpServer(command=argv[0], args=argv[1:], startup_timeout_sec=1)
    async with running(tmp_path, [says("one")], mcp_servers={"bad": bad}) as watched:
        assert (await watched.turn()).last_agent_message == "one"
        warning = await watched.until(ev.Warning)
        assert warning.message.startswith("MCP client for `bad` failed to start: ")
        assert said in warning.message


async def test_a_server_that_dies_is_restarted_and_told_of_once(tmp_path: Path):
    script = (
        [calls("py__die", {}, call_id="c1")],
        [calls("py__add", {"a": 1, "b": 1}, call_id="c2")],
        [calls("py__die", {}, call_id="c3")],
        [calls("py__add", {"a": 2, "b": 2}, call_id="c4")],
        [says("done")],
    )
    async with running(tmp_path, *script, mcp_servers={"py": required()}) as watched:
        await watched.turn()
        assert "tool call failed for `py/die`: the server closed the connection" in str(output(watched, "c1").output)
        assert output(watched, "c2").output == '{"result":2}'
        assert output(watched, "c4").output == '{"result":4}'
        assert len([warning for warning in watched.all(ev.Warning) if "restarted" in warning.message]) == 1


async def test_a_projects_server_is_not_started_again_once_its_program_was_changed(tmp_path: Path):
    program = tmp_path / "server.py"
    program.write_bytes(SERVER.read_bytes())
    server = msgspec.structs.replace(required(), args=("-P", str(program), "stdio"))
    bound = {"py": programs_of((server.command or "", *server.args), tmp_path)}
    script = (
        [calls("py__add", {"a": 1, "b": 1}, call_id="c1")],
        [calls("py__die", {}, call_id="c2")],
        [calls("py__add", {"a": 1, "b": 1}, call_id="c3")],
        [says("done")],
    )
    async with running(tmp_path, *script, mcp_servers={"py": server}, bound_servers=bound) as watched:
        program.write_text(program.read_text() + "\n# and more\n")
        await watched.turn()
        assert output(watched, "c1").output == '{"result":2}'
        assert f"{program} was changed since you trusted it" in str(output(watched, "c3").output)


async def test_results_that_are_images_errors_and_endless_texts_are_mapped(tmp_path: Path):
    script = (
        [
            calls("py__picture", {}, call_id="c1"),
            calls("py__fail", {}, call_id="c2"),
            calls("py__huge", {"size": 3_000_000}, call_id="c3"),
            calls("py__add", {"a": "x"}, call_id="c4"),
            calls("py__add", "{not json", call_id="c5"),
            calls("py__nothing", {}, call_id="c6"),
        ],
        [says("done")],
    )
    async with running(tmp_path, *script, mcp_servers={"py": required()}) as watched:
        await watched.turn()
        picture = output(watched, "c1").output
        assert isinstance(picture[-1], InputImage)
        assert picture[-1].image_url.startswith("data:image/png;base64,")
        assert "Error executing tool fail" in str(output(watched, "c2").output)
        assert len(str(output(watched, "c3").output)) < 50_000
        assert "truncated" in str(output(watched, "c3").output)
        assert "valid" in str(output(watched, "c4").output)
        assert str(output(watched, "c5").output).startswith("err: ")
        assert output(watched, "c6").output == "unsupported call: py__nothing"
        assert len(watched.all(ev.McpToolCallBegin)) == len(watched.all(ev.McpToolCallEnd)) == 4
        assert all(len(json.dumps(end.result)) < 200_000 for end in watched.all(ev.McpToolCallEnd))


async def test_a_call_that_takes_too_long_is_given_up_and_the_server_told(tmp_path: Path):
    marker = tmp_path / "marker"
    script = ([calls("py__slow", {"seconds": 30}, call_id="c1")], [says("done")])
    server = required(tool_timeout_sec=0.5, env={"CANCEL_MARKER": str(marker)})
    async with running(tmp_path, *script, mcp_servers={"py": server}) as watched:
        await watched.turn()
        assert "request timed out after 0.5 s" in str(output(watched, "c1").output)
        await appears(marker)


async def appears(file: Path) -> None:
    for _ in range(500):
        if file.exists():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{file} never came")


async def test_an_interrupt_reaches_the_server_and_progress_is_shown_meanwhile(tmp_path: Path):
    marker = tmp_path / "marker"
    script = ([calls("py__slow", {"seconds": 30}, call_id="c1")], [says("again")])
    async with running(tmp_path, *script, mcp_servers={"py": required(env={"CANCEL_MARKER": str(marker)})}) as watched:
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        assert "py/slow" in (await watched.until(ev.BackgroundEvent)).message
        watched.thread.submit(Interrupt())
        await watched.until(ev.TurnAborted)
        await appears(marker)
        assert (await watched.until(ev.McpToolCallEnd)).result == {"Err": "aborted by the user"}
        await watched.turn()
        assert output(watched, "c1").output == "aborted by the user"


async def test_what_may_destroy_asks_and_runs_when_approved(tmp_path: Path):
    script = (
        [calls("py__erase", {"name": "x"}, call_id="c1")],
        [calls("py__erase", {"name": "x"}, call_id="c2")],
        [calls("py__erase", {"name": "y"}, call_id="c3")],
        [says("done")],
    )
    async with running(
        tmp_path,
        *script,
        can_ask=True,
        approval_policy=ApprovalPolicy.ON_REQUEST,
        mcp_servers={"py": required()},
    ) as watched:
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        asked = await watched.until(ev.McpApprovalRequest)
        assert (asked.server, asked.tool, asked.arguments) == ("py", "erase", {"name": "x"})
        assert "may destroy" in asked.reason
        watched.thread.submit(McpApproval(id=asked.approval_id, decision=ReviewDecision.APPROVED_FOR_SESSION))
        again = await watched.until(ev.McpApprovalRequest, 2)
        assert again.arguments == {"name": "y"}
        watched.thread.submit(McpApproval(id=again.approval_id, decision=ReviewDecision.DENIED))
        await watched.until(ev.TaskComplete)
        assert output(watched, "c1").output == output(watched, "c2").output == '{"result":"erased x"}'
        assert output(watched, "c3").output == "MCP tool call rejected by user"
        assert watched.all(ev.McpToolCallEnd)[-1].result == {"Err": "MCP tool call rejected by user"}


@pytest.mark.parametrize(
    ("tool", "settings", "policy", "ran"),
    [
        ("add", {}, ReadOnly(), True),
        ("erase", {}, ReadOnly(), False),
        ("unannotated", {}, ReadOnly(), False),
        ("erase", {"default_tools_approval_mode": "approve"}, ReadOnly(), True),
        ("erase", {"tools": {"erase": {"approval_mode": "approve"}}}, ReadOnly(), True),
        ("add", {"default_tools_approval_mode": "prompt"}, ReadOnly(), False),
        ("erase", {}, None, True),
    ],
)
async def test_where_nobody_is_asked_the_policy_decides(
    tmp_path: Path, tool: str, settings: dict[str, Any], policy: Any, ran: bool
):
    arguments = {"add": {"a": 1, "b": 1}, "erase": {"name": "x"}, "unannotated": {}}[tool]
    script = ([calls(f"py__{tool}", arguments, call_id="c1")], [says("done")])
    changes = {} if policy is None else {"sandbox_policy": policy}
    async with running(tmp_path, *script, mcp_servers={"py": required(**settings)}, **changes) as watched:
        await watched.turn()
        refused = output(watched, "c1").output == "MCP tool call requires approval, but approval policy is never"
        assert refused is not ran
        assert ("Err" in (await watched.until(ev.McpToolCallEnd)).result) is not ran


async def test_only_the_wanted_tools_are_offered(tmp_path: Path):
    servers = {"a": required(enabled_tools=("add", "move"), disabled_tools=("move",)), "b": required(enabled_tools=())}
    async with running(tmp_path, [says("x")], mcp_servers=servers) as watched:
        await watched.turn()
        assert [name for name in tool_names(watched) if "__" in name] == ["a__add"]


async def test_calls_run_side_by_side_only_where_the_settings_say_so(tmp_path: Path):
    for parallel in (True, False):
        script = ([calls("py__slow", {"seconds": 0.4}), calls("py__slow", {"seconds": 0.4})], [says("done")])
        server = required(supports_parallel_tool_calls=parallel)
        async with running(tmp_path, *script, mcp_servers={"py": server}) as watched:
            await watched.turn()
            kinds = [type(e.msg) for e in watched.events if isinstance(e.msg, ev.McpToolCallBegin | ev.McpToolCallEnd)]
            assert (kinds[1] is ev.McpToolCallBegin) is parallel


async def test_a_server_sees_only_the_variables_every_program_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    script = ([calls("py__environment", {}, call_id="c1")], [says("done")])
    async with running(tmp_path, *script, mcp_servers={"py": required(env={"OWN": "1"})}) as watched:
        await watched.turn()
        seen = json.loads(str(output(watched, "c1").output))
        seen = seen.get("result", seen)
        assert seen["OWN"] == "1"
        assert seen["HOME"] == str(tmp_path)
        assert "OPENAI_API_KEY" not in seen


async def test_a_servers_question_is_put_to_the_user(tmp_path: Path):
    script = ([calls("py__ask", {}, call_id="c1")], [says("done")])
    async with running(tmp_path, *script, mcp_servers={"py": required(tool_timeout_sec=3)}) as watched:
        watched.thread.answers_servers()
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        asked = await watched.until(ev.ElicitationRequest)
        assert asked.message == "Which colour?"
        assert asked.schema["properties"]["colour"]["type"] == "string"
        watched.thread.submit(ElicitationAnswer(id=asked.id, action="accept", content={"colour": "red"}))
        await watched.until(ev.TaskComplete)
        assert output(watched, "c1").output == '{"result":"accept red"}'
        watched.thread.submit(ElicitationAnswer(id=asked.id, action="decline"))
        assert "answered already" in (await watched.until(ev.Warning)).message


async def test_where_nobody_can_answer_a_servers_question_it_is_told_so_at_once(tmp_path: Path):
    script = ([calls("py__ask", {}, call_id="c1")], [says("done")])
    async with running(tmp_path, *script, mcp_servers={"py": required()}) as watched:
        await watched.turn()
        assert output(watched, "c1").output == '{"result":"cancel None"}'


async def test_resources_are_listed_and_read(tmp_path: Path):
    script = (
        [
            calls("list_mcp_resources", {}, call_id="c1"),
            calls("list_mcp_resources", {"server": "py"}, call_id="c2"),
            calls("read_mcp_resource", {"server": "py", "uri": "test://greeting"}, call_id="c3"),
            calls("read_mcp_resource", {"server": "other", "uri": "x"}, call_id="c4"),
            calls("list_mcp_resource_templates", {"server": "py"}, call_id="c5"),
            calls("read_mcp_resource", {"server": "py"}, call_id="c6"),
        ],
        [says("done")],
    )
    async with running(tmp_path, *script, mcp_servers={"py": required()}) as watched:
        await watched.turn()
        assert '"uri":"test://greeting"' in str(output(watched, "c1").output)
        assert '"server":"py"' in str(output(watched, "c1").output)
        assert '"uri":"test://greeting"' in str(output(watched, "c2").output)
        assert "hello from a resource" in str(output(watched, "c3").output)
        assert "there is no MCP server named 'other'; there are: py" in str(output(watched, "c4").output)
        assert output(watched, "c5").output == '{"server":"py","resourceTemplates":[]}'
        assert "uri" in str(output(watched, "c6").output)


async def test_the_official_reference_server_from_npm_works(tmp_path: Path):
    server = McpServer(command="node", args=(str(EVERYTHING), "stdio"), required=True, startup_timeout_sec=20)
    script = ([calls("every__echo", {"message": "hi"}, call_id="c1")], [says("done")])
    async with running(tmp_path, *script, mcp_servers={"every": server}) as watched:
        await watched.turn()
        assert "Echo: hi" in str(output(watched, "c1").output)


async def test_the_official_file_server_reads_by_itself_and_asks_before_it_writes(tmp_path: Path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "a.txt").write_text("from a file")
    written = shared / "b.txt"
    server = McpServer(command="node", args=(str(FILES), str(shared)), required=True, startup_timeout_sec=20)
    script = (
        [calls("files__read_text_file", {"path": str(shared / "a.txt")}, call_id="c1")],
        [calls("files__read_text_file", {"path": "/etc/hostname"}, call_id="c2")],
        [calls("files__write_file", {"path": str(written), "content": "x"}, call_id="c3")],
        [says("done")],
    )
    async with running(
        tmp_path, *script, can_ask=True, approval_policy=ApprovalPolicy.ON_REQUEST, mcp_servers={"files": server}
    ) as watched:
        watched.thread.submit(UserInput(items=(TextInput("go"),)))
        asked = await watched.until(ev.McpApprovalRequest)
        assert (asked.server, asked.tool) == ("files", "write_file")
        assert not written.exists()
        watched.thread.submit(McpApproval(id=asked.approval_id, decision=ReviewDecision.APPROVED))
        await watched.until(ev.TaskComplete)
        assert "from a file" in str(output(watched, "c1").output)
        assert "outside allowed directories" in str(output(watched, "c2").output)
        assert written.read_text() == "x"


async def test_no_process_of_a_server_outlives_the_thread(tmp_path: Path):
    pid_file = tmp_path / "pid"
    script = f"echo $$ > {pid_file}; sleep 1000 & exec {sys.executable} -P {SERVER} stdio"
    server = McpServer(command="sh", args=("-c", script), required=True, startup_timeout_sec=20)
    async with running(tmp_path, [says("x")], mcp_servers={"py": server}) as watched:
        await watched.turn()
        group = int(pid_file.read_text())
        assert members(group)
    assert not members(group)


def members(group: int) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(folder.name)
    return found
