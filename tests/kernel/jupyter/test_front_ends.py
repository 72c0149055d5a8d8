"""The kernel under programs nobody here wrote: a Jupyter server, the console, nbclient, another environment."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_cli.kernel_command import spec
from tests.support.kernels import install_spec

SPEC = "codex-under-test"
TOKEN = "letmein"


@pytest.fixture
def jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a kernelspec whose demo model asks before it runs what is not harmless."""
    install_spec(tmp_path, SPEC, flags={"demo": True, "approval_policy": "untrusted"})
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.chdir(work)
    return work


def test_a_console_in_a_terminal_holds_a_conversation_with_an_approval(jupyter: Path):
    import pexpect

    command = [sys.executable, "-m", "jupyter_console", "--kernel", SPEC, "--simple-prompt"]
    child = pexpect.spawn(command[0], command[1:], encoding="utf-8", timeout=40, dimensions=(40, 200), echo=False)
    try:
        child.expect("Codex workbench")
        child.sendline("hello")
        child.expect("I am the demo model")
        child.sendline("run `touch made-by-console`")
        child.expect_exact("[s]top the turn:")
        child.sendline("yes")
        child.expect("Allowed by console")
        child.expect("done in")
    finally:
        child.close(force=True)


@pytest.fixture
def server(jupyter: Path) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyter_server", f"--port={port}", f"--IdentityProvider.token={TOKEN}"]
    command += ["--no-browser", "--allow-root", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={jupyter}"]
    log = jupyter.parent / "server.log"
    with log.open("wb") as stream, subprocess.Popen(command, stdout=stream, stderr=stream) as process:
        try:
            yield port
        finally:
            process.terminate()


async def test_a_jupyter_server_starts_the_kernel_over_rest_and_talks_over_its_websocket(server: int):
    from tornado.httpclient import AsyncHTTPClient, HTTPRequest
    from tornado.websocket import websocket_connect

    base, headers = f"127.0.0.1:{server}/api/kernels", {"Authorization": f"token {TOKEN}"}
    client = AsyncHTTPClient()
    started = None
    async with asyncio.timeout(40):
        while started is None:
            try:
                body = json.dumps({"name": SPEC})
                started = await client.fetch(f"http://{base}", method="POST", body=body, headers=headers)
            except OSError:
                await asyncio.sleep(0)
        kernel = json.loads(started.body)["id"]
        channel = await websocket_connect(HTTPRequest(f"ws://{base}/{kernel}/channels", headers=headers))
        header = {"msg_id": "m1", "msg_type": "execute_request", "session": "s", "username": "", "version": "5.4"}
        content = {"code": "hello", "silent": False, "store_history": True, "allow_stdin": False}
        message = {"header": header, "parent_header": {}, "metadata": {"cellId": "c"}, "content": content}
        await channel.write_message(json.dumps({**message, "channel": "shell", "buffers": []}))
        said, replied = "", False
        while not (replied and "demo model" in said):
            text = await channel.read_message()
            assert text is not None
            told = json.loads(text)
            if told["parent_header"].get("msg_id") != "m1":
                continue
            said += str(told["content"].get("data", ""))
            replied = replied or told["msg_type"] == "execute_reply"
        channel.close()
        await client.fetch(f"http://{base}/{kernel}", method="DELETE", headers=headers)


def test_nbclient_runs_a_notebook_of_prompts_and_keeps_whole_outputs(jupyter: Path):
    import nbclient
    import nbformat

    cells = [nbformat.v4.new_code_cell(text) for text in ("hello", "run `touch x`", "/status")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, kernel_name=SPEC, timeout=40).execute()
    kinds = [[output["output_type"] for output in cell["outputs"]] for cell in notebook.cells]
    assert kinds[2] == ["execute_result"]
    texts = [output["data"]["text/plain"] for output in notebook.cells[0]["outputs"]]
    assert any("I am the demo model" in text for text in texts)
    assert not (jupyter / "x").exists()  # nobody could be asked


def test_a_jupyter_of_another_environment_finds_and_starts_the_installed_kernel(tmp_path: Path):
    """It has neither our packages nor our provisioner, as a folder of links to all the others shows."""
    import jupyter_client

    packages = Path(jupyter_client.__file__).parents[1]
    others = tmp_path / "site-packages"
    others.mkdir()
    for entry in packages.iterdir():
        if not entry.name.startswith(("codex", "_codex", "__editable__")) and entry.suffix != ".pth":
            (others / entry.name).symlink_to(entry)
    place = tmp_path / "kernels" / "codex"
    place.mkdir(parents=True)
    demo = {"env": {"CODEX_KERNEL_OPTIONS": json.dumps({"flags": {"demo": True}})}}
    (place / "kernel.json").write_text(json.dumps({**spec(), **demo}))
    script = (
        f"import sys; sys.path.insert(0, {str(others)!r})\n"
        "import importlib.util\n"
        "assert importlib.util.find_spec('codex_client') is None\n"
        "from jupyter_client.manager import start_new_kernel\n"
        "manager, client = start_new_kernel(kernel_name='codex')\n"
        "print(client.execute_interactive('hello', allow_stdin=False, output_hook=print)['content']['status'])\n"
        "client.stop_channels(); manager.shutdown_kernel()\n"
    )
    env = {**os.environ, "JUPYTER_PATH": str(tmp_path), "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}
    env.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", script], capture_output=True, text=True, env=env, cwd=tmp_path, timeout=60
    )
    assert done.stdout.endswith("ok\n"), done.stderr
    assert "I am the demo model" in done.stdout


def test_a_spec_with_the_fork_server_starts_under_an_unchanged_manager_and_ends_with_it(tmp_path: Path, monkeypatch):
    from jupyter_client.manager import KernelManager

    from tests.support.forked import fork_home, run_cell, wait_for_end

    with fork_home(tmp_path) as home:
        place = tmp_path / "kernels" / "codex-forked"
        place.mkdir(parents=True)
        demo = {"env": {"CODEX_KERNEL_OPTIONS": json.dumps({"flags": {"demo": True}})}}
        (place / "kernel.json").write_text(json.dumps({**spec(fork=True), **demo}))
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
        manager = KernelManager(kernel_name="codex-forked", transport_encryption="required")
        manager.start_kernel(env={**os.environ, **home.env}, cwd=str(home.work))
        client = manager.client()
        client.start_channels()
        pid = manager.provisioner.pid
        assert len(home.servers()) == 1
        assert run_cell(client, "hello")[0]["status"] == "ok"
        assert manager.is_alive()
        client.stop_channels()
        manager.shutdown_kernel()
        wait_for_end(pid)
        assert not manager.is_alive()
