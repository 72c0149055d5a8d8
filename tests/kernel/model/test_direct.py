import asyncio
import contextlib
import gzip
import ssl
import zlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from codex_kernel.model.direct import DirectClient
from codex_kernel.model.exchange import HttpClient, HttpFault, Silence, Unsendable
from codex_kernel.model.http import make_client
from codex_kernel.model.interface import Completed, Retrying
from codex_protocol.errors import ModelError, StreamClosed
from codex_protocol.token_usage import TokenUsage
from tests.support.certificates import self_signed
from tests.support.http_client import PROMPT, collect, make
from tests.support.model_server import ModelServer
from tests.support.one_request import Handler, request_of, server
from tests.support.replies import says


def no_tls() -> ssl.SSLContext:
    raise AssertionError("a TLS context was asked for")


class Got(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


async def post(http: HttpClient, url: str, body: bytes = b"x", *, idle_s: float = 5) -> Got:
    answer = await http.post(url, {}, body, idle_s=idle_s)
    try:
        data = b""
        while piece := await answer.read():
            data += piece
        return Got(answer.status, answer.headers, data)
    finally:
        await answer.aclose()


@contextlib.asynccontextmanager
async def direct() -> AsyncIterator[DirectClient]:
    client = DirectClient(no_tls)
    try:
        yield client
    finally:
        await client.aclose()


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
            assert (await post(http, url)).body == b"hi"
    assert connections == 1


async def test_a_connection_closed_while_idle_is_replaced_without_an_error() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    async with server(handler) as url, direct() as http:
        for _ in range(3):
            assert (await post(http, url)).body == b"ok"


async def test_a_connection_that_dies_with_the_next_request_is_replaced_once() -> None:
    served = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        await request_of(reader)
        served += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await request_of(reader)  # taken, and answered by hanging up

    async with server(handler) as url, direct() as http:
        assert (await post(http, url)).body == b"ok"
        assert (await post(http, url)).body == b"ok"
    assert served == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 400_000,
    ],
)
async def test_what_is_no_whole_http_answer_is_a_fault(answer: bytes) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with server(handler) as url, direct() as http:
        with pytest.raises(HttpFault):
            await post(http, url)


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
        assert (await post(http, url, b"x" * 3_000_000)).status == 413


def answering(answer: bytes, requests: list[bytes]) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await request_of(reader))
        writer.write(answer)
        await writer.drain()
        writer.close()

    return handler


async def test_a_request_says_what_was_asked_for_and_nothing_of_its_own() -> None:
    seen: list[bytes] = []
    async with server(answering(b"HTTP/1.1 204 No Content\r\n\r\n", seen)) as url, direct() as http:
        await http.post(f"{url}/a b/ü?q=1&api-version=2#frag", {"X-Key": " v "}, b"body", idle_s=5)
    host = url.removeprefix("http://").removesuffix("/v1")
    assert seen == [
        b"POST /v1/a%20b/%C3%BC?q=1&api-version=2 HTTP/1.1\r\n"
        b"Host: " + host.encode() + b"\r\nX-Key: v\r\nContent-Length: 4\r\n\r\nbody"
    ]


async def test_a_name_and_password_in_the_url_are_sent_as_such() -> None:
    seen: list[bytes] = []
    async with server(answering(b"HTTP/1.1 204 No Content\r\n\r\n", seen)) as url, direct() as http:
        await http.post(url.replace("//", "//me:a%20b@"), {"authorization": "Bearer k"}, b"", idle_s=5)
    assert b"Authorization: Basic bWU6YSBi\r\n" in seen[0]
    assert b"Bearer" not in seen[0]


@pytest.mark.parametrize("header", [{"X": "a\r\nY: b"}, {"X": "a\0"}, {"X": "é"}, {"X Y": "a"}, {"": "a"}])
async def test_a_header_that_would_be_more_than_one_is_not_sent(header: dict[str, str]) -> None:
    async with direct() as http:
        with pytest.raises(Unsendable):
            await http.post("http://127.0.0.1:1/", header, b"", idle_s=5)


