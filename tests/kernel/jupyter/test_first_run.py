"""What a first run asks: the kernel says what is missing, and writes what a person answers where `codex login` does."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from codex_kernel.config.types import Config
from codex_kernel.core.thread import Thread
from codex_kernel.jupyter.agent import Agent
from codex_kernel.jupyter.queries import Queries
from codex_protocol.attach import Query
from codex_protocol.errors import CodexError
from codex_protocol.kernel_options import KernelOptions
from tests.support.fake_issuer import fake_issuer, visit
from tests.support.plain_sandbox import PlainSandbox


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, and a project with settings of its own."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir(mode=0o700)
    (work / ".git").mkdir(parents=True)
    (work / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (work / ".codex").mkdir()
    (work / ".codex" / "config.toml").write_text('model = "from-the-project"\n')
    monkeypatch.setenv("CODEX_HOME", str(home))
    for name in ("OPENAI_API_KEY", "CODEX_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CODEX_OSS_BASE_URL", "http://127.0.0.1:9/v1")
    return tmp_path


@pytest.fixture
async def agent(place: Path) -> AsyncIterator[Agent]:
    async def start(config: Config, resume: Path | None, fork: Path | None) -> Thread:
        return await Thread.start(config, can_ask=True, sandbox=PlainSandbox(), resume=resume, fork=fork)

    agent = Agent(KernelOptions(cwd=str(place / "work")), start=start)
    yield agent
    await agent.login.cancel()
    await agent.close()


async def ask(agent: Agent, name: str, **arguments: Any) -> Any:
    return await Queries(agent).answer(Query(name=name, arguments=arguments, client="page-1"))


async def test_without_a_credential_a_login_is_missing_and_a_key_is_kept_as_codex_login_keeps_it(
    agent: Agent, place: Path
) -> None:
    assert (await ask(agent, "setup"))["needs_login"] is True
    assert await ask(agent, "log_in", key=" sk-test-1 ") == {}
    stored = place / "home" / "auth.json"
    assert json.loads(stored.read_text())["OPENAI_API_KEY"] == "sk-test-1"
    assert stored.stat().st_mode & 0o077 == 0
    told = await ask(agent, "setup")
    assert told["needs_login"] is False
    assert "sk-test-1" not in json.dumps(told)


@pytest.mark.parametrize("key", ["", "two words", "k\u00e9y", 7])
async def test_what_is_no_key_is_refused_in_a_sentence_that_does_not_repeat_it(
    agent: Agent, place: Path, key: Any
) -> None:
    with pytest.raises(CodexError) as refused:
        await ask(agent, "log_in", key=key)
    assert str(key) == "" or str(key) not in str(refused.value)
    assert not (place / "home" / "auth.json").exists()


async def test_a_browser_login_is_kept_when_the_issuer_sends_the_person_back(agent: Agent, place: Path) -> None:
    with fake_issuer() as issuer:
        await agent.thread()
        assert agent.config is not None
        url = await agent.login.begin(agent.config, issuer=issuer.url, port=0)
        assert (await ask(agent, "setup"))["waiting"] is True
        back = issuer.browse(url)
        status, location, _ = await asyncio.to_thread(visit, back)
        assert status == 302
        await asyncio.to_thread(visit, location)
        async with asyncio.timeout(10):
            await agent.login.done()
    told = await ask(agent, "setup")
    assert (told["needs_login"], told["waiting"], told["problem"]) == (False, False, None)


async def test_an_unknown_directory_is_not_obeyed_until_it_is_trusted_and_the_thread_opened_again(
    agent: Agent, place: Path
) -> None:
    told = await ask(agent, "setup")
    assert (told["trust"], told["directory"], told["repository"]) == ("unknown", str(place / "work"), True)
    assert (await agent.thread()).context.model != "from-the-project"
    await ask(agent, "trust", trusted=True)
    await agent.replace()
    thread = await agent.thread()
    assert thread.context.model == "from-the-project"
    assert (await ask(agent, "setup"))["trust"] == "trusted"


async def test_a_trusted_directory_is_asked_about_again_when_its_settings_have_changed(
    agent: Agent, place: Path
) -> None:
    await ask(agent, "trust", trusted=True)
    (place / "work" / ".codex" / "config.toml").write_text('model = "another-one"\n')
    await agent.replace()
    assert (await agent.thread()).context.model != "another-one"
    told = await ask(agent, "setup")
    assert told["asks_trust"] is True
    assert "config.toml is not obeyed, because it was changed since you trusted it" in told["changed"]
    await ask(agent, "trust", trusted=True)
    await agent.replace()
    assert (await agent.thread()).context.model == "another-one"
    assert (await ask(agent, "setup"))["asks_trust"] is False


async def test_trust_given_at_the_start_is_taken_once_not_by_every_later_thread(place: Path) -> None:
    async def start(config: Config, resume: Path | None, fork: Path | None) -> Thread:
        return await Thread.start(config, can_ask=True, sandbox=PlainSandbox(), resume=resume, fork=fork)

    agent = Agent(KernelOptions(cwd=str(place / "work"), flags={"trust": True}), start=start)
    try:
        assert (await agent.thread()).context.model == "from-the-project"
        (place / "work" / ".codex" / "config.toml").write_text('model = "planted"\n')
        await agent.replace()
        assert (await agent.thread()).context.model not in ("from-the-project", "planted")
        await ask(agent, "trust", trusted=True)
        await agent.replace()
        assert (await agent.thread()).context.model == "planted"
    finally:
        await agent.close()


async def test_a_no_is_remembered_and_obeys_nothing(agent: Agent, place: Path) -> None:
    await ask(agent, "trust", trusted=False)
    await agent.replace()
    assert (await agent.thread()).context.model != "from-the-project"
    assert (await ask(agent, "setup"))["trust"] == "untrusted"


@pytest.fixture
def ollama(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"models": [{"name": "gpt-oss:20b"}]}'
            self.send_response(200 if self.path == "/api/tags" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    server = HTTPServer(("127.0.0.1", 0), Handler)
    monkeypatch.setenv("CODEX_OSS_BASE_URL", f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.mark.usefixtures("ollama")
async def test_a_model_server_on_this_machine_is_offered_with_its_models(agent: Agent) -> None:
    local = (await ask(agent, "setup"))["local"]
    assert {"provider": "ollama", "name": "Ollama", "models": ["gpt-oss:20b"]} in local
