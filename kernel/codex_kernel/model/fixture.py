"""A recorded stream instead of a provider: the file that CODEX_RS_SSE_FIXTURE names answers every request.

Source: spec/model-api.md section 3. No network, no credential; Responses providers only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from codex_kernel.model.interface import Prompt, ResponseEvent
from codex_kernel.model.responses_events import ResponsesReader
from codex_kernel.model.sse import SseSplitter
from codex_protocol.errors import ModelError

VARIABLE = "CODEX_RS_SSE_FIXTURE"


class FixtureModel:
    """A `ModelClient` that plays one file; every line of it counts as ended by a blank line."""

    stream_max_retries = 0

    def __init__(self, path: Path) -> None:
        self._path = path

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ResponseEvent, None]:
        """The recorded answer.

        Raises:
            ModelError: The file cannot be read, or holds no whole answer.
        """
        try:
            recorded = await asyncio.to_thread(self._path.read_bytes)
        except OSError as error:
            raise ModelError(f"{VARIABLE} names {self._path}, which cannot be read: {error.strerror}.") from None
        splitter, reader = SseSplitter(), ResponsesReader(prompt.input)
        for data in splitter.feed(recorded.replace(b"\n", b"\n\n")) + splitter.close():
            for event in reader.feed(data):
                yield event
            if reader.done:
                break
        for event in reader.finish():
            yield event

    async def aclose(self) -> None:
        """Nothing to close."""
