"""A thread's turns that have not ended, as their client sees them; they go on in the next agent when theirs has ended.

A turn of which nothing has come yet is asked again there; the next agent knows by its `client_id` whether it has it.
One that the model has worked on cannot be taken up, and fails.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from codex_client.async_turn import AsyncTurn
from codex_client.connection import Connection
from codex_client.errors import KernelLost
from codex_client.thread_agents import ThreadAgents
from codex_protocol.errors import CodexError
from codex_protocol.events import NumberedEvent, TaskComplete, TaskStarted, TurnAborted
from codex_protocol.ops import Interrupt, Op


class TurnsInFlight:
    """Hands turns to a thread's agents and tells them what comes of them."""

    def __init__(self, agents: ThreadAgents) -> None:
        """None yet."""
        self.running: str | None = None
        """Id of the turn that the thread works on, whoever began it."""
        self._agents = agents
        self._turns: list[AsyncTurn] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, turn: AsyncTurn, op: Op) -> AsyncTurn:
        """Hand the turn's op to the thread; it is told what comes of it until it ends."""
        turn.op = op
        self._turns.append(turn)  # before the op leaves: its first event may be here before the reply
        self._agents.said_something = True
        try:
            await self._deliver(turn)
        except asyncio.CancelledError:
            if turn.left and not turn.ended:  # the agent may have it: nobody would hear what it does
                await asyncio.shield(turn.stop())
            self.forget(turn)
            raise
        except BaseException:
            self.forget(turn)
            raise
        return turn

    def forget(self, turn: AsyncTurn) -> None:
        """It has ended and needs no more events."""
        with contextlib.suppress(ValueError):
            self._turns.remove(turn)

    def fail(self, error: CodexError) -> None:
        """Nothing more is heard of any of them."""
        for turn in tuple(self._turns):
            turn.fail(error)

    # What comes in

    def take(self, told: NumberedEvent) -> None:
        """Take in an event of the thread."""
        msg = told.event.msg
        if isinstance(msg, TaskStarted):
            self.running = told.event.id
        for turn in tuple(self._turns):
            turn.take(told)
        if isinstance(msg, TaskComplete | TurnAborted) and told.event.id == self.running:
            self.running = None

    def take_anew(self, events: Sequence[NumberedEvent]) -> None:
        """Take in what a snapshot tells of the running turn; turns it does not tell of ended unheard."""
        self.running = None
        followed = tuple(self._turns)
        for told in events:
            self.take(told)
        boots = {told.boot for told in events}
        for turn in followed:
            if not turn.ended and turn.began_elsewhere(boots, self.running):
                turn.fail(KernelLost("the turn ended while it could not be followed; the thread itself goes on"))

    # The next agent

    def lose_agent(self, error: KernelLost) -> None:
        """The thread's agent has ended: ask the next one for what had not begun, and fail the others."""
        self.running = None
        for turn in tuple(self._turns):
            if not (turn.untouched and self._agents.go_on):
                turn.fail(KernelLost(f"{error}; the thread's next turn resumes it"))
                continue
            turn.begin_again()
            if not turn.on_its_way:
                task = asyncio.create_task(self._deliver_again(turn))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _deliver(self, turn: AsyncTurn) -> None:
        """Hand in a turn's input, until there is an agent that does not end before anything came of it."""

        async def submit(agent: Connection) -> None:
            if turn.ended or turn.stopped:
                return
            if turn.answers:
                await agent.offer_answers()
            assert turn.op is not None  # noqa: S101 - `begin` has set it
            turn.left = True
            await agent.submit(turn.op, turn.id)
            if turn.stopped:  # while it was on its way
                await agent.submit(Interrupt())
            if agent.lost is not None and not turn.ended:
                raise agent.lost

        turn.on_its_way = True
        try:
            await self._agents.ask(submit)
        finally:
            turn.on_its_way = False

    async def _deliver_again(self, turn: AsyncTurn) -> None:
        try:
            await self._deliver(turn)
        except CodexError as error:
            turn.fail(error)
