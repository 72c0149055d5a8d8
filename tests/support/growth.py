"""Does a piece of work grow in step with its input? Asked of the processor's time, with room for a busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable

_NOISE_S = 0.25
"""What a shared machine may add or take; quadratic work at the sizes asked about takes far more."""


def assert_linear(work: Callable[[str], object], text: str) -> None:
    """`work` on the whole of `text` takes at most three times what its first half takes: quadratic work takes four."""
    for last_try in (False, True):
        half, whole = _seconds(work, text[: len(text) // 2]), _seconds(work, text)
        if whole < 3 * half + _NOISE_S:
            return
        assert not last_try, f"{half:.2f} s for half of it, {whole:.2f} s for the whole"


def _seconds(work: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    work(text)
    return time.process_time() - began
