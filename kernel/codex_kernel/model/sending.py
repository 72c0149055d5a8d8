"""One request to a provider, made again until it is answered, refused for good, or tried often enough.

Source: spec/model-api.md section 6. Unlike there, what cannot succeed is not tried again, and neither is a request
whose retries are used up: the caller asks again only for streams that broke off.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from codex_kernel.config.credentials import Credential, CredentialSource
from codex_kernel.config.types import ModelProvider
from codex_kernel.model.answer import decode_leniently
from codex_kernel.model.exchange import HttpAnswer, HttpClient, HttpFault, Silence, Unsendable
from codex_kernel.model.interface import Retrying
from codex_kernel.model.providers import (
    authorisation,
    effective_credential,
    provider_headers,
    refused_credential,
    request_url,
)
from codex_protocol.errors import ModelError, StreamClosed

log = logging.getLogger(__name__)

MAX_ERROR_BYTES = 256 * 1024
_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 307, 308})


class HttpSource(Protocol):
    """Where the HTTP client comes from, when it is needed."""

    def client(self) -> HttpClient:
        """The client, for the running loop."""
        ...

    async def aclose(self) -> None:
        """Give it back."""
        ...


class Sender:
    """Sends requests to one provider."""

    def __init__(
        self,
        provider_id: str,
        provider: ModelProvider,
        credentials: CredentialSource,
        http: HttpSource,
        *,
        headers: Mapping[str, str],
        chatgpt_base_url: str = "https://chatgpt.com/backend-api/",
        env: Mapping[str, str] = os.environ,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._provider_id = provider_id
        self._provider = provider
        self._credentials = credentials
        self._http = http
        self._headers = headers
        self._chatgpt_base_url = chatgpt_base_url
        self._env = env
        self._sleep = sleep

    async def open(self, path: str, body: bytes) -> AsyncGenerator[Retrying | HttpAnswer, None]:
        """A `Retrying` before each further try, then the response, its body unread; the caller closes it.

        Raises:
            ModelError: No answer, or one that no retry mends.
            CredentialError: No credential, or it was refused.
            ConfigError: A header or certificate cannot be used.
        """
        attempt, refreshed = 0, False
        limit = self._provider.request_max_retries
        while True:
            credential = await effective_credential(self._provider_id, self._provider, self._credentials, self._env)
            outcome = await self._try(path, body, credential)
            if not isinstance(outcome, _Refusal):
                yield outcome
                return
            if outcome.status == 401 and not refreshed and await self._refreshed(credential):
                refreshed = True
                continue
            attempt += 1
            delay_s = outcome.delay_s(attempt)
            if outcome.final is not None or attempt > limit or delay_s is None:
                raise outcome.error(self._provider, limit)
            log.info("%s; retry %d of %d in %.1f s", outcome.problem, attempt, limit, delay_s)
            yield Retrying(outcome.problem, attempt, limit, delay_s)
            await self._sleep(delay_s)

    async def aclose(self) -> None:
        """Give the HTTP client back."""
        await self._http.aclose()

    async def _refreshed(self, refused: Credential | None) -> bool:
        if refused is None or (self._provider.env_key and self._env.get(self._provider.env_key, "").strip()):
            return False
        fresh = await self._credentials.refresh()
        return fresh is not None and fresh.token != refused.token

    async def _try(self, path: str, body: bytes, credential: Credential | None) -> HttpAnswer | _Refusal:
        chatgpt = self._chatgpt_base_url if credential is not None and credential.kind == "chatgpt" else None
        url = request_url(self._provider, path, chatgpt_base_url=chatgpt)
        own = provider_headers(self._provider, self._env)
        headers = {**self._headers, **authorisation(credential)}
        taken = {name.lower() for name in own}
        headers = {**{name: value for name, value in headers.items() if name.lower() not in taken}, **own}
        for _ in range(_MAX_REDIRECTS + 1):
            response = await self._send(url, body, headers)
            if isinstance(response, _Refusal):
                return response
            if 200 <= response.status < 300:
                return await _checked(response, url)
            if response.status not in _REDIRECTS:
                return await _refusal(response, url, credential.plan if credential is not None else None)
            await response.aclose()
            if not (location := response.headers.get("location")):
                raise ModelError(f"{_place(url)} redirects and does not say where to; check the provider's base_url.")
            target = urljoin(url, location)
            _check_redirect(url, target)
            url = target
        raise ModelError(f"{_place(url)} redirects again and again; check the provider's base_url.")

    async def _send(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer | _Refusal:
        idle_s = self._provider.stream_idle_timeout_ms / 1000
        try:
            return await self._http.client().post(url, headers, body, idle_s=idle_s)
        except Silence:
            raise StreamClosed(f"{_host(url)} accepted the request and then sent nothing for {idle_s:g} s.") from None
        except Unsendable as error:
            raise ModelError(f"The request to {url} cannot be made: {error}.") from None
        except HttpFault as error:
            return _no_answer(url, error)


class _Refusal:
    """An answer that is no success, or none at all."""

    def __init__(
        self,
        problem: str,
        *,
        status: int | None = None,
        message: str = "",
        final: ModelError | None = None,
        wait_s: float | None = None,
    ) -> None:
        self.problem = problem
        self.status = status
        self.final = final
        """The error, when no retry mends it."""
        self._message = message
        self._wait_s = wait_s

    def delay_s(self, attempt: int) -> float | None:
        """Seconds before the next try; None when the provider wants us to wait longer than is sensible."""
        from codex_kernel.model.retry import MAX_WAIT_S, backoff_s

        if self._wait_s is None:
            return backoff_s(attempt)
        return max(self._wait_s, 0.0) if self._wait_s <= MAX_WAIT_S else None

    def error(self, provider: ModelProvider, retries: int) -> Exception:
        """What to raise when there is no further try."""
        if self.status == 401:
            return refused_credential(provider, self.problem)
        if self.final is not None:
            return self.final
        from codex_kernel.model.failures import duration_text, status_line

        if self.status is None:
            tried = f" ({retries} {'retry' if retries == 1 else 'retries'} did not help)" if retries else ""
            return ModelError(self.problem + tried)
        text = f"exceeded retry limit, last status: {status_line(self.status)}"
        if self._wait_s is not None and self.delay_s(1) is None:
            text = f"{status_line(self.status)}: {provider.name} asks to wait {duration_text(int(self._wait_s))}"
        return ModelError(f"{text}: {self._message}" if self._message else text, status=self.status)


async def _checked(response: HttpAnswer, url: str) -> HttpAnswer:
    """The response, unless its kind shows that it is no stream of a model."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status in (204, 205):
        await response.aclose()
        raise ModelError(
            f"{_place(url)} answered with nothing (status {response.status}); check the provider's base_url."
        )
    if kind == "application/json":
        from codex_kernel.model.failures import error_object, stream_failure

        document = decode_leniently(await _read(response))
        await response.aclose()
        error = error_object(document)
        if error["message"]:
            raise stream_failure(error)
        raise ModelError(f"{_place(url)} answered with one JSON document instead of a stream of events.")
    if kind == "text/html":
        await response.aclose()
        raise ModelError(
            f"{_place(url)} answered with a web page instead of a model's stream; check the provider's base_url."
        )
    return response


