import asyncio
import subprocess
import sys

import httpx
import pytest

from codex_kernel.model import through_httpx
from codex_kernel.model.direct import DirectClient
from codex_kernel.model.http import HttpLease, is_loopback, make_client, uses_proxy
from codex_kernel.model.interface import Completed
from codex_kernel.model.through_httpx import import_httpx
from codex_protocol.errors import ConfigError, ModelError, StreamClosed
from codex_protocol.token_usage import TokenUsage
from tests.support.http_client import collect, make
from tests.support.one_request import request_of, server


def test_proxies_are_for_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    assert not uses_proxy("https://api.openai.com/v1")
    monkeypatch.setenv("no_proxy", "x")
    assert not uses_proxy("https://api.openai.com/v1")
    monkeypatch.setenv("https_proxy", "http://proxy.test:3128")
    assert uses_proxy("https://api.openai.com/v1")
    for url in ("http://localhost:11434/v1", "http://127.0.0.1:1/v1", "http://[::1]:1/v1", "http://a.localhost/"):
        assert is_loopback(url)
        assert not uses_proxy(url)
    assert not is_loopback("http://localhost.evil.test/")
    assert not is_loopback("http://[")


async def test_requests_go_through_the_proxy_the_system_names(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        end = b'data: {"type":"response.completed","response":{"id":"r","usage":{"total_tokens":1}}}\n\n'
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n%b" % (len(end), end)
        )
        await writer.drain()

    async with server(proxy) as url:
        monkeypatch.setenv("http_proxy", url.removesuffix("/v1"))
        monkeypatch.delenv("no_proxy", raising=False)
        client = make(make_client(not uses_proxy("http://provider.test/v1")))
        assert await collect(client) == [Completed("r", TokenUsage(total_tokens=1))]
    assert seen[0].startswith(b"POST http://provider.test/v1/responses HTTP/1.1")


def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("ALL_PROXY", "socks4://p:1", "ALL_PROXY names no proxy that can be used: socks4:// is none of http, https, s"),
        ("https_proxy", "ftp://u:secret@p", "https_proxy names no proxy that can be used: ftp:// is none of"),
        ("HTTP_PROXY", "http://[::1", "HTTP_PROXY names no proxy that can be used: Invalid port: ':1'."),
    ],
)
def test_a_variable_that_names_no_proxy_is_told(
    variable: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_proxies(monkeypatch)
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as raised:
        make_client(direct=False)
    assert str(raised.value).startswith(says)
    assert "secret" not in str(raised.value)


async def test_a_proxy_that_does_not_answer_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    no_proxies(monkeypatch)
    monkeypatch.setenv("http_proxy", "http://u:secret@127.0.0.1:1")
    with pytest.raises(ModelError, match=r"provider\.test: .* \(through the proxy 127\.0\.0\.1:1\)$"):
        await collect(make(make_client(direct=False), request_max_retries=0))


async def test_a_way_that_keeps_no_time_limit_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Greeting(httpx.AsyncBaseTransport):  # as httpx greets a SOCKS proxy
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

    for name in ("CONNECT_TIMEOUT_S", "WRITE_TIMEOUT_S"):
        monkeypatch.setattr(through_httpx, name, 0.1)
    http = through_httpx.HttpxClient(httpx.AsyncClient(transport=Greeting()))
    client = make(http, request_max_retries=0, stream_max_retries=0, stream_idle_timeout_ms=100)
    with pytest.raises(StreamClosed, match="sent nothing for"):
        await collect(client)


async def test_users_of_one_kind_share_a_client_and_the_last_one_closes_it() -> None:
    first, second, other = (
        HttpLease("http://127.0.0.1:1"),
        HttpLease("http://localhost:2"),
        HttpLease("http://h", "/x.pem"),
    )
    shared = first.client()
    assert second.client() is shared
    assert first.client() is shared
    assert other.client() is not shared
    assert isinstance(shared, DirectClient)
    await first.aclose()
    await first.aclose()
    assert not shared.closed
    await second.aclose()
    assert shared.closed
    await other.aclose()


def test_httpx_comes_without_its_command_line() -> None:
    code = (
        "import sys; from codex_kernel.model.through_httpx import make_httpx; make_httpx()\n"
        "print(sorted({'click', 'rich', 'pygments'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert import_httpx() is httpx


def test_a_direct_request_needs_no_httpx() -> None:
    code = (
        "import asyncio, sys\n"
        "from codex_kernel.model.exchange import HttpFault\n"
        "from codex_kernel.model.http import HttpLease\n"
        "async def main():\n"
        "    lease = HttpLease('http://127.0.0.1:1')\n"
        "    try:\n"
        "        await lease.client().post('http://127.0.0.1:1/', {}, b'', idle_s=1)\n"
        "    except HttpFault:\n"
        "        await lease.aclose()\n"
        "asyncio.run(main())\n"
        "print(sorted({'httpx', 'h11', 'http.client', 'urllib.request', 'email.message'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_clients_modules_load_nothing_heavy_before_a_request() -> None:
    code = (
        "import sys, codex_kernel.model.factory, codex_kernel.model.client, codex_kernel.model.sending\n"
        "import codex_kernel.model.responses, codex_kernel.model.chat, codex_kernel.model.http\n"
        "heavy = {'httpx', 'h11', 'http.client', 'email', 'dataclasses', 'tomllib'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
