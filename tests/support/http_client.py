"""Model clients wired to a mock transport, a fake clock and fixed logins."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from codex_kernel.config.credentials import Credential
from codex_kernel.config.types import ModelProvider, WireApi
from codex_kernel.model.chat import Chat
from codex_kernel.model.client import HttpModelClient
from codex_kernel.model.exchange import HttpClient
from codex_kernel.model.interface import Prompt, ResponseEvent
from codex_kernel.model.responses import Responses
from codex_kernel.model.sending import Sender
from codex_kernel.model.through_httpx import HttpxClient
from codex_protocol.items import user_message

PROMPT = Prompt(model="m", instructions="i", input=(user_message("u"),), thread_id="t")


class Given:
    """An HTTP client handed over as it is."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def client(self) -> HttpClient:
        return self._client

    async def aclose(self) -> None:
        await self._client.aclose()


class Logins:
    """A login, and the one a refresh gives."""

    def __init__(self, first: str | None = None, second: str | None = None) -> None:
        self.first, self.second = first, second
        self.refreshes = 0

    async def current(self) -> Credential | None:
        token = self.second if self.refreshes and self.second else self.first
        return Credential(token=token, kind="api_key") if token else None

    async def refresh(self) -> Credential | None:
        self.refreshes += 1
        return Credential(token=self.second, kind="api_key") if self.second else None


class Pauses:
    """A sleep that takes no time and remembers how long it would have been."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


def make(
    handler: Callable[[httpx.Request], httpx.Response] | HttpClient,
    *,
    chat: bool = False,
    logins: Logins | None = None,
    sleep: Pauses | None = None,
    env: dict[str, str] | None = None,
    **provider: object,
) -> HttpModelClient:
    """A client whose requests `handler` answers."""
    if callable(handler):
        handler = HttpxClient(httpx.AsyncClient(transport=httpx.MockTransport(handler)))
    fields = {"name": "P", "base_url": "http://provider.test/v1", **provider}
    settings = ModelProvider(wire_api=WireApi.CHAT if chat else WireApi.RESPONSES, **fields)  # pyright: ignore[reportArgumentType]
    sender = Sender(
        "p",
        settings,
        logins or Logins(),
        Given(handler),
        headers={"User-Agent": "test", "Accept": "text/event-stream"},
        env=env or {},
        sleep=sleep or Pauses(),
    )
    return HttpModelClient(Chat() if chat else Responses(), sender, stream_max_retries=settings.stream_max_retries)


async def collect(client: HttpModelClient, prompt: Prompt = PROMPT) -> list[ResponseEvent]:
    """All events of one response; the client is closed afterwards."""
    try:
        return [event async for event in client.stream(prompt)]
    finally:
        await client.aclose()
