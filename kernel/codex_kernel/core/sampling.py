"""One sampling request: asked again when its stream breaks off, its answer taken only when it is whole.

Items of a response are held back until the response is complete. So a stream that breaks off is asked for again
without anything of it having been recorded, told as final or executed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from codex_kernel.model.interface import (
    Completed,
    ItemDone,
    Prompt,
    RawReasoningDelta,
    ReasoningDelta,
    ReasoningPartAdded,
    Retrying,
    TextDelta,
    WebSearchStarted,
)
from codex_protocol.errors import RetryableModelError
from codex_protocol.events import (
    AgentMessageDelta,
    AgentReasoningDelta,
    AgentReasoningRawContentDelta,
    AgentReasoningSectionBreak,
    StreamError,
    WebSearchBegin,
)
from codex_protocol.items import Item
from codex_protocol.token_usage import TokenUsage

if TYPE_CHECKING:
    from codex_kernel.core.state import Emit
    from codex_kernel.model.interface import ModelClient

_BACKOFF_S = 0.2
_LONGEST_BACKOFF_S = 30.0


class Sampled(msgspec.Struct, frozen=True):
    """A whole response."""

    items: tuple[Item, ...]
    usage: TokenUsage | None


class Partial(msgspec.Struct):
    """What has been streamed of a response that may never be whole."""

    text: str = ""


async def sample(prompt: Prompt, client: ModelClient, emit: Emit, partial: Partial, *, show_raw: bool) -> Sampled:
    """The whole response to `prompt`; deltas are told of as they come.

    Args:
        prompt: Sent unchanged again when a stream breaks off.
        client: Retries requests that got no answer by itself.
        emit: Gets the deltas, and a `stream_error` before each new attempt.
        partial: Holds the text streamed so far by the present attempt, for who interrupts it.
        show_raw: Whether raw reasoning is told of.

    Raises:
        ModelError: The provider failed past its retries, or retrying does not help.
        CredentialError: No credential, or it was refused.
    """
    attempt = 0
    while True:
        try:
            return await _attempt(prompt, client, emit, partial, show_raw=show_raw)
        except RetryableModelError as error:
            attempt += 1
            if attempt > client.stream_max_retries:
                raise
            delay_s = error.retry_after_s if error.retry_after_s is not None else _backoff_s(attempt)
            most = client.stream_max_retries
            message = f"stream error: {error}; retrying {attempt}/{most} in {_shown(delay_s)}…"
            emit(StreamError(message=message, attempt=attempt, max_attempts=most))
            partial.text = ""
            await asyncio.sleep(delay_s)


async def _attempt(prompt: Prompt, client: ModelClient, emit: Emit, partial: Partial, *, show_raw: bool) -> Sampled:
    items: list[Item] = []
    pieces: list[str] = []
    stream = client.stream(prompt)
    try:
        async for event in stream:
            match event:
                case TextDelta():
                    pieces.append(event.delta)
                    emit(AgentMessageDelta(delta=event.delta))
                case ReasoningDelta():
                    emit(AgentReasoningDelta(delta=event.delta))
                case RawReasoningDelta():
                    if show_raw:
                        emit(AgentReasoningRawContentDelta(delta=event.delta))
                case ReasoningPartAdded():
                    emit(AgentReasoningSectionBreak())
                case WebSearchStarted():
                    emit(WebSearchBegin(call_id=event.call_id))
                case Retrying():
                    emit(_retry_notice(event))
                case ItemDone():
                    items.append(event.item)
                case Completed():
                    return Sampled(tuple(items), event.usage)
                case _:
                    pass
    except asyncio.CancelledError:
        partial.text = "".join(pieces)
        raise
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
    raise RetryableModelError(
        "stream disconnected before completion: the stream ended before the response was complete"
    )


def _retry_notice(event: Retrying) -> StreamError:
    message = (
        f"stream error: {event.message}; retrying {event.attempt}/{event.max_attempts} in {_shown(event.delay_s)}…"
    )
    return StreamError(message=message, attempt=event.attempt, max_attempts=event.max_attempts)


def _backoff_s(attempt: int) -> float:
    import random

    jitter = random.uniform(0.9, 1.1)  # noqa: S311  # spreads retries, no secret
    return min(_BACKOFF_S * 2 ** (attempt - 1), _LONGEST_BACKOFF_S) * jitter


def _shown(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms" if seconds < 1 else f"{seconds:.1f}s"
