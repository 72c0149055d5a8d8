"""Drives Codex threads from Python: `Codex` for notebooks and scripts, `AsyncCodex` for asyncio, `%%codex` in cells.

Nothing is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codex_client.api import Codex, Thread, Turn
    from codex_client.approvals import HunkChoice, hunks
    from codex_client.async_client import AsyncCodex
    from codex_client.async_thread import AsyncThread
    from codex_client.async_turn import AsyncTurn
    from codex_client.errors import InvalidAnswer, KernelLost, TurnFailed
    from codex_client.results import TurnResult
    from codex_client.thread_settings import Settings

__all__ = [
    "AsyncCodex",
    "AsyncThread",
    "AsyncTurn",
    "Codex",
    "HunkChoice",
    "InvalidAnswer",
    "KernelLost",
    "Settings",
    "Thread",
    "Turn",
    "TurnFailed",
    "TurnResult",
    "hunks",
    "load_ipython_extension",
]

_HOMES = {
    "AsyncCodex": "async_client",
    "AsyncThread": "async_thread",
    "AsyncTurn": "async_turn",
    "Codex": "api",
    "HunkChoice": "approvals",
    "InvalidAnswer": "errors",
    "KernelLost": "errors",
    "Settings": "thread_settings",
    "Thread": "api",
    "Turn": "api",
    "TurnFailed": "errors",
    "TurnResult": "results",
    "hunks": "approvals",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext codex_client`: registers `%%codex` and `%codex_threads`."""
    from codex_client.magics import register

    register(shell)