async def test_a_compressed_answer_is_unpacked_though_none_was_asked_for() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\n\r\n"
    half = b"hello " * 333
    for coding, packed in (
        (b"gzip", gzip.compress(half * 3)),
        (b"gzip", gzip.compress(half) + gzip.compress(half * 2)),
        (b"deflate", zlib.compress(half * 3)),
        (b"deflate", zlib.compress(half * 3, wbits=-zlib.MAX_WBITS)),
    ):
        async with server(answering(head % coding + packed, [])) as url, direct() as http:
            assert (await post(http, url)).body == b"hello " * 999
    for answer in (head % b"gzip" + b"no gzip", head % b"deflate" + b"\xff" * 9, head % b"br" + b"x"):
        async with server(answering(answer, [])) as url, direct() as http:
            with pytest.raises(HttpFault):
                await post(http, url)


async def test_what_a_server_sends_unasked_spoils_its_connection_and_no_answer() -> None:
    served = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")
        await request_of(reader)

    async with server(handler) as url, direct() as http:
        for _ in range(3):
            assert (await post(http, url)).body == b"ok"
    assert served == 3


async def test_a_body_nobody_reads_is_not_collected_without_limit() -> None:
    sent = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(200):
            writer.write(b"x" * 1_000_000)
            await writer.drain()
            sent += 1

    async with server(handler) as url, direct() as http:
        answer = await http.post(url, {}, b"", idle_s=5)
        await asyncio.sleep(0.1)  # time to send it all, if we would take it
        assert len(answer._connection.received) < 2_000_000
        assert sent < 200
        total = 0
        while piece := await answer.read():
            total += len(piece)
        assert total == 200_000_000
        await answer.aclose()


async def test_silence_and_a_dead_port_are_told_apart() -> None:
    async def handler(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await request_of(reader)
        await asyncio.Event().wait()

    async with server(handler) as url, direct() as http:
        with pytest.raises(Silence):
            await post(http, url, idle_s=0.05)
    async with direct() as http:
        with pytest.raises(HttpFault, match="Connection refused"):
            await post(http, url)


async def test_a_server_that_falls_silent_in_the_middle_breaks_the_stream_off() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {}\n\n")
        await asyncio.Event().wait()

    async with server(handler) as url:
        with pytest.raises(StreamClosed, match="fell silent"):
            await collect(make(DirectClient(no_tls), base_url=url, stream_idle_timeout_ms=50))


async def test_pings_keep_a_slow_answer_alive() -> None:
    end = b'data: {"type":"response.completed","response":{"id":"r","usage":{"total_tokens":1}}}\n\n'

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
        events = await collect(make(DirectClient(no_tls), base_url=url, stream_idle_timeout_ms=150))
        assert events == [Completed("r", TokenUsage(total_tokens=1))]


async def test_the_servers_answers_reach_the_caller_over_real_sockets_and_one_connection() -> None:
    with ModelServer([says("hello", delta_chars=2)] * 3) as model:
        client = make(DirectClient(no_tls), base_url=model.url)
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
            client = make(DirectClient(no_tls), base_url=model.url, request_max_retries=0)
            with pytest.raises((StreamClosed, ModelError)):
                await collect(client)


async def test_a_port_nobody_listens_at_is_tried_again_and_then_explained() -> None:
    with pytest.raises(
        ModelError, match=r"^No answer from 127\.0\.0\.1:1: Connection refused \(2 retries did not help\)$"
    ):
        await collect(make(DirectClient(no_tls), base_url="http://127.0.0.1:1/v1", request_max_retries=2))


async def test_a_try_that_is_not_repeated_speaks_of_no_retries() -> None:
    for limit, end in ((0, "refused"), (1, "refused (1 retry did not help)")):
        with pytest.raises(ModelError) as raised:
            await collect(make(DirectClient(no_tls), base_url="http://127.0.0.1:1/v1", request_max_retries=limit))
        assert str(raised.value).endswith(end)


async def test_a_providers_own_certificate_is_trusted_and_others_are_not(tmp_path: Path) -> None:
    key, cert = self_signed(tmp_path)
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
        trusting, other = make_client(True, str(cert)), make_client(True)
        assert (await post(trusting, url)).body == b"ok"
        with pytest.raises(HttpFault, match=r"(?i)certificate verify failed"):
            await post(other, url)
        await trusting.aclose()
        await other.aclose()


async def test_waiting_is_told_of_over_real_sockets() -> None:
    from tests.support.replies import fails

    with ModelServer([fails(503, {"error": {"message": "busy"}}), says("ok")]) as model:
        events = await collect(make(DirectClient(no_tls), base_url=model.url))
        assert isinstance(events[0], Retrying)
        assert isinstance(events[-1], Completed)
