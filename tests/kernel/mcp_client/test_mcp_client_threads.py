"""Threads with real MCP servers: a Python one on the official SDK, and the official reference server from npm."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

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
