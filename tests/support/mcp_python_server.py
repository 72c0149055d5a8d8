"""An MCP server on the official Python SDK, for tests of our client: over stdio, or over HTTP with a port file.

python mcp_python_server.py stdio
python mcp_python_server.py http PORT
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
import mcp_types as types
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.utilities.types import Image
from pydantic import BaseModel, Field

server = MCPServer("python-tests", instructions="Test tools.")


class Point(BaseModel):
    x: int
    y: int = 0


@server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
def move(point: Point, how: Literal["up", "down"] = "up", note: str | None = None) -> str:
    """Moves a point."""
    return f"{how} {point.x},{point.y} {note}"


@server.tool(annotations=types.ToolAnnotations(destructive_hint=True))
def erase(name: str) -> str:
    """Pretends to erase something."""
    return f"erased {name}"


@server.tool()
def unannotated() -> str:
    """Says nothing of itself."""
    return "ran"


@server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
def picture() -> Image:
    """One red pixel."""
    return Image(data=b"\x89PNG\r\n\x1a\n" + b"\0" * 16, format="png")


@server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
def fail() -> str:
    """Fails."""
    raise ValueError("it went wrong")


@server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
async def slow(seconds: float, ctx: Context[Any, Any]) -> str:
    """Takes its time; writes a file when it is cancelled."""
    try:
        for step in range(round(seconds * 10)):
            await ctx.report_progress(step, seconds * 10, f"step {step}")
            await anyio.sleep(0.1)
    except anyio.get_cancelled_exc_class():
        if marker := os.environ.get("CANCEL_MARKER"):
            Path(marker).touch()
        raise
    return "done"


@server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
def environment() -> dict[str, str]:
    """The server's variables."""
    return dict(os.environ)


@server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
def huge(size: Annotated[int, Field(ge=0)]) -> str:
    """A long text."""
    return "x" * size


@server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
def die() -> str:
    """Ends the process."""
    os._exit(3)


class Choice(BaseModel):
    colour: str


@server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
async def ask(ctx: Context[Any, Any]) -> str:
    """Asks the user."""
    answer = await ctx.elicit("Which colour?", Choice)
    return f"{answer.action} {getattr(getattr(answer, 'data', None), 'colour', None)}"


@server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
def waits() -> float:
    """When it ran."""
    began = time.monotonic()
    time.sleep(0.2)
    return began


@server.resource("test://greeting")
def greeting() -> str:
    """A greeting."""
    return "hello from a resource"


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        while (gate := os.environ.get("STARTS_WHEN_GONE")) and os.path.exists(gate):
            time.sleep(0.02)
        print("server is up", file=sys.stderr)
        server.run("stdio")
    else:
        server.run("streamable-http", port=int(sys.argv[2]))
