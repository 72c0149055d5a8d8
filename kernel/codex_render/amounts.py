"""Durations, sizes and token counts in words."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """`250ms`, `1.50s`, `1m15s`. Source: spec/exec.md section 1."""
    ms = round(max(0.0, seconds) * 1000)
    if ms < 1000:
        return f"{ms}ms"
    if ms < 60_000:
        return f"{ms / 1000:.2f}s"
    minutes, rest = divmod(ms // 1000, 60)
    return f"{minutes}m{rest:02}s"


def clock(seconds: float) -> str:
    """Whole seconds for a line that is redrawn: `7s`, `1m05s`."""
    whole = int(max(0.0, seconds))
    return f"{whole}s" if whole < 60 else f"{whole // 60}m{whole % 60:02}s"


def count(number: int) -> str:
    """Thousands apart: `12,345`."""
    return f"{number:,}"
