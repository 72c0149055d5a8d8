"""Model servers on this machine: whether one runs, which models it has, and fetching one with Ollama.

Source: spec/cli.md section 9.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import msgspec

from codex_kernel.config.types import ModelProvider
from codex_kernel.model.http import is_loopback
from codex_kernel.model.through_httpx import make_httpx
from codex_protocol.errors import ModelError

if TYPE_CHECKING:
    import httpx

PROBE_TIMEOUT_S = 5.0
OLLAMA_IDS = frozenset({"oss", "ollama"})


class NoServer(ModelError):
    """Nothing answers at the server's address."""


class PullProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a model has been fetched."""

    status: str
    """Ollama's own words, such as `verifying sha256 digest`."""
    completed: int = 0
    """Bytes so far, over all parts."""
    total: int = 0
    """Bytes in all parts known so far; grows while parts are announced."""


async def prepare(
    provider_id: str,
    provider: ModelProvider,
    model: str,
    *,
    on_progress: Callable[[PullProgress], None] | None = None,
    others: Mapping[str, ModelProvider] | None = None,
    client: httpx.AsyncClient | None = None,
) -> None:
    """Make sure that a local server runs and has the model; Ollama is told to fetch a model it lacks.

    Args:
        provider_id: `oss` and `ollama` mean Ollama; any other id a server with the OpenAI model list.
        provider: Whose base URL is asked.
        model: Name as the server knows it.
        on_progress: Called while a model is fetched, several times a second; must not block.
        others: Local servers to look for when this one does not run, so that the error can name one that does.
        client: For tests; None makes one.

    Raises:
        ModelError: No server answers, or the model cannot be had.
    """
    async with _opened(client, provider) as http:
        try:
            models = await list_models(provider_id, provider, client=http)
        except NoServer as error:
            running = await find_running(others or {}, client=http)
            if not running:
                raise
            raise ModelError(f"{error} {running[0].name} does run at {host_root(running[0].base_url or '')}.") from None
        if provider_id not in OLLAMA_IDS:
            if models and model not in models:
                raise ModelError(f"{provider.name} has no model {model!r}; it has {_listed(models)}.")
            return
        if model not in models and f"{model}:latest" not in models:
            await pull(provider, model, on_progress=on_progress, client=http)


async def find_running(
    providers: Mapping[str, ModelProvider], *, client: httpx.AsyncClient | None = None
) -> tuple[ModelProvider, ...]:
    """Those of some local servers that answer, in their order."""
    found: list[ModelProvider] = []
    for provider_id, provider in providers.items():
        try:
            await list_models(provider_id, provider, client=client)
        except ModelError:
            continue
        found.append(provider)
    return tuple(found)


async def list_models(
    provider_id: str, provider: ModelProvider, *, client: httpx.AsyncClient | None = None
) -> tuple[str, ...]:
    """The names of the models a local server has.

    Raises:
        NoServer: Nothing answers there.
        ModelError: What answers is no such server.
    """
    ollama = provider_id in OLLAMA_IDS
    base = provider.base_url or ""
    url = f"{host_root(base)}/api/tags" if ollama else f"{base.rstrip('/')}/models"
    async with _opened(client, provider) as http:
        answer = await _get(http, url, provider)
    key, name = ("models", "name") if ollama else ("data", "id")
    entries = answer.get(key)
    found = [cast("dict[str, Any]", entry).get(name) for entry in _list(entries) if isinstance(entry, dict)]
    return tuple(entry for entry in found if isinstance(entry, str))


