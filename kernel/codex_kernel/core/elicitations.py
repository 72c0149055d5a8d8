"""Questions that MCP servers ask the user: reported as events, answered by ops, first answer wins.

They are not approvals: nothing of ours runs because of an answer, and none is kept on disk. The server gets it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from codex_kernel.mcp_client.interface import Elicit, ElicitAnswer
from codex_protocol.events import BackgroundEvent, ElicitationRequest, ElicitationResolved, EventMsg

if TYPE_CHECKING:
    from codex_protocol import ops

_MAX_SHOWN = 500


class Elicitations:
    """The open questions of one thread's servers."""

    def __init__(self, emit: Callable[[EventMsg], None]) -> None:
        self.can_answer = False
        """Whether a front end shows such questions; if not, the server is told at once that nobody answers."""
        self._emit = emit
        self._open: dict[str, tuple[Elicit, asyncio.Future[ElicitAnswer]]] = {}

    async def ask(self, question: Elicit) -> ElicitAnswer:
        """The user's answer, waited for without limit; `cancel` at once where nobody can give one."""
        if not self.can_answer:
            asked = " ".join(question.message.split())[:_MAX_SHOWN]
            self._emit(
                BackgroundEvent(message=f"MCP server `{question.server}` asked, and nobody can answer here: {asked}")
            )
            return ElicitAnswer(action="cancel")
        id = os.urandom(8).hex()
        answer: asyncio.Future[ElicitAnswer] = asyncio.get_running_loop().create_future()
        self._open[id] = (question, answer)
        self._emit(
            ElicitationRequest(
                id=id,
                server=question.server,
                message=question.message,
                mode=question.mode,
                schema=question.schema,
                url=question.url,
            )
        )
        try:
            return await answer
        except asyncio.CancelledError:  # the server took it back, or ended
            if self._open.pop(id, None) is not None:
                self._emit(ElicitationResolved(id=id, server=question.server, action="cancel", by="mcp server"))
            raise

    def answer(self, op: ops.ElicitationAnswer) -> bool:
        """Take an answer; False when there is no such open question (any more)."""
        found = self._open.pop(op.id, None)
        if found is None:
            return False
        question, answer = found
        self._emit(
            ElicitationResolved(id=op.id, server=question.server, action=op.action, by=op.by or "unnamed client")
        )
        if not answer.done():
            answer.set_result(ElicitAnswer(action=op.action, content=op.content))
        return True
