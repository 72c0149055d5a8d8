"""`codex mcp` spoken to by clients nobody here wrote: the MCP inspector and the official Python SDK."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.client.client import Client
from mcp.client.extension import NotificationBinding
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from pydantic import BaseModel, ConfigDict

from tests.support.model_server import ModelServer
from tests.support.our_command import COMMAND, OurCommand
from tests.support.peers import MODULES
from tests.support.replies import calls, says

INSPECTOR = MODULES / ".bin" / "mcp-inspector"


def inspect(codex: OurCommand, *arguments: str) -> dict[str, Any]:
    """What the inspector's command line prints."""
    done = subprocess.run(
        ["node", str(INSPECTOR), "--cli", *COMMAND, "mcp", *arguments],
        env=codex.environment(),
        cwd=codex.work,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_inspector_lists_the_tools(tmp_path: Path):
    with ModelServer([]) as model:
        listed = inspect(OurCommand(tmp_path, model), "--method", "tools/list")
    assert [tool["name"] for tool in listed["tools"]] == ["codex", "codex-reply"]


def test_the_inspector_calls_the_agent(tmp_path: Path):
    with ModelServer([says("hello inspector")]) as model:
        result = inspect(
            OurCommand(tmp_path, model), "--method", "tools/call", "--tool-name", "codex", "--tool-arg", "prompt=hi"
        )
    assert result["content"] == [{"type": "text", "text": "hello inspector"}]
    assert result["structuredContent"]["content"] == "hello inspector"


def parameters(codex: OurCommand) -> StdioServerParameters:
    program, *arguments = COMMAND
    return StdioServerParameters(command=program, args=[*arguments, "mcp"], env=codex.environment(), cwd=codex.work)


class _Event(BaseModel):
    model_config = ConfigDict(extra="allow")
    id: str
    msg: dict[str, Any]


async def test_the_official_python_client_calls_answers_and_hears_events(tmp_path: Path):
    asked: list[types.ElicitRequestParams] = []
    heard: list[str] = []

    async def elicit(context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        asked.append(params)
        return types.ElicitResult(action="accept", content={})

    async def hear(event: _Event) -> None:
        heard.append(event.msg["type"])

    script = [calls("shell", {"command": ["bash", "-lc", "touch made"]}), says("made it"), says("again")]
    with ModelServer(script) as model, open(os.devnull, "w") as nowhere:  # noqa: ASYNC230  # opens at once
        codex = OurCommand(tmp_path, model, settings='tools.shell = "shell"\n')
        async with (
            stdio_client(parameters(codex), errlog=nowhere) as (read, write),
            ClientSession(
                read,
                write,
                elicitation_callback=elicit,
                notification_bindings=[NotificationBinding(method="codex/event", params_type=_Event, handler=hear)],
            ) as session,
        ):
            await session.initialize()
            await session.list_tools()
            result = await session.call_tool(
                "codex",
                {"prompt": "go", "approval-policy": "untrusted", "sandbox": "danger-full-access"},
                read_timeout_seconds=30,
            )
            assert result.structured_content is not None
            assert result.structured_content["content"] == "made it"
            again = await session.call_tool(
                "codex-reply", {"sessionId": result.structured_content["sessionId"], "prompt": "more"}
            )
            assert again.structured_content is not None
            assert again.structured_content["content"] == "again"
            failed = await session.call_tool("codex-reply", {"sessionId": "x", "prompt": "more"})
            assert failed.is_error
        assert (codex.work / "made").exists()
    assert "touch made" in asked[0].message
    assert {"session_configured", "exec_approval_request", "exec_command_end", "task_complete"} <= set(heard)


async def test_the_official_client_negotiates_by_itself(tmp_path: Path):
    with ModelServer([says("hi")]) as model:
        async with Client(parameters(OurCommand(tmp_path, model))) as client:
            tools = await client.list_tools()
            result = await client.call_tool("codex", {"prompt": "go"})
    assert [tool.name for tool in tools.tools] == ["codex", "codex-reply"]
    assert result.structured_content is not None
    assert result.structured_content["content"] == "hi"
