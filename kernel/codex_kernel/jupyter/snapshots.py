"""What brings a client up to date: the events it missed, or the thread as it stands."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from codex_kernel.jupyter.agent import Agent
from codex_protocol.attach import Attached, Position, Snapshot, event_content
from codex_protocol.events import NumberedEvent, TaskStarted, ThreadNameUpdated
from codex_protocol.items import FunctionCall, Item, LocalShellCall, encode_item
from codex_protocol.parsed_commands import ParsedCommand

if TYPE_CHECKING:
    from codex_kernel.core.thread import Thread


class Snapshots:
    """Counts the turns of the current thread, so that a stored thread and its events can be joined without overlap."""

    def __init__(self, agent: Agent) -> None:
        """Hear the agent's events from now on."""
        self._agent = agent
        self._boot: str = ""
        self._turns = 0
        """How many began since this thread was opened."""
        self._last_turn = 0
        """Number of the event that began the newest."""
        self._name: str | None = None
        agent.listen(self._on_event)

    async def since(self, position: Position | None) -> Attached:
        """What came after `position`; a snapshot for who has seen nothing or something else.

        The last thing it awaits comes before the events are gathered: the caller has everything up to `last`.
        """
        thread = await self._agent.thread()
        if position is not None and thread.can_replay((position.boot, position.n)):
            return self._attached(thread, replay=_events(thread, position.n))
        whole = thread.can_replay(None)
        while True:
            turns = self._turns
            items = await self._items(thread, self._turns if whole else int(thread.busy))
            parsed = await asyncio.to_thread(_parsed, items)
            if turns == self._turns:
                break
        first = 0 if whole else (self._last_turn - 1 if thread.busy else thread.position[1])
        snapshot = Snapshot(
            configured=thread.configured,
            settings=thread.context,
            items=tuple(msgspec.json.decode(encode_item(item)) for item in items),
            parsed=parsed,
            events=_events(thread, first),
            usage=thread.usage,
            plan=thread.plan,
            name=self._name if self._name is not None else thread.configured.name,
            pending=thread.pending(),
        )
        return self._attached(thread, snapshot=snapshot)

    async def _items(self, thread: Thread, last_turns: int) -> tuple[Item, ...]:
        """The stored items without those of the last turns, which the events tell of."""
        resumed = thread.configured.resumed or thread.configured.forked_from is not None
        if not resumed and last_turns == self._turns:
            return ()
        path = thread.rollout_path
        if path is None:
            return thread.items if last_turns == 0 else ()
        return await asyncio.to_thread(_stored, path, last_turns)

    def _attached(
        self, thread: Thread, *, replay: tuple[dict[str, Any], ...] = (), snapshot: Snapshot | None = None
    ) -> Attached:
        boot, last = thread.position
        return Attached(thread_id=thread.id, boot=boot, last=last, busy=thread.busy, replay=replay, snapshot=snapshot)

    def _on_event(self, numbered: NumberedEvent) -> None:
        if numbered.boot != self._boot:
            self._boot, self._turns, self._last_turn = numbered.boot, 0, 0
            self._name = None
        match numbered.event.msg:
            case TaskStarted():
                self._turns += 1
                self._last_turn = numbered.n
            case ThreadNameUpdated(name=name):
                self._name = name
            case _:
                return


def _events(thread: Thread, after: int) -> tuple[dict[str, Any], ...]:
    gathered: list[NumberedEvent] = []
    boot, _ = thread.position
    thread.subscribe(gathered.append, (boot, after))()
    return tuple(event_content(numbered) for numbered in gathered)


def _stored(path: Path, last_turns: int) -> tuple[Item, ...]:
    from codex_store.rollout_reader import read_rollout

    rollout = read_rollout(path)
    if last_turns and len(rollout.turns) >= last_turns:
        return rollout.items[: rollout.turns[-last_turns].first_item]
    return rollout.items


def _parsed(items: tuple[Item, ...]) -> dict[str, tuple[ParsedCommand, ...]]:
    """What the commands among the items do, by the id of their call."""
    from codex_kernel.policy.command_summary import summarise
    from codex_store.item_texts import called_by

    calls = [called_by(item) for item in items if isinstance(item, FunctionCall | LocalShellCall)]
    return {call.call_id: summarise(("bash", "-lc", call.text)) for call in calls if call.kind == "command"}
