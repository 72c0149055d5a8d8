"""HTTP/1.1 as bytes, a client's side: a request as it is sent, the head of an answer, and where its body ends.

Nothing is read or sent here. Source: RFC 9110, RFC 9112. Strict where leniency could take one answer for another
(lengths, chunk ends), lenient in what cannot (line ends of the head, folded header lines).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

MAX_HEAD_BYTES = 256 * 1024
_MAX_CHUNK_LINE_BYTES = 16 * 1024
_VERSION = b"HTTP/1."
_NO_BODY = frozenset({204, 304})
# No regular expressions: compiling four costs as much as importing a module.
_DIGITS = b"0123456789"
_HEX = b"0123456789abcdefABCDEF"
_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class MalformedAnswer(ValueError):
    """What came is not HTTP/1.1, or ended too soon."""


class Head(msgspec.Struct, frozen=True):
    """The first part of an answer."""

    status: int
    headers: dict[str, str]
    """By name in lower case; values of one name are joined with a comma."""
    reusable: bool
    """Whether the server keeps the connection open for another request."""


def request(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """The bytes of a request.

    Args:
        method: As it is sent.
        target: Path and query, escaped.
        headers: All but the body's length.
        body: May be empty.

    Raises:
        ValueError: A header or the target would not be one line of what HTTP allows there.
    """
    if not target.isascii() or not target.isprintable() or " " in target:
        raise ValueError(f"{target!r} is no request target")
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in headers.items():
        if not _made_of(_TOKEN, name.encode("ascii", "replace")):
            raise ValueError(f"{name!r} is no header name")
        if not (value := value.strip()).isascii() or not value.replace("\t", "").isprintable():
            raise ValueError(f"the header {name} has a character in its value that is not printable ASCII")
        lines.append(f"{name}: {value}")
    lines.append(f"Content-Length: {len(body)}\r\n\r\n")
    return "\r\n".join(lines).encode("ascii") + body


def take_head(buffer: bytearray) -> Head | None:
    """The head at the start of `buffer`, removed from it; None while it is not whole. Interim answers are passed over.

    Raises:
        MalformedAnswer: It cannot become one.
    """
    while True:
        if not buffer.startswith(_VERSION[: len(buffer)]):
            raise MalformedAnswer(f"no HTTP/1.1 answer: {bytes(buffer[:40])!r}")
        ends = [at + len(mark) for mark in (b"\n\r\n", b"\n\n") if (at := buffer.find(mark)) >= 0]
        if min(ends, default=len(buffer)) > MAX_HEAD_BYTES:
            raise MalformedAnswer(f"the headers are larger than {MAX_HEAD_BYTES // 1024} KiB")
        if not ends:
            return None
        text = bytes(buffer[: min(ends)])
        del buffer[: len(text)]
        head = _parse_head(text)
        if head.status == 101:
            raise MalformedAnswer("the server switches to another protocol")
        if head.status >= 200:
            return head


def _parse_head(text: bytes) -> Head:
    first, *lines = text.replace(b"\r\n", b"\n").removesuffix(b"\n\n").split(b"\n")
    version, _, rest = first.partition(b" ")
    code, _, reason = rest.partition(b" ")
    minor = version.removeprefix(_VERSION)
    known = len(minor) == 1 and _made_of(_DIGITS, minor) and len(code) == 3 and _made_of(_DIGITS, code)
    if not known or not b"100" <= code <= b"599" or b"\0" in reason:
        raise MalformedAnswer(f"no status line: {first[:80]!r}")
    headers: dict[str, str] = {}
    name = ""
    for line in lines:
        if line[:1] in (b" ", b"\t") and name:
            headers[name] += " " + _text(line)
            continue
        key, colon, value = line.partition(b":")
        if not colon or not _made_of(_TOKEN, key) or b"\0" in value:
            raise MalformedAnswer(f"no header line: {line[:80]!r}")
        name = key.decode("ascii").lower()
        headers[name] = f"{headers[name]}, {_text(value)}" if name in headers else _text(value)
    options = {option.strip().lower() for option in headers.get("connection", "").split(",")}
    reusable = "close" not in options and (minor != b"0" or "keep-alive" in options)
    return Head(int(code), headers, reusable)


def _made_of(characters: bytes, text: bytes) -> bool:
    """Whether the text is not empty and has no other characters."""
    return bool(text) and not text.translate(None, characters)


def _text(value: bytes) -> str:
    value = value.strip(b" \t\r")
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


class Body:
    """Takes the bytes after a head, gives those that are the body."""

    def __init__(self, head: Head) -> None:
        """Learn from the head how the body ends.

        Raises:
            MalformedAnswer: The head does not say it in a way that can be trusted.
        """
        self.done = False
        """Whether the body is whole; what follows it belongs to no answer."""
        self.until_close = False
        """Whether it ends with the connection."""
        self._left = 0
        """Bytes still to come, of the body or the present chunk."""
        self._chunked = False
        self._place = _Place.SIZE
        coding = head.headers.get("transfer-encoding")
        if head.status in _NO_BODY:
            self.done = True
        elif coding is not None:
            if coding.strip().lower() != "chunked":
                raise MalformedAnswer(f"the transfer encoding {coding[:80]!r} is not known")
            self._chunked = True
        elif (length := head.headers.get("content-length")) is not None:
            self._left = _length(length)
            self.done = self._left == 0
        else:
            self.until_close = True

    def feed(self, buffer: bytearray) -> bytes:
        """The bytes of the body that `buffer` starts with; they, and all that frames them, are removed from it.

        Raises:
            MalformedAnswer: A chunk is not one.
        """
        if self.done:
            return b""
        if self._chunked:
            return self._chunks(buffer)
        data = bytes(buffer if self.until_close else buffer[: self._left])
        del buffer[: len(data)]
        if not self.until_close:
            self._left -= len(data)
            self.done = self._left == 0
        return data

    def _chunks(self, buffer: bytearray) -> bytes:
        parts: list[bytes] = []
        at, data = 0, bytes(buffer)  # one copy, so that a thousand small chunks do not move the rest a thousand times
        while not self.done:
            if self._place is _Place.DATA:
                part = data[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                if self._left:
                    break
                self._place = _Place.DATA_END
            end = data.find(b"\n", at, at + _MAX_CHUNK_LINE_BYTES)
            if end < 0:
                if len(data) - at >= _MAX_CHUNK_LINE_BYTES:
                    raise MalformedAnswer("a chunk's size stands on an endless line")
                break
            self._line(data[at:end].removesuffix(b"\r"))
            at = end + 1
        del buffer[:at]
        return b"".join(parts)

    def _line(self, line: bytes) -> None:
        match self._place:
            case _Place.SIZE:
                size = line.partition(b";")[0].rstrip(b" \t")
                if len(size) > 16 or not _made_of(_HEX, size):
                    raise MalformedAnswer(f"no size of a chunk: {line[:40]!r}")
                self._left = int(size, 16)
                self._place = _Place.DATA if self._left else _Place.TRAILER
            case _Place.DATA_END:
                if line:
                    raise MalformedAnswer(f"a chunk is longer than it says: {line[:40]!r}")
                self._place = _Place.SIZE
            case _:
                self.done = not line


class _Place:
    """Where in a chunked body the next byte belongs."""

    SIZE, DATA, DATA_END, TRAILER = range(4)


def _length(value: str) -> int:
    lengths = {length.strip() for length in value.split(",")}
    length = lengths.pop()
    if lengths or len(length) > 18 or not _made_of(_DIGITS, length.encode("ascii", "replace")):
        raise MalformedAnswer(f"the length {value[:80]!r} is none")
    return int(length)


def unpacker(coding: str) -> Callable[[bytes], bytes] | None:
    """What undoes the content coding of a body, piece by piece; None when it has none.

    Raises:
        MalformedAnswer: The coding is not known; we ask for none.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return None
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise MalformedAnswer(f"the content coding {coding[:80]!r} is not known")
    import zlib

    inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
    fresh = True

    def unpack(piece: bytes) -> bytes:
        nonlocal inflate, fresh
        data = b""
        while piece:
            try:
                data += inflate.decompress(piece)
            except zlib.error as error:
                if not fresh or coding != "deflate":
                    raise MalformedAnswer(f"the compressed body is damaged: {error}") from None
                inflate = zlib.decompressobj(-zlib.MAX_WBITS)  # some servers leave out what should frame it
                fresh = False
                continue
            fresh = False
            if not inflate.eof:
                break
            piece = inflate.unused_data  # another member follows, as a server begins at each flush
            inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
        return data

    return unpack
