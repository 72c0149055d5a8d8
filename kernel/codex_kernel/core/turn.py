"""One turn: from the user's input to the model's last answer.

Sampling, running calls, compaction and approval are functions this loop calls, not branches in it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from codex_kernel.core.instructions import aborted_message, base_instructions
from codex_kernel.core.sampling import Partial, Sampled, sample
from codex_kernel.core.settings import TurnSettings
from codex_kernel.core.state import Emit, ThreadState
from codex_kernel.model.interface import Prompt
from codex_kernel.tools.apply_patch import ApplyPatch
from codex_kernel.tools.interface import ToolContext
from codex_protocol.errors import ContextWindowExceeded, RolloutError
from codex_protocol.events import (
    AgentMessage,
    AgentReasoning,
    AgentReasoningRawContent,
    EventMsg,
    PlanUpdate,
    TokenCount,
    TurnDiff,
    WebSearchEnd,
)
from codex_protocol.items import (
    CustomToolCall,
    FunctionCall,
    Item,
    LocalShellCall,
    Message,
    Reasoning,
    ToolCallItem,
    WebSearchCall,
    assistant_message,
)
from codex_protocol.token_usage import TokenUsage

if TYPE_CHECKING:
    from codex_kernel.core.call_context import CallContexts
    from codex_kernel.core.calls import Around
    from codex_kernel.core.turn_hooks import TurnHooks


WARM_AFTER_S = 0.3
"""When a model has thought this long, the sandbox's helper is started beside it. An answer that comes at once is often
one without commands, and whose first command comes at once starts the helper itself."""

log = logging.getLogger(__name__)


class Turn:
    """A running turn. `run` is awaited once."""

    def __init__(
        self,
        state: ThreadState,
        settings: TurnSettings,
        emit: Emit,
        *,
        instructions: str | None = None,
        abort: Callable[[], None],
        hooks: TurnHooks | None = None,
    ) -> None:
        """Prepare a turn.

        Args:
            state: The thread's; its history grows by the turn's items.
            settings: Kept for the whole turn.
            emit: Called once per event, in order; must not block.
            instructions: Replaces the base prompt; None for the thread's own.
            abort: Called when a person answers an approval with "stop the turn".
            hooks: Fires the user's hooks; None where there are none.
        """
        self._state = state
        self._settings = settings
        self._tell = emit
        self._instructions = instructions or base_instructions(settings.config)
        self._offer = settings.offer(confinable=True)
        self._tools = state.registry.offered(self._offer)
        self._info = settings.info()
        self._abort = abort
        self._hooks = hooks
        self._is_review = instructions is not None
        self._contexts: CallContexts | None = None
        self._partial = Partial()
        self._later: list[Callable[[], EventMsg | None]] = []
        self._futile = False
        """Compaction did not make the history shorter: not worth another request in this turn."""
        self._answered = False
        """Whether the model has."""
        self._prepared = False
        """Whether what the first call needs was begun."""
        self.last_message: str | None = None
        """The last thing the model said in this turn."""

    async def run(self) -> None:
        """Sample and run calls until the model asks for none and nobody has added anything.

        Raises:
            ModelError: The provider failed past its retries; the history stays valid.
            asyncio.CancelledError: Interrupted; the history stays valid and tells the model of it.
        """
        state = self._state
        try:
            while True:
                state.history.append(*state.take_steered())
                sampled = await self._sample_while_preparing()
                calls = self._take(sampled)
                if calls:
                    from codex_kernel.core.calls import run_calls

                    outputs = await run_calls(
                        calls,
                        state.registry,
                        self._context,
                        state.history,
                        self._emit,
                        self._emit_later,
                        self._around(),
                        self._ready,
                    )
                    state.history.append(*outputs)
                elif not state.steered and not await self._is_sent_on():
                    return
        except asyncio.CancelledError:
            self._leave_interrupted()
            raise
        finally:
            self._tell_later()

    async def _sample_while_preparing(self) -> Sampled:
        if self._prepared:
            return await self._sample()
        preparing = asyncio.get_running_loop().call_later(WARM_AFTER_S, self._prepare)
        try:
            return await self._sample()
        finally:
            preparing.cancel()

    def _prepare(self) -> None:
        """What the first call will need, made beside the model's thinking and never beside a call."""
        from codex_kernel.core import first_call

        self._prepared = True
        self._state.sandbox.warm(self._settings.sandbox_policy, self._settings.cwd)
        self._state.checkpoints.begin(self._settings.cwd)
        first_call.load()

    async def _ready(self, call: ToolCallItem) -> None:
        """Wait until what a call may change is known as it was."""
        checkpoints = self._state.checkpoints
        if self._hooks is None and isinstance(self._state.registry.find(call), ApplyPatch):
            checkpoints.called()  # a patch says by itself what it changes
        else:
            await checkpoints.ready(self._settings.cwd)

    def _around(self) -> Around | None:
        if self._hooks is None:
            return None
        hooks, state = self._hooks, self._state
        return lambda call, context, run: hooks.around_call(state, call, context, run)

    async def _is_sent_on(self) -> bool:
        """Whether a hook, or the user while it ran, keeps the turn from ending."""
        if self._hooks is None or self._is_review:
            return False
        prompt = await self._hooks.goes_on(self.last_message)
        if prompt is not None:
            self._state.history.record(prompt)
        return prompt is not None or bool(self._state.steered)

    def _emit(self, msg: EventMsg) -> None:
        if isinstance(msg, PlanUpdate):
            self._state.plan = msg.plan
        if isinstance(msg, PlanUpdate | TurnDiff):
            self._state.recorder.event(msg)
        self._tell(msg)

    def _emit_later(self, make: Callable[[], EventMsg | None]) -> None:
        """Emit what `make` gives once the loop has a moment: when the next request waits for its answer."""
        if not self._later:
            asyncio.get_running_loop().call_soon(self._tell_later)
        self._later.append(make)

    def _tell_later(self) -> None:
        later, self._later = self._later, []
        for make in later:
            try:
                if (msg := make()) is not None:
                    self._emit(msg)
            except RolloutError as error:  # the next item meets the same trouble, and its error ends the turn
                log.warning("not told: %s", error)

    async def _sample(self) -> Sampled:
        """One response, the history compacted first when it has grown too long."""
        state, settings = self._state, self._settings
        limit = settings.compact_limit()
        if limit is not None and not self._futile and state.meter.tokens(state.history.items) >= limit:
            self._futile = not await self._compact()
        try:
            return await self._ask()
        except ContextWindowExceeded:
            if not await self._compact():
                raise
            return await self._ask()

    async def _compact(self) -> bool:
        """Whether the history is shorter now."""
        from codex_kernel.core.compaction import compact

        return await compact(self._state, self._settings, self._emit, automatic=True, hooks=self._hooks)

    async def _ask(self) -> Sampled:
        settings = self._settings
        self._partial.text = ""
        prompt = Prompt(
            model=settings.model,
            instructions=self._instructions,
            input=self._state.history.items,
            tools=self._tools,
            effort=settings.effort,
            summary=settings.summary if self._info.supports_reasoning_summaries else None,
            verbosity=settings.config.model_verbosity,
            output_schema=settings.output_schema,
            thread_id=self._state.thread_id,
            store=not settings.config.disable_response_storage,
        )
        if self._hooks is not None:
            return await self._hooks.around_model(lambda: self._request(prompt))
        return await self._request(prompt)

    async def _request(self, prompt: Prompt) -> Sampled:
        return await sample(
            prompt,
            self._state.client,
            self._emit,
            self._partial,
            show_raw=self._settings.config.show_raw_agent_reasoning,
        )

    def _take(self, sampled: Sampled) -> list[ToolCallItem]:
        """Record a response, then tell of it; returns its calls."""
        history = self._state.history
        items = history.with_fresh_call_ids(sampled.items)
        history.record(*items)
        self._answered = self._answered or bool(items)
        said = [item.text() for item in items if isinstance(item, Message) and item.role == "assistant" and item.text()]
        self.last_message = said[-1] if said else None
        for item in items:
            self._tell_of(item)
        if sampled.usage is not None:
            self._count(sampled.usage)
        return [item for item in items if isinstance(item, FunctionCall | CustomToolCall | LocalShellCall)]

    def _tell_of(self, item: Item) -> None:
        match item:
            case Message(role="assistant") if item.text():
                self._emit(AgentMessage(message=item.text()))
            case Reasoning():
                for part in item.summary:
                    self._emit(AgentReasoning(text=part.text))
                if self._settings.config.show_raw_agent_reasoning:
                    for raw in item.content or ():
                        self._emit(AgentReasoningRawContent(text=raw.text))
            case WebSearchCall():
                action = item.action or {}
                query = action.get("query")
                self._emit(WebSearchEnd(call_id=item.id or "", query=str(query or ""), action=action or None))
            case _:
                pass

    def _count(self, usage: TokenUsage) -> None:
        state = self._state
        state.usage += usage
        state.meter.report(usage, len(state.history.items))
        count = TokenCount(
            input_tokens=usage.input_tokens,
            cached_input_tokens=usage.cached_input_tokens,
            cache_write_input_tokens=usage.cache_write_input_tokens,
            output_tokens=usage.output_tokens,
            reasoning_output_tokens=usage.reasoning_output_tokens,
            total_tokens=usage.total_tokens,
            total=state.usage,
            model_context_window=self._settings.context_window(),
        )
        state.recorder.event(count)
        self._emit(count)

    def _context(self, call: ToolCallItem) -> ToolContext:
        if self._contexts is None:
            from codex_kernel.core.call_context import CallContexts

            self._contexts = CallContexts(self._state, self._settings, self._emit, self._abort, self._hooks)
        return self._contexts.of(call)

    def _leave_interrupted(self) -> None:
        """Keep what was said so far, and tell the model that it was stopped."""
        history = self._state.history
        text = self._partial.text
        if text.strip():
            history.record(assistant_message(text))
            self._emit(AgentMessage(message=text))
        history.append(*self._state.take_steered())
        if self._state.closing and not self._answered and not text.strip():
            return  # as if it had not begun: who resumes the thread may go on with it
        history.record(aborted_message())
