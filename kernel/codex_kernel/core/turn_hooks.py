"""What the hooks of one turn are told, and what their answers do to it.

Source: spec/execpolicy-and-hooks.md sections 2.3 and 2.4. Unlike there, what a hook adds to a call's output stands
behind the outputs of the response, so that calls and outputs stay neighbours.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from codex_kernel.core.hooked_calls import approval_of, arguments_of, bare_output, rewritten
from codex_kernel.tools.interface import ToolOutput
from codex_protocol.errors import ModelError, ThreadError
from codex_protocol.events import BackgroundEvent, Warning
from codex_protocol.items import InputText, Message, ToolCallItem, user_message
from codex_protocol.token_usage import TokenUsage

if TYPE_CHECKING:
    from codex_kernel.core.sampling import Sampled
    from codex_kernel.core.settings import TurnSettings
    from codex_kernel.core.state import Emit, ThreadState
    from codex_kernel.core.thread_hooks import ThreadHooks
    from codex_kernel.hooks.engine import Outcome
    from codex_kernel.tools.interface import ToolContext
    from codex_protocol.events import ApprovalRequest

MAX_CONTINUATIONS = 10
"""How often in a row Stop hooks may send a turn on."""

RunCall = Callable[[ToolCallItem], Awaitable[ToolOutput]]


class TurnHooks:
    """Fires the hooks of one turn."""

    def __init__(self, thread: ThreadHooks, settings: TurnSettings, turn_id: str, emit: Emit) -> None:
        """Hooks of the turn that runs under `settings`; `emit` gets what a person should know."""
        self._thread = thread
        self._settings = settings
        self._turn_id = turn_id
        self._emit = emit
        self._continuations = 0

    async def _fire(self, event: str, subjects: tuple[str, ...] = (), **fields: Any) -> Outcome | None:
        """None when no hook is configured for the event."""
        if not self._thread.engine.has(event):
            return None
        return await self._thread.fire(event, self._settings, self._emit, subjects, turn_id=self._turn_id, **fields)

    async def admit(self, prompt: str, take: Callable[[], None], state: ThreadState) -> None:
        """Let a prompt begin a turn: `take` puts it into the history, with what hooks add behind it.

        Raises:
            ThreadError: A hook stops it. Nothing was taken, and the turn fails: whoever waits for an answer gets none.
        """
        source = self._thread.take_source()
        contexts: list[str] = []
        if source is not None:
            begun = await self._fire("SessionStart", (source,), source=source)
            if begun is not None:
                if begun.stopped:
                    raise ThreadError(_refusal("A SessionStart hook ended the turn", begun))
                contexts += begun.contexts
        contexts += await self.check_prompt(prompt)
        take()
        state.history.record(*map(developer_message, contexts))

    async def check_prompt(self, prompt: str) -> tuple[str, ...]:
        """What hooks add to a prompt.

        Raises:
            ThreadError: A hook stops it.
        """
        outcome = await self._fire("UserPromptSubmit", prompt=prompt)
        if outcome is None:
            return ()
        if outcome.blocked is not None or outcome.stopped:
            raise ThreadError(_refusal("A hook stopped this prompt, and it was not sent", outcome))
        return outcome.contexts

    async def around_call(
        self, state: ThreadState, call: ToolCallItem, context: ToolContext, run: RunCall
    ) -> ToolOutput:
        """A call's output, with hooks before and after it."""
        use = arguments_of(call)
        fields = {"tool_name": use.name, "tool_use_id": context.call_id}
        before = await self._fire("PreToolUse", use.names, **fields, tool_input=use.input)
        if before is not None:
            _add_later(state, before.contexts)
            if before.blocked is not None:
                return ToolOutput(
                    f"Command blocked by PreToolUse hook: {before.blocked}. Command: {use.text}", success=False
                )
            if before.updated_input is not None:
                call = rewritten(call, before.updated_input)
                use = arguments_of(call)
                self._emit(BackgroundEvent(message=f"A hook changed the call; it runs as: {use.text}"))
        output = await run(call)
        context.interrupted = output  # it has run: an interrupt from here on must not hide that from the model
        after = await self._fire(
            "PostToolUse", use.names, **fields, tool_input=use.input, tool_response=bare_output(use, output)
        )
        context.interrupted = None
        if after is None:
            return output
        _add_later(state, after.contexts)
        instead = after.blocked or (after.stop_reason if after.stopped else None)
        return output if instead is None else msgspec.structs.replace(output, content=instead)

    async def permission(self, state: ThreadState, request: ApprovalRequest) -> bool | None:
        """Hooks' answer to an approval: whether it may run; None leaves it to the user."""
        name, tool_input = approval_of(request)
        names = (name, "Edit", "Write") if name == "apply_patch" else (name,)
        outcome = await self._fire("PermissionRequest", names, tool_name=name, tool_input=tool_input)
        if outcome is None or outcome.permission is None:
            return None
        if outcome.permission == "deny":
            _add_later(state, (f"A hook of the user denied it: {outcome.blocked}",))
        return outcome.permission == "allow"

    async def around_model(self, request: Callable[[], Awaitable[Sampled]]) -> Sampled:
        """A response, with hooks before the request and after its answer or failure."""
        await self._fire("PreModelRequest")
        try:
            sampled = await request()
        except ModelError as error:
            await self._after_model(None, str(error))
            raise
        await self._after_model(sampled.usage, None)
        return sampled

    async def _after_model(self, usage: TokenUsage | None, error: str | None) -> None:
        await self._fire(
            "PostModelRequest",
            status="failed" if error else "completed",
            error=error,
            token_usage=msgspec.to_builtins(usage) if usage is not None else None,
        )

    async def before_compaction(self, *, automatic: bool) -> bool:
        """Whether the history may be compacted."""
        trigger = "auto" if automatic else "manual"
        outcome = await self._fire("PreCompact", (trigger,), trigger=trigger)
        if outcome is not None and outcome.stopped:
            self._emit(Warning(message=_refusal("A hook stopped the compaction", outcome)))
            return False
        return True

    async def after_compaction(self, state: ThreadState, *, automatic: bool) -> None:
        """The history was compacted; what hooks told the model at the start is asked for again."""
        trigger = "auto" if automatic else "manual"
        await self._fire("PostCompact", (trigger,), trigger=trigger)
        source: Literal["compact"] = "compact"
        begun = await self._fire("SessionStart", (source,), source=source)
        if begun is not None:
            state.history.record(*map(developer_message, begun.contexts))

    async def goes_on(self, last_message: str | None) -> Message | None:
        """What sends the turn on when the model would end it; None lets it end."""
        active = self._continuations > 0
        outcome = await self._fire("Stop", stop_hook_active=active, last_assistant_message=last_message)
        if outcome is None or outcome.stopped or outcome.blocked is None:
            return None
        self._continuations += 1
        if self._continuations > MAX_CONTINUATIONS:
            self._emit(Warning(message=f"Stop hooks sent the turn on {MAX_CONTINUATIONS} times; now it ends."))
            return None
        handler = outcome.blocker
        run_id = f"stop:{handler.order}:{handler.file}" if handler is not None else "stop"
        return user_message(f"<hook_prompt hook_run_id={json.dumps(run_id)}>{outcome.blocked}</hook_prompt>")

    async def interrupted(self) -> None:
        """The user interrupted the turn."""
        await self._fire("Interrupt")


def developer_message(text: str) -> Message:
    """What a hook tells the model."""
    return Message(role="developer", content=(InputText(f"<hook_context>\n{text}\n</hook_context>"),))


def _refusal(what: str, outcome: Outcome) -> str:
    why = outcome.blocked or outcome.stop_reason
    return f"{what}: {why}" if why else f"{what}."


def _add_later(state: ThreadState, contexts: tuple[str, ...]) -> None:
    """On disk now; to the model when the running calls have been answered."""
    for message in map(developer_message, contexts):
        state.history.write(message)
        state.steered.append(message)
