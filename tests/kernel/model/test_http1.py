import pytest

from codex_kernel.model.http1 import Body, Head, MalformedAnswer, request, take_head

OK = b"HTTP/1.1 200 OK\r\n"


def read(answer: bytes, step: int = 1) -> tuple[bytes, bool, bytes]:
    """The body, whether it is whole, and what is left over, of an answer that comes in pieces of `step` bytes."""
    buffer, data = bytearray(), b""
    head: Head | None = None
    body: Body | None = None
    for at in range(0, len(answer), step):
        buffer += answer[at : at + step]
        if head is None and (head := take_head(buffer)) is not None:
            body = Body(head)
        if body is not None:
            data += body.feed(buffer)
    assert body is not None
    return data, body.done, bytes(buffer)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (OK + b"Content-Length: 5\r\n\r\nhelloHTTP", (b"hello", True, b"HTTP")),
        (OK + b"Content-Length: 5, 5\r\nContent-Length: 5\r\n\r\nhello", (b"hello", True, b"")),
        (OK + b"Content-Length: 5\r\n\r\nhell", (b"hell", False, b"")),
        (OK + b"Content-Length: 0\r\n\r\nX", (b"", True, b"X")),
        (OK + b"\r\nall of it", (b"all of it", False, b"")),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", (b"", True, b"hello")),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK + b"\r\nx", (b"x", False, b"")),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nrest", (b"hello", True, b"rest")),
        (OK + b"Transfer-Encoding: Chunked\r\n\r\n2;a=b\r\nhe\r\n03 \r\nllo\r\n0\r\nT: 1\r\n\r\n",
         (b"hello", True, b"")),
        (OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
         (b"0123456789", True, b"")),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", (b"hello", False, b"")),
        (b"HTTP/1.1 200\nContent-Length: 2\n\nok", (b"ok", True, b"")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_a_body_ends_where_its_head_says_however_it_was_cut(
    answer: bytes, expected: tuple[bytes, bool, bytes], step: int
) -> None:
    assert read(answer, step)[:2] == expected[:2]
    assert read(answer, 1000) == expected


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 999 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b"Spaced : x\r\n\r\n",
        OK + b"X: a\0b\r\n\r\n",
        OK + b" folded: first\r\n\r\n",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        OK + b"Content-Length: -5\r\n\r\nhello",
        OK + b"Content-Length: 0x5\r\n\r\nhello",
        OK + b"Content-Length: \r\n\r\nhello",
        OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 20_000 + b"5\r\nhello\r\n",
        OK + b"X: " + b"y" * 300_000,
    ],
)
@pytest.mark.parametrize("step", [300, 1_000_000])
def test_what_is_no_answer_is_refused(answer: bytes, step: int) -> None:
    with pytest.raises(MalformedAnswer):
        read(answer, step)


def test_a_head_that_is_not_whole_is_waited_for() -> None:
    for end in range(len(OK) + 1):
        assert take_head(bytearray(OK[:end])) is None


def test_headers_are_found_by_name_in_lower_case() -> None:
    head = take_head(
        bytearray(OK + b"Retry-After:  3 \r\nX-A: one\r\n  two\r\nX-a: three\r\nX-U: \xc3\xbc\r\nX-L: \xfc\r\n\r\n")
    )
    assert head is not None
    assert head.headers == {"retry-after": "3", "x-a": "one two, three", "x-u": "ü", "x-l": "ü"}


@pytest.mark.parametrize(
    ("head", "reusable"),
    [
        (OK, True),
        (OK + b"Connection: keep-alive, Close\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", True),
    ],
)
def test_a_connection_is_used_again_when_both_versions_and_options_say_so(head: bytes, reusable: bool) -> None:
    parsed = take_head(bytearray(head + b"\r\n"))
    assert parsed is not None
    assert parsed.reusable is reusable


def test_a_thousand_small_chunks_in_one_read_cost_no_thousand_copies() -> None:
    chunks = b"1\r\nx\r\n" * 200_000
    body = Body(Head(200, {"transfer-encoding": "chunked"}, True))
    assert body.feed(bytearray(chunks + b"0\r\n\r\n")) == b"x" * 200_000
    assert body.done


@pytest.mark.parametrize("target", ["/a b", "/ü", "/a\r\nX: y"])
def test_a_target_that_is_not_escaped_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="target"):
        request("POST", target, {}, b"")
