"""A server reached by streamable HTTP: the SDK's transport with our headers, time-outs and login."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client

MAX_EVENT_BYTES = 64 * 1024 * 1024
_CONNECT_S = 30.0
_READ_S = 3600.0
"""A stream may be silent while a tool works; the call's own time-out is what counts."""


@asynccontextmanager
async def connect_http(
    url: str,
    headers: Mapping[str, str],
    auth: httpx2.Auth | None,
    failed: Callable[[int], None] = lambda status: None,
) -> AsyncGenerator[tuple[Any, Any]]:
    """The streams of a session with the server at `url`; `failed` is told the status of each refused request."""

    async def note(response: httpx2.Response) -> None:
        if response.status_code >= 400:
            failed(response.status_code)

    timeout = httpx2.Timeout(_CONNECT_S, read=_READ_S)
    async with (
        httpx2.AsyncClient(
            headers=dict(headers), timeout=timeout, auth=auth, event_hooks={"response": [note]}
        ) as client,
        streamable_http_client(url, http_client=client, max_sse_event_size=MAX_EVENT_BYTES) as (read, write),
    ):
        yield read, write
