"""Servers reached by streamable HTTP: a Python one on the official SDK, and one that refuses."""

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from codex_kernel.config.types import McpServer
from codex_kernel.model.scripted import calls, says
from codex_protocol import events as ev
from codex_protocol.errors import ThreadError
from tests.kernel.mcp_client.test_mcp_client_threads import SERVER, output
from tests.support.threads import running


@pytest.fixture(scope="module")
def http_server() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-P", str(SERVER), "http", str(port)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(400):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            threading.Event().wait(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


async def test_a_tool_of_an_http_server_is_called(tmp_path: Path, http_server: str):
    script = ([calls("web__add", {"a": 2, "b": 3}, call_id="c1")], [says("five")])
    server = McpServer(url=http_server, required=True, startup_timeout_sec=20)
    async with running(tmp_path, *script, mcp_servers={"web": server}) as watched:
        await watched.turn()
        assert output(watched, "c1").output == '{"result":5}'


class Refusing(BaseHTTPRequestHandler):
    status = 401

    def do_POST(self) -> None:
        self.server.seen.append(dict(self.headers))  # type: ignore[attr-defined]
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@contextlib.contextmanager
def refusing(status: int) -> Iterator[tuple[str, list[dict[str, str]]]]:
    handler = type("Handler", (Refusing,), {"status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.seen = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/mcp", server.seen  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


async def test_a_server_that_asks_for_a_login_is_told_of_with_the_remedy_and_gets_the_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TOKEN_FOR_TEST", "tok")
    with refusing(401) as (url, seen):
        server = McpServer(url=url, http_headers={"X-Test": "1"}, startup_timeout_sec=5)
        async with running(tmp_path, [says("one")], mcp_servers={"web": server}) as watched:
            warning = await watched.until(ev.Warning)
            assert "it asks for a login (HTTP 401); run 'codex mcp login web'" in warning.message
            await watched.turn()
        assert seen[0]["X-Test"] == "1"


async def test_a_server_that_is_not_there_is_told_of(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = McpServer(url=f"http://127.0.0.1:{port}/mcp", required=True, startup_timeout_sec=5)
    with pytest.raises(ThreadError, match="the required MCP server `web` failed to start"):
        async with running(tmp_path, mcp_servers={"web": server}):
            pass
