"""What a turn's first call loads, loaded before it comes: a turn without calls never needs it, and starts sooner."""

from __future__ import annotations

import importlib

_MODULES = (
    "codex_kernel.core.call_context",
    "codex_kernel.core.calls",
    "codex_kernel.policy.decide",
    "codex_kernel.policy.decide_patch",
    "codex_kernel.patch.apply",
    "codex_kernel.changes.log",
)


def load() -> None:
    """Import it all; some 20 ms, once a process, which the call is spared."""
    for name in _MODULES:
        importlib.import_module(name)
