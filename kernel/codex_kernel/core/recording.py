"""The thread's recorder on a rollout file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_protocol.events import EventMsg
from codex_protocol.items import Item

if TYPE_CHECKING:
    from codex_kernel.core.settings import TurnSettings
    from codex_store.rollout_writer import RolloutWriter


class RolloutRecorder:
    """Writes to a `RolloutWriter`; implements `state.Recorder`."""

    def __init__(self, writer: RolloutWriter) -> None:
        self._writer = writer

    def items(self, *items: Item, client_id: str | None = None) -> None:
        """History items, in order."""
        self._writer.items(*items, client_id=client_id)

    def event(self, msg: EventMsg) -> None:
        """What items do not say."""
        self._writer.event(msg)

    def turn_context(self, settings: TurnSettings) -> None:
        """The settings of the turn that begins; written only when they changed."""
        self._writer.turn_context(
            cwd=str(settings.cwd),
            approval_policy=settings.approval_policy,
            sandbox_policy=settings.sandbox_policy,
            model=settings.model,
            effort=settings.effort,
            summary=settings.summary,
        )

    def compacted(self, summary: str, replacement: list[Item]) -> None:
        """The history from now on."""
        self._writer.compacted(summary, replacement)

    def sync(self) -> None:
        """Everything so far also survives a power cut."""
        self._writer.sync()

    def close(self) -> None:
        """Let another process write."""
        self._writer.close()
