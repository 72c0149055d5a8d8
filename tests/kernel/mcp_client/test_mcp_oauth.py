"""Logging in to an HTTP server in the browser, against the official SDK's own authorization server."""

import asyncio
import contextlib
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_kernel.config.types import McpServer
from codex_kernel.mcp_client.interface import McpError
from codex_kernel.mcp_client.login_file import LOGINS_FILE, LoginFile
from codex_kernel.mcp_client.oauth import log_in
from codex_kernel.model.scripted import calls, says
from codex_protocol import events as ev
from tests.kernel.mcp_client.test_mcp_client_threads import output
from tests.support.threads import running

SERVER = Path(__file__).parents[2] / "support" / "mcp_oauth_server.py"


@contextlib.contextmanager
def oauth_server() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-P", str(SERVER), str(port)],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(400):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            threading.Event().wait(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


async def browse(address: str) -> None:
    """What a browser does whose user agrees: follow the redirects."""

    def open_page() -> None:
        with urllib.request.urlopen(address) as page:
            assert b"Logged in" in page.read()

    asyncio.get_running_loop().run_in_executor(None, open_page)


@pytest.mark.parametrize("stale", [False, True])
async def test_a_login_is_made_kept_used_and_refreshed_when_it_is_old(tmp_path: Path, stale: bool):
    (tmp_path / "home").mkdir()
    file = tmp_path / "home" / "workbench" / LOGINS_FILE
    with oauth_server() as url:
        assert await log_in("web", url, file, scopes=["a"], show=browse)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        first = LoginFile(file, "web", url).entry()["tokens"]
        assert first["scope"] == "a"
        if stale:
            LoginFile(file, "web", url).change({"at": time.time() - 4000})
        script = ([calls("web__whoami", {}, call_id="c1")], [says("done")])
        server = McpServer(url=url, required=True, default_tools_approval_mode="approve", startup_timeout_sec=20)
        async with running(tmp_path, *script, mcp_servers={"web": server}) as watched:
            await watched.turn()
            assert output(watched, "c1").output == '{"result":"logged in"}'
        assert (LoginFile(file, "web", url).entry()["tokens"] != first) is stale
        assert LoginFile(file, "web", url).forget()
        async with running(tmp_path, mcp_servers={"web": McpServer(url=url)}) as watched:
            assert "run 'codex mcp login web'" in (await watched.until(ev.Warning)).message


async def test_a_login_goes_to_no_other_address(tmp_path: Path):
    file = tmp_path / LOGINS_FILE
    LoginFile(file, "web", "https://one.example/mcp").change({"tokens": {"access_token": "t", "token_type": "Bearer"}})
    assert not LoginFile(file, "web", "https://other.example/mcp").there


async def test_a_refused_login_is_one_sentence_and_keeps_nothing(tmp_path: Path):
    file = tmp_path / LOGINS_FILE

    async def refuse(address: str) -> None:
        from urllib.parse import parse_qs, urlparse

        back = parse_qs(urlparse(address).query)["redirect_uri"][0]

        def open_page() -> None:
            with urllib.request.urlopen(f"{back}?error=access_denied") as page:
                page.read()

        asyncio.get_running_loop().run_in_executor(None, open_page)

    with oauth_server() as url:
        with pytest.raises(McpError, match="the login was refused: access_denied"):
            await log_in("web", url, file, scopes=[], show=refuse)
        assert not LoginFile(file, "web", url).there
        LoginFile(file, "web", url).change({"tokens": {"access_token": "old", "token_type": "Bearer"}})
        with pytest.raises(McpError, match="access_denied"):
            await log_in("web", url, file, scopes=[], show=refuse)
        assert LoginFile(file, "web", url).entry()["tokens"]["access_token"] == "old"