async def _refusal(response: HttpAnswer, url: str, plan: str | None) -> _Refusal:
    from codex_kernel.model.failures import (
        own_words,
        parse_error_body,
        status_failure,
        status_line,
        usage_failure,
        wait_in,
    )
    from codex_kernel.model.retry import is_retryable, retry_after_s

    status = response.status
    body = await _read(response)
    await response.aclose()
    message = own_words(status, parse_error_body(body))
    problem = f"{status_line(status)}: {message}" if message else status_line(status)
    if not is_retryable(status):
        return _Refusal(problem, status=status, message=message, final=status_failure(status, body, _place(url)))
    wait_s = retry_after_s(response.headers)
    wait_s = wait_s if wait_s is not None else wait_in(message) if status == 429 else None
    final = usage_failure(status, body, plan) if status == 429 else None
    return _Refusal(problem, status=status, message=message, final=final, wait_s=wait_s)


async def _read(response: HttpAnswer) -> bytes:
    """The start of the body; what fails to come is left out."""
    data = bytearray()
    with contextlib.suppress(HttpFault, TimeoutError):
        async with asyncio.timeout(10):
            while len(data) < MAX_ERROR_BYTES and (piece := await response.read()):
                data += piece
    return bytes(data)


def _no_answer(url: str, error: HttpFault) -> _Refusal:
    words = str(error)
    if "certificate verify failed" in words.lower():
        text = f"The certificate of {_host(url)} cannot be verified: {words}."
        mend = "Name your certificates with SSL_CERT_FILE or the provider's ca_certificate."
        return _Refusal(text, final=ModelError(f"{text} {mend}"))
    return _Refusal(f"No answer from {_host(url)}: {words}")


def _check_redirect(url: str, target: str) -> None:
    """Raise unless `target` is the same server, or the same host by TLS instead of without.

    Raises:
        ModelError: Following would send the credential to another server.
    """
    here, there = urlsplit(url), urlsplit(target)
    same = (here.scheme, here.netloc) == (there.scheme, there.netloc)
    secured = (here.scheme, there.scheme) == ("http", "https") and here.hostname == there.hostname
    if not (same or secured):
        raise ModelError(
            f"{_host(url)} redirects to {_host(target)}, where the credential is not sent; set base_url to where the "
            "provider really is."
        )


def _place(url: str) -> str:
    """The address for people, without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{_host(url)}{parts.path}"


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2] or url
