"""What a request to a provider needs of HTTP, whoever carries it: `direct.py` over sockets, `through_httpx.py` else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from codex_protocol.errors import CodexError

CONNECT_TIMEOUT_S = 15.0
WRITE_TIMEOUT_S = 120.0


class HttpFault(CodexError):
    """No answer, or not all of it: the connection failed, broke, or what came is not HTTP."""


class Silence(HttpFault):
    """The server is there and sent nothing for as long as it may."""


class Unsendable(HttpFault):
    """No such request can be made: its URL or one of its headers is malformed."""


class HttpAnswer(Protocol):
    """A response whose head is there and whose body is read as it comes."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """By name in lower case; values of one name are joined with a comma."""
        ...

    async def read(self) -> bytes:
        """What came of the body since the last call, waited for if need be; nothing at its end.

        Raises:
            HttpFault: The body breaks off, or cannot be decoded.
        """
        ...

    async def aclose(self) -> None:
        """Have done with it, read to its end or not."""
        ...


class HttpClient(Protocol):
    """Makes requests. It follows no redirect: a credential never goes where nobody sent it."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, idle_s: float) -> HttpAnswer:
        """Send a request and give its answer once the head is there.

        Args:
            url: Absolute, `http` or `https`.
            headers: All but those that HTTP itself needs.
            body: Sent whole.
            idle_s: How long the server may be silent, now and while the body is read.

        Raises:
            HttpFault: There is no answer.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
