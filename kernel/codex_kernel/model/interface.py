"""What the rest of the agent knows of models: a prompt goes in, response events come out.

Source: spec/model-api.md sections 2 and 3.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import msgspec

from codex_protocol.items import Item
from codex_protocol.policy import Effort, Summary, Verbosity
from codex_protocol.token_usage import TokenUsage


class FunctionTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool called with a JSON object."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema of the argument object."""
    strict: bool = False


class FreeformTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool called with plain text in a given grammar; Responses only."""

    name: str
    description: str
    syntax: str = "lark"
    definition: str


class LocalShellTool(msgspec.Struct, frozen=True):
    """The shell tool built into `codex-mini-latest`."""


class WebSearchTool(msgspec.Struct, frozen=True):
    """The provider's own web search."""

    live: bool = True
    """False: from the provider's cache only."""


ToolSpec = FunctionTool | FreeformTool | LocalShellTool | WebSearchTool


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """One sampling request."""

    model: str
    instructions: str
    input: Sequence[Item]
    """The history in the order the model sees it. Items are immutable and keep their identity from one request
    to the next, so that a client can keep their encoded form."""
    tools: Sequence[ToolSpec] = ()
    parallel_tool_calls: bool = True
    effort: Effort | None = None
    summary: Summary | None = None
    """None: the model takes no reasoning settings."""
    verbosity: Verbosity | None = None
    output_schema: dict[str, Any] | None = None
    thread_id: str
    """Also the prompt cache key."""
    store: bool = False


class Created(msgspec.Struct, frozen=True):
    """The provider accepted the request."""


class Retrying(msgspec.Struct, frozen=True):
    """The request got no answer and is made again after `delay_s`; only before anything else of the response."""

    message: str
    """What went wrong, in one sentence."""
    attempt: int
    max_attempts: int
    delay_s: float


class ItemDone(msgspec.Struct, frozen=True):
    """An output item is complete."""

    item: Item


class TextDelta(msgspec.Struct, frozen=True):
    """The next piece of the answer."""

    delta: str


class ReasoningDelta(msgspec.Struct, frozen=True):
    """The next piece of a reasoning summary."""

    delta: str


class RawReasoningDelta(msgspec.Struct, frozen=True):
    """The next piece of raw reasoning."""

    delta: str


class ReasoningPartAdded(msgspec.Struct, frozen=True):
    """The next part of a reasoning summary begins."""


class WebSearchStarted(msgspec.Struct, frozen=True):
    """The provider began a web search."""

    call_id: str


class Completed(msgspec.Struct, frozen=True):
    """The response is complete; nothing follows. `usage` is None when the provider reported none."""

    response_id: str
    usage: TokenUsage | None


ResponseEvent = (
    Retrying
    | Created
    | ItemDone
    | TextDelta
    | ReasoningDelta
    | RawReasoningDelta
    | ReasoningPartAdded
    | WebSearchStarted
    | Completed
)


class ModelClient(Protocol):
    """Speaks to one provider.

    A request that got no answer is retried here; a stream that breaks off is the caller's to ask for again.
    """

    stream_max_retries: int
    """How often the caller may ask again after a broken stream."""

    def stream(self, prompt: Prompt) -> AsyncIterator[ResponseEvent]:
        """The response to `prompt` as it comes: any events, then exactly one `Completed`.

        The iterator is an async generator: closing it (also by cancelling) drops the connection.

        Raises:
            ModelError: See `codex_protocol.errors`; `RetryableModelError` and `StreamClosed` are worth another try.
            CredentialError: No credential, or it was refused.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
