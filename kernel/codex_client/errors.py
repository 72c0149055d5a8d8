"""What can go wrong when threads are driven from Python, beside the errors of `codex_protocol.errors`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_protocol.errors import ThreadError

if TYPE_CHECKING:
    from codex_client.results import TurnResult


class KernelLost(ThreadError):
    """The agent's process has ended or cannot be reached; the thread is on disk and can be resumed."""


class TurnFailed(ThreadError):
    """A turn ended with an error.

    Attributes:
        result: What it had come to.
    """

    def __init__(self, message: str, result: TurnResult) -> None:
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> tuple[type[TurnFailed], tuple[str, TurnResult]]:
        """Errors of batches travel between processes."""
        return type(self), (str(self), self.result)


class InvalidAnswer(TurnFailed):
    """The model's last answer does not fit the schema that was asked for, also after it was told so."""
