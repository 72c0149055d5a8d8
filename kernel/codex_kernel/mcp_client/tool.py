"""A tool of an MCP server as one of the agent's own.

Decision, approval, call and result; the events tell of each call, also of one that was refused.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec

from codex_kernel.mcp_client.interface import McpError, Progress, ToolFacts
from codex_kernel.mcp_client.names import NAMESPACE
from codex_kernel.mcp_client.results import failed, for_event, for_model
from codex_kernel.mcp_client.schemas import sanitised
from codex_kernel.mcp_client.server_words import seen_by_people
from codex_kernel.model.interface import FunctionTool, ToolSpec
from codex_kernel.policy.decide_mcp import McpQuestion, mcp_digest
from codex_kernel.policy.interface import Ask, Deny
from codex_kernel.tools.interface import ToolOutput
from codex_protocol.events import BackgroundEvent, Duration, McpInvocation, McpToolCallBegin, McpToolCallEnd
from codex_protocol.items import FunctionCall, ToolCallItem
from codex_protocol.policy import ReviewDecision

if TYPE_CHECKING:
    from codex_kernel.mcp_client.connection import Connection
    from codex_kernel.tools.interface import Offer, ToolContext

_MAX_DESCRIPTION = 8_000
_REMARK_EVERY_S = 0.5


class McpTool:
    """One tool of one server."""

    def __init__(self, name: str, connection: Connection, facts: ToolFacts) -> None:
        server = connection.name
        # Also as models call it that were trained on namespaces: `mcp__server` and the tool, or both in one.
        self.names = (name, f"{NAMESPACE}{name}", f"{NAMESPACE}{server}__{facts.name}")
        self.parallel = connection.settings.supports_parallel_tool_calls
        self._connection = connection
        self._facts = facts
        self._spec = FunctionTool(
            name=name,
            description=seen_by_people(facts.description, _MAX_DESCRIPTION),
            parameters=sanitised(facts.input_schema),
        )

    def spec(self, offer: Offer) -> ToolSpec | None:
        """Always offered; which tools there are is decided before."""
        return self._spec

    async def run(self, call: ToolCallItem, context: ToolContext) -> ToolOutput:
        """Call it."""
        text = call.arguments if isinstance(call, FunctionCall) else ""
        try:
            arguments = msgspec.json.decode(text) if text.strip() else None
        except msgspec.DecodeError as error:
            return ToolOutput(f"err: {error}", success=False)
        invocation = McpInvocation(self._connection.name, self._facts.name, arguments)
        context.emit(McpToolCallBegin(call_id=context.call_id, invocation=invocation))
        running = _Running(context, invocation)
        try:
            if (refusal := await self._refusal(arguments, context)) is not None:
                return running.refused(refusal)
            result = await self._connection.call(self._facts.name, arguments, running.progressed)
        except McpError as error:
            return running.broke(str(error))
        except asyncio.CancelledError:
            context.interrupted = running.refused("aborted by the user")
            raise
        return running.ended(result)

    async def _refusal(self, arguments: Any, context: ToolContext) -> str | None:
        """Why the call must not be made; None when it may."""
        settings = self._connection.settings
        own = settings.tools.get(self._facts.name, {}).get("approval_mode")
        question = McpQuestion(
            server=self._connection.name,
            tool=self._facts.name,
            arguments=arguments,
            mode=str(own or settings.default_tools_approval_mode or "auto"),
            read_only=self._facts.read_only,
            destructive=self._facts.destructive,
            open_world=self._facts.open_world,
        )
        decision = await context.judge.mcp(question)
        if isinstance(decision, Deny):
            return decision.reason
        if not isinstance(decision, Ask):
            return None
        digest = mcp_digest(question)
        answer = await context.approver.mcp(
            call_id=context.call_id,
            server=question.server,
            tool=question.tool,
            arguments=arguments,
            reason=decision.reason,
            digest=digest,
        )
        if answer not in (ReviewDecision.APPROVED, ReviewDecision.APPROVED_FOR_SESSION):
            return "MCP tool call rejected by user" if context.approver.can_ask else decision.unanswered().reason
        return None if mcp_digest(question) == digest else "MCP tool call changed while it waited for approval"


class _Running:
    """A call that has begun: its time, its remarks, its end."""

    def __init__(self, context: ToolContext, invocation: McpInvocation) -> None:
        self._context = context
        self._invocation = invocation
        self._began = time.monotonic()
        self._remarked = 0.0

    def progressed(self, progress: Progress) -> None:
        """Tell how far it is, not too often."""
        now = time.monotonic()
        if now - self._remarked < _REMARK_EVERY_S:
            return
        self._remarked = now
        total = f"/{progress.total:g}" if progress.total is not None else ""
        said = f": {' '.join(progress.message.split())[:300]}" if progress.message else ""
        called = self._invocation
        self._context.emit(BackgroundEvent(message=f"{called.server}/{called.tool} {progress.progress:g}{total}{said}"))

    def ended(self, result: dict[str, Any]) -> ToolOutput:
        """The server answered."""
        return self._output(for_model(result), {"Ok": for_event(result)}, success=not failed(result))

    def refused(self, why: str) -> ToolOutput:
        """It was not called, or not to the end."""
        return self._output(why, {"Err": why}, success=False)

    def broke(self, why: str) -> ToolOutput:
        """The server could not answer."""
        called = self._invocation
        text = f"tool call error: tool call failed for `{called.server}/{called.tool}`: {why}"
        return self._output(text, {"Err": text}, success=False)

    def _output(self, content: Any, result: dict[str, Any], *, success: bool) -> ToolOutput:
        end = McpToolCallEnd(
            call_id=self._context.call_id,
            invocation=self._invocation,
            duration=Duration.of(time.monotonic() - self._began),
            result=result,
        )
        return ToolOutput(content, success=success, after=(end,))
