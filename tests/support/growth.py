"""Does a piece of work grow in step with its input? Asked of the processor's time, with room for a busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_NOISE_S = 0.25
"""What a shared machine may add or take; quadratic work at the sizes asked about takes far more."""

_Text = TypeVar("_Text", str, list[str])
_MORE_TRIES = 3
"""The least of several tries counts: others that use the processor's caches make the same work take twice as long."""


def assert_linear(work: Callable[[_Text], object], text: _Text) -> None:
    """`work` on the whole of `text` takes at most three times what its first half takes: quadratic work takes four."""
    assert_linear_in(lambda size: work(text[:size]), len(text))


def assert_linear_in(work: Callable[[int], object], size: int) -> None:
    """The same of work that makes its own input, of `size` and of half of that."""
    half, whole = _seconds(work, size // 2), _seconds(work, size)
    for _ in range(_MORE_TRIES):
        if whole < 3 * half + _NOISE_S:
            return
        half, whole = min(half, _seconds(work, size // 2)), min(whole, _seconds(work, size))
    assert whole < 3 * half + _NOISE_S, f"{half:.2f} s for half of it, {whole:.2f} s for the whole"


def _seconds(work: Callable[[int], object], size: int) -> float:
    began = time.process_time()
    work(size)
    return time.process_time() - began