async def pull(
    provider: ModelProvider,
    model: str,
    *,
    on_progress: Callable[[PullProgress], None] | None = None,
    client: httpx.AsyncClient | None = None,
) -> None:
    """Have Ollama fetch a model. Cancelling stops it; what was fetched is kept by Ollama.

    Raises:
        ModelError: It cannot be had, or the connection broke.
    """
    import httpx

    url = f"{host_root(provider.base_url or '')}/api/pull"
    progress = _Pull(on_progress or (lambda _: None))
    async with _opened(client, provider) as http:
        try:
            timeout = httpx.Timeout(None, connect=PROBE_TIMEOUT_S)
            async with http.stream("POST", url, json={"model": model, "stream": True}, timeout=timeout) as response:
                if response.is_error:
                    raise ModelError(f"Ollama cannot fetch {model!r}: {_error_text(await response.aread(), response)}")
                async for line in response.aiter_lines():
                    progress.take(line, model)
        except httpx.TransportError as error:
            raise ModelError(f"Fetching {model!r} broke off: {error}") from None
    if not progress.succeeded:
        raise ModelError(f"Ollama stopped fetching {model!r} before it was complete; try again.")


def host_root(base_url: str) -> str:
    """The server's own root: the base URL without the `/v1` of its OpenAI interface."""
    return base_url.rstrip("/").removesuffix("/v1").rstrip("/")


class _Pull:
    """Sums up the lines of a pull."""

    def __init__(self, on_progress: Callable[[PullProgress], None]) -> None:
        self.succeeded = False
        self._on_progress = on_progress
        self._parts: dict[str, tuple[int, int]] = {}

    def take(self, line: str, model: str) -> None:
        """One line of JSON; anything else is passed over."""
        try:
            decoded: Any = msgspec.json.decode(line)
        except msgspec.DecodeError:
            return
        if not isinstance(decoded, dict):
            return
        fields = cast("dict[str, Any]", decoded)
        if fields.get("error"):
            raise ModelError(f"Ollama cannot fetch {model!r}: {fields['error']}")
        status = str(fields.get("status") or "")
        self.succeeded = self.succeeded or status == "success"
        digest, total, completed = fields.get("digest"), fields.get("total"), fields.get("completed")
        if isinstance(digest, str):
            done, size = self._parts.get(digest, (0, 0))
            size = total if isinstance(total, int) else size
            self._parts[digest] = (completed if isinstance(completed, int) else done, size)
        sums = [sum(column) for column in zip(*self._parts.values(), strict=True)] or [0, 0]
        self._on_progress(PullProgress(status=status, completed=sums[0], total=sums[1]))


async def _get(http: httpx.AsyncClient, url: str, provider: ModelProvider) -> dict[str, Any]:
    import httpx

    try:
        response = await http.get(url, timeout=httpx.Timeout(30, connect=PROBE_TIMEOUT_S))
    except (httpx.TransportError, httpx.InvalidURL):
        raise _none_runs(provider) from None
    if response.is_error:
        raise ModelError(f"{url} does not answer like {provider.name}: {_error_text(response.content, response)}")
    try:
        decoded: Any = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        decoded = None
    if not isinstance(decoded, dict):
        raise ModelError(f"{url} does not answer like {provider.name}: no JSON object came.")
    return cast("dict[str, Any]", decoded)


def _none_runs(provider: ModelProvider) -> NoServer:
    where = host_root(provider.base_url or "")
    start = {"Ollama": "start it with `ollama serve`", "LM Studio": "start its server with `lms server start`"}
    hint = start.get(provider.name, "start the server")
    return NoServer(
        f"No {provider.name} server answers at {where}: {hint}, or name another address with CODEX_OSS_BASE_URL or "
        "base_url."
    )


def _error_text(body: bytes, response: httpx.Response) -> str:
    from codex_kernel.model.failures import parse_error_body, status_line

    message = cast(str, parse_error_body(body)["message"])
    return f"{status_line(response.status_code)}: {message}" if message else status_line(response.status_code)


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _listed(models: tuple[str, ...]) -> str:
    shown = ", ".join(models[:8])
    return f"{shown} and {len(models) - 8} more" if len(models) > 8 else shown


@asynccontextmanager
async def _opened(client: httpx.AsyncClient | None, provider: ModelProvider) -> AsyncGenerator[httpx.AsyncClient, None]:
    if client is not None:
        yield client
        return
    local = is_loopback(provider.base_url or "")
    async with make_httpx(proxies=not local, ca_certificate=provider.ca_certificate) as made:
        yield made
