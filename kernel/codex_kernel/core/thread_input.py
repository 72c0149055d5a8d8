"""What the user says to a thread: it begins a turn or is steered into the one that runs; once, and never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from codex_protocol.errors import ThreadError
from codex_protocol.events import EventMsg, TaskStarted, UserMessage, Warning
from codex_protocol.items import Message
from codex_protocol.ops import Submission, UserInput, UserTurn

if TYPE_CHECKING:
    from codex_kernel.core.opening import Opened
    from codex_kernel.core.settings import TurnSettings
    from codex_kernel.core.thread_turns import ThreadTurns
    from codex_kernel.core.turn_hooks import TurnHooks


class ThreadInput:
    """Takes the ops `user_input` and `user_turn`."""

    def __init__(
        self,
        opened: Opened,
        turns: ThreadTurns,
        emit: Callable[[str, EventMsg], None],
        again: Callable[[Submission], None],
    ) -> None:
        """Input of the thread `opened`; `again` takes an op anew. See `ThreadTurns` for the rest."""
        self._opened = opened
        self._state = opened.state
        self._turns = turns
        self._emit = emit
        self._again = again
        self._seen: set[str] = set()

    async def take(self, id: str, op: UserInput | UserTurn) -> None:
        """Take input, unless input of the same client's id has been taken.

        Raises:
            InputNotTaken: It could not be written down, and its turn has said so.
            CodexError: Likewise, and no turn has begun.
        """
        if op.client_id is None:
            await self._take_new(id, op)
        elif op.client_id not in self._seen:
            self._seen.add(op.client_id)
            try:
                if op.client_id in self._opened.earlier:
                    await self._answer_earlier(id, op, op.client_id)
                else:
                    await self._take_new(id, op)
            except BaseException:  # it was not taken: who sends it again must be heard
                self._seen.discard(op.client_id)
                raise

    async def _answer_earlier(self, id: str, op: UserInput | UserTurn, client_id: str) -> None:
        """Begin the turn of an input that is in the history already; one that has ended is told again, briefly."""
        from codex_kernel.core.user_input import text_of

        if self._turns.running:  # the model answers it with what is asked now
            self._seen.discard(client_id)
            self._turns.when_ended(Submission(id, op))
        elif self._opened.earlier.is_open(client_id):
            self._turns.begin(id, self._settings_of(op), None, [text_of(op.items)])
        else:
            end = await asyncio.to_thread(self._opened.earlier.end_of, client_id)
            for msg in (TaskStarted(model_context_window=self._state.settings.context_window()), end):
                self._state.recorder.event(msg)
                self._emit(id, msg)

    def _settings_of(self, op: UserInput | UserTurn) -> TurnSettings:
        settings = self._state.settings
        if isinstance(op, UserTurn):
            return settings.for_turn(op)
        if op.output_schema is not None:
            return msgspec.structs.replace(settings, output_schema=op.output_schema)
        return settings

    async def _take_new(self, id: str, op: UserInput | UserTurn) -> None:
        from codex_kernel.core.user_input import images_of, message_of, text_of

        settings = self._settings_of(op)
        message = await message_of(op.items, settings.cwd)
        await self._turns.settled()
        if message is None:
            self._emit(id, Warning(message="The input was empty, so nothing was sent."))
            return
        skills, problems = self._state.skills.named_in(op.items, settings.cwd)
        for problem in problems:
            self._emit(id, Warning(message=problem))
        told = UserMessage(message=text_of(op.items), images=images_of(op.items), client_id=op.client_id)
        messages = [message, *skills]
        if not self._turns.running:
            self._begin(id, settings, messages, told)
        elif (hooks := self._turns.hooks) is None:
            self._turns.steer(id, messages, told)
        else:
            self._turns.beside(self._steer_checked(id, op, hooks, messages, told))

    def _begin(self, id: str, settings: TurnSettings, messages: list[Message], told: UserMessage) -> None:
        def take() -> None:
            self._state.history.record(*messages, client_id=told.client_id)
            self._emit(id, told)

        self._turns.begin(id, settings, take, [told.message])

    async def _steer_checked(
        self, id: str, op: UserInput | UserTurn, hooks: TurnHooks, messages: list[Message], told: UserMessage
    ) -> None:
        from codex_kernel.core.turn_hooks import developer_message

        try:
            contexts = await hooks.check_prompt(told.message)
        except asyncio.CancelledError:
            self._forget(op)
            self._emit(
                id, Warning(message="The turn was interrupted before hooks had checked this prompt; send again.")
            )
            raise
        except ThreadError as error:
            self._emit(id, Warning(message=str(error)))
            return
        if not self._turns.steerable:  # it ended meanwhile: this begins the next one
            self._forget(op)
            self._again(Submission(id, op))
            return
        self._turns.steer(id, [*messages, *map(developer_message, contexts)], told)

    def _forget(self, op: UserInput | UserTurn) -> None:
        if op.client_id is not None:
            self._seen.discard(op.client_id)
