"""Routes that are there a moment after the server listens: who asks for one of them before waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest, RequestStartLine, ResponseStartLine
from tornado.web import Application


class Later:
    """Puts itself before an application's router until the rest of its rules is there.

    Args:
        application: Its own rules are answered at once.
        rules: Makes the others; called once.
    """

    def __init__(self, application: Application, rules: Callable[[], Awaitable[list[Any]]]) -> None:
        self._application = application
        self._make = rules
        self._find = application.find_handler
        self._loading: asyncio.Task[None] | None = None
        self._is_there = False
        application.find_handler = self._find_handler  # type: ignore[method-assign]

    def begin(self) -> asyncio.Task[None]:
        """Have the rules made, unless that has begun."""
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._load())
        return self._loading

    async def loaded(self) -> None:
        """Return when all rules are there; the first who waits begins it.

        Raises:
            Exception: They cannot be made.
        """
        await asyncio.shield(self.begin())

    def close(self) -> None:
        """Load no further."""
        if self._loading is not None:
            self._loading.cancel()

    async def _load(self) -> None:
        rules = await self._make()
        self._application.wildcard_router.add_rules(rules)
        self._is_there = True

    def _find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate:
        if self._is_there or self._application.wildcard_router.find_handler(request, **kwargs) is not None:
            return self._find(request, **kwargs)
        return _Waiting(self, lambda: self._find(request, **kwargs))


class _Waiting(HTTPMessageDelegate):
    """A request whose handler is not known yet; nothing of its body is read before."""

    def __init__(self, later: Later, find: Callable[[], HTTPMessageDelegate]) -> None:
        self._later = later
        self._find = find
        self._inner: HTTPMessageDelegate | None = None

    async def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        await self._later.loaded()
        self._inner = self._find()
        begun = self._inner.headers_received(start_line, headers)
        if begun is not None:
            await begun

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return None if self._inner is None else self._inner.data_received(chunk)

    def finish(self) -> None:
        if self._inner is not None:
            self._inner.finish()

    def on_connection_close(self) -> None:
        if self._inner is not None:
            self._inner.on_connection_close()
