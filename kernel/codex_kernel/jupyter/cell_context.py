"""What the work of one cell has at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from codex_kernel.jupyter.outputs import Outputs
from codex_kernel.jupyter.questions import Asker
from codex_protocol.errors import CodexError

if TYPE_CHECKING:
    from codex_kernel.core.thread import Thread
    from codex_kernel.jupyter.agent import Agent
    from codex_kernel.jupyter.kernel import Kernel
    from codex_render.bundles import Bundle

STOPPED = "stopped; say what to do instead, or go on with another cell"


class Interrupted(CodexError):
    """The person stopped the cell."""


class TurnFailed(CodexError):
    """The turn ended with an error."""


class CellContext(msgspec.Struct, eq=False, kw_only=True):
    """One cell that runs."""

    kernel: Kernel
    outputs: Outputs
    asker: Asker
    payload: list[dict[str, Any]]
    """What the reply carries for the front end: pages, for consoles."""
    count: int
    """Its execution count."""
    metadata: dict[str, Any]
    """Of the request."""

    @property
    def agent(self) -> Agent:
        """The thread's holder."""
        return self.kernel.agent

    @property
    def wants_events(self) -> bool:
        """Whether the front end asked for events as data, in this request or by `%events on`."""
        asked = self.metadata.get("codex")
        return asked == {"events": True} or self.kernel.events_as_data

    async def thread(self) -> Thread:
        """The thread, opened if need be; its first output names where it works and what it may."""
        thread = await self.agent.thread()
        if self.kernel.introduced != thread.id:
            self.kernel.introduced = thread.id
            from codex_render.bundles import banner

            self.outputs.display(banner(thread.configured))
        return thread

    def page(self, bundle: Bundle) -> None:
        """Something long to look through: a console opens its pager, elsewhere it is the cell's answer."""
        if self.outputs.style == "append":
            self.payload.append({"source": "page", "data": bundle, "start": 0})
        else:
            self.result(bundle)

    def result(self, bundle: Bundle) -> None:
        """The cell's one answer."""
        self.outputs.result(self.count, bundle)
