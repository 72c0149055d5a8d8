import asyncio
import contextlib
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from codex_kernel.model.http import HttpLease, import_httpx, is_loopback, make_client, uses_proxy
from codex_kernel.model.interface import Completed, Retrying
from codex_kernel.model.tls import tls_context
from codex_kernel.model.transport import DirectTransport
from codex_protocol.errors import ConfigError, ModelError, StreamClosed
from tests.support.http_client import PROMPT, collect, make
from tests.support.model_server import ModelServer
from tests.support.replies import says

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def no_tls() -> ssl.SSLContext:
    raise AssertionError("a TLS context was asked for")


def direct() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=DirectTransport(no_tls))


@contextlib.asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[str]:
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def request_of(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    return head + await reader.readexactly(length)


async def test_a_connection_serves_many_requests() -> None:
    connections = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await request_of(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")

    async with server(handler) as url, direct() as http:
        for _ in range(5):
            assert (await http.post(url, content=b"x")).text == "hi"
    assert connections == 1


async def test_a_connection_closed_while_idle_is_replaced_without_an_error() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    async with server(handler) as url, direct() as http:
        for _ in range(3):
            assert (await http.post(url, content=b"x")).text == "ok"


async def test_a_connection_that_dies_with_the_next_request_is_replaced_once() -> None:
    served = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        await request_of(reader)
        served += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await request_of(reader)  # taken, and answered by hanging up

    async with server(handler) as url, direct() as http:
        assert (await http.post(url, content=b"x")).text == "ok"
        assert (await http.post(url, content=b"x")).text == "ok"
    assert served == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200", httpx.RemoteProtocolError),
        (b"SSH-2.0-OpenSSH_9.2\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 400_000, httpx.RemoteProtocolError),
    ],
)
async def test_what_is_no_whole_http_answer_is_a_protocol_error(answer: bytes, error: type[Exception]) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with server(handler) as url, direct() as http:
        with pytest.raises(error):
            await http.post(url, content=b"x")


async def test_a_refusal_sent_before_the_body_was_read_is_seen() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
        await writer.drain()
        await asyncio.sleep(0)
        with contextlib.suppress(Exception):
            while await reader.read(65536):
                pass

    async with server(handler) as url, direct() as http:
        assert (await http.post(url, content=b"x" * 3_000_000)).status_code == 413


async def test_silence_and_a_dead_port_are_told_apart() -> None:
    async def handler(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await request_of(reader)
        await asyncio.Event().wait()

    async with server(handler) as url, direct() as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.post(url, content=b"x", timeout=httpx.Timeout(5, read=0.05))
    async with direct() as http:
        with pytest.raises(httpx.ConnectError, match=r"127\.0\.0\.1"):
            await http.post(url, content=b"x")


async def test_a_server_that_falls_silent_in_the_middle_breaks_the_stream_off() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {}\n\n")
        await asyncio.Event().wait()

    async with server(handler) as url:
        with pytest.raises(StreamClosed, match="fell silent"):
            await collect(make(direct(), base_url=url, stream_idle_timeout_ms=50))


async def test_pings_keep_a_slow_answer_alive() -> None:
    end = b'data: {"type":"response.completed","response":{"id":"r"}}\n\n'

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for _ in range(8):
            writer.write(b": ping\n\n")
            await writer.drain()
            await asyncio.sleep(0.03)
        writer.write(end)
        await writer.drain()

    async with server(handler) as url:
        events = await collect(make(direct(), base_url=url, stream_idle_timeout_ms=150))
        assert events == [Completed("r", None)]


async def test_the_servers_answers_reach_the_caller_over_real_sockets_and_one_connection() -> None:
    with ModelServer([says("hello", delta_chars=2)] * 3) as model:
        client = make(direct(), base_url=model.url)
        try:
            for _ in range(3):
                events = [event async for event in client.stream(PROMPT)]
                assert isinstance(events[-1], Completed)
                await asyncio.gather(*client._draining)
            assert len(model._open) == 1
        finally:
            await client.aclose()


@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_cut_at_some_bytes_breaks_the_stream_off(reset: bool) -> None:
    for cut in (0, 1, 100, 400):
        with ModelServer([says("hello world", delta_chars=2, cut_after_bytes=cut, reset=reset)] * 6) as model:
            client = make(direct(), base_url=model.url, request_max_retries=0)
            with pytest.raises((StreamClosed, ModelError)):
                await collect(client)


async def test_a_port_nobody_listens_at_is_tried_again_and_then_explained() -> None:
    with pytest.raises(ModelError, match=r"No answer from 127\.0\.0\.1:1: .*2 retries did not help"):
        await collect(make(direct(), base_url="http://127.0.0.1:1/v1", request_max_retries=2))


def certificate(folder: Path) -> tuple[Path, Path]:
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, cert


async def test_a_providers_own_certificate_is_trusted_and_others_are_not(tmp_path: Path) -> None:
    key, cert = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(Exception):
            await request_of(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
            writer.close()

    listener = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=context)
    url = f"https://localhost:{listener.sockets[0].getsockname()[1]}/v1"
    async with listener:
        async with make_client(True, str(cert)) as http:
            assert (await http.post(url, content=b"x")).text == "ok"
        async with make_client(True) as http:
            with pytest.raises(httpx.ConnectError, match=r"(?i)certificate verify failed"):
                await http.post(url, content=b"x")


def common_name(certificate: dict[str, Any]) -> str | None:
    return dict(pair[0] for pair in certificate["subject"]).get("commonName")


def test_certificates_are_found_where_the_environment_names_them(tmp_path: Path) -> None:
    _, cert = certificate(tmp_path)
    system = len(tls_context(None, {}).get_ca_certs())
    for env in ({"SSL_CERT_FILE": str(cert)}, {"REQUESTS_CA_BUNDLE": str(cert)}, {"CURL_CA_BUNDLE": str(cert)}):
        assert "localhost" in {common_name(entry) for entry in tls_context(None, env).get_ca_certs()}
    assert len(tls_context(None, {"SSL_CERT_FILE": str(cert)}).get_ca_certs()) == 1
    assert len(tls_context(str(cert), {}).get_ca_certs()) == system + 1


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_certificate_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")
    for path in (junk, tmp_path / "missing.pem"):
        with pytest.raises(ConfigError, match=name) as caught:
            tls_context(None, {name: str(path)})
        assert str(path) in str(caught.value)
    with pytest.raises(ConfigError, match="ca_certificate"):
        tls_context(str(junk), {})


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
        end = b'data: {"type":"response.completed","response":{"id":"r"}}\n\n'
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n%b" % (len(end), end)
        )
        await writer.drain()

    async with server(proxy) as url:
        monkeypatch.setenv("http_proxy", url.removesuffix("/v1"))
        monkeypatch.delenv("no_proxy", raising=False)
        client = make(make_client(not uses_proxy("http://provider.test/v1")))
        assert await collect(client) == [Completed("r", None)]
    assert seen[0].startswith(b"POST http://provider.test/v1/responses HTTP/1.1")


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
    await first.aclose()
    await first.aclose()
    assert not shared.is_closed
    await second.aclose()
    assert shared.is_closed
    await other.aclose()


def test_httpx_comes_without_its_command_line() -> None:
    code = (
        "import sys; from codex_kernel.model.http import make_client; make_client(True)\n"
        "print(sorted({'click', 'rich', 'pygments', 'anyio', 'httpcore', 'certifi'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert import_httpx() is httpx


def test_the_clients_modules_load_nothing_heavy_before_a_request() -> None:
    code = (
        "import sys, codex_kernel.model.factory, codex_kernel.model.client, codex_kernel.model.sending\n"
        "import codex_kernel.model.responses, codex_kernel.model.chat, codex_kernel.model.http\n"
        "heavy = {'httpx', 'h11', 'http.client', 'email', 'dataclasses', 'tomllib'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_waiting_is_told_of_over_real_sockets() -> None:
    from tests.support.replies import fails

    with ModelServer([fails(503, {"error": {"message": "busy"}}), says("ok")]) as model:
        events = await collect(make(direct(), base_url=model.url))
        assert isinstance(events[0], Retrying)
        assert isinstance(events[-1], Completed)
