"""What a thread holds across turns, and the places its parts are recorded in."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from codex_kernel.changes.checkpoints import Checkpoints
from codex_kernel.core.approvals import Approvals
from codex_kernel.core.consents import Consents
from codex_kernel.core.history import History
from codex_kernel.core.settings import TurnSettings
from codex_kernel.core.thread_rules import ThreadRules
from codex_kernel.core.thread_skills import ThreadSkills
from codex_protocol.events import EventMsg, PlanStep
from codex_protocol.items import Item, encode_item
from codex_protocol.token_usage import TokenUsage

if TYPE_CHECKING:
    from codex_kernel.core.thread_hooks import ThreadHooks
    from codex_kernel.model.interface import ModelClient
    from codex_kernel.sandbox.interface import Sandbox
    from codex_kernel.tools.registry import ToolRegistry
    from codex_kernel.tools.sessions import CommandSessions

Emit = Callable[[EventMsg], None]


class Recorder(Protocol):
    """The thread on disk. Each method returns when what it was given survives the process.

    All raise `RolloutError` when that cannot be had.
    """

    def items(self, *items: Item, client_id: str | None = None) -> None:
        """History items, in order; `client_id` is what the client that sent the first calls it."""
        ...

    def event(self, msg: EventMsg) -> None:
        """What items do not say: turn boundaries, approvals, token counts, the plan, the name."""
        ...

    def turn_context(self, settings: TurnSettings) -> None:
        """The settings of the turn that begins; written only when they changed."""
        ...

    def compacted(self, summary: str, replacement: list[Item]) -> None:
        """The history from now on."""
        ...

    def sync(self) -> None:
        """Everything so far also survives a power cut."""
        ...

    def close(self) -> None:
        """Let another process write."""
        ...


class NoRecorder:
    """Keeps nothing: the recorder of an ephemeral thread."""

    def items(self, *items: Item, client_id: str | None = None) -> None:
        """Keep nothing."""

    def event(self, msg: EventMsg) -> None:
        """Keep nothing."""

    def turn_context(self, settings: TurnSettings) -> None:
        """Keep nothing."""

    def compacted(self, summary: str, replacement: list[Item]) -> None:
        """Keep nothing."""

    def sync(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is kept."""


class ContextMeter:
    """How many tokens the next request takes: what the provider last said, and an estimate of what came since."""

    def __init__(self) -> None:
        self._reported = 0
        self._measured_items = 0
        self._measured_bytes = 0

    def report(self, usage: TokenUsage, item_count: int) -> None:
        """A response ended; the history holds `item_count` items, all of them counted in `usage`."""
        self._reported = usage.in_context()
        self._measured_items = item_count
        self._measured_bytes = 0

    def reset(self) -> None:
        """The history was replaced: nothing is known of it."""
        self._reported = self._measured_items = self._measured_bytes = 0

    def tokens(self, items: list[Item]) -> int:
        """Tokens of `items`; costs as much as what is new since the last call."""
        for item in items[self._measured_items :]:
            self._measured_bytes += len(encode_item(item))
        self._measured_items = len(items)
        return self._reported + self._measured_bytes // 4


class ThreadState(msgspec.Struct, kw_only=True, eq=False):
    """What a thread holds across turns. Owned by `Thread`; a turn reads and changes it."""

    thread_id: str
    home: Path
    settings: TurnSettings
    """Of the next turn."""
    history: History
    recorder: Recorder
    client: ModelClient
    sandbox: Sandbox
    registry: ToolRegistry
    sessions: CommandSessions
    approvals: Approvals
    consents: Consents
    checkpoints: Checkpoints
    rules: ThreadRules
    skills: ThreadSkills
    base_environment: dict[str, str]
    """The environment the thread was opened with; the policy for commands is applied to it."""
    user_instructions: str | None = None
    hooks: ThreadHooks | None = None
    """None where no hook may run."""
    usage: TokenUsage = TokenUsage()
    """Summed over the thread, the thread it was forked from included."""
    meter: ContextMeter = msgspec.field(default_factory=ContextMeter)
    plan: tuple[PlanStep, ...] = ()
    made_here: set[str] = msgspec.field(default_factory=set[str])
    started_at: float = msgspec.field(default_factory=time.time)
    """When this process opened the thread: what is born later in a temporary directory is taken for its own."""
    closing: bool = False
    """The thread is about to end, and its turn with it: nobody stops that one."""
    steered: list[Item] = msgspec.field(default_factory=list[Item])
    """On disk already; joins the history when the running calls have been answered."""

    def take_steered(self) -> list[Item]:
        """What the user added since the last request."""
        taken, self.steered = self.steered, []
        return taken
