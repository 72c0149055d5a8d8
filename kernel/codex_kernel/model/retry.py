"""When a request that got no answer is made again, and after how long. Source: spec/model-api.md section 6."""

from __future__ import annotations

from collections.abc import Callable, Mapping

MAX_WAIT_S = 300.0
"""A provider that asks for a longer pause is not waited for: a person should decide."""
MAX_BACKOFF_S = 60.0
_RETRYABLE = frozenset({408, 409, 425, 429})
_HOPELESS = frozenset({501, 505, 511})


def is_retryable(status: int) -> bool:
    """Whether the same request may succeed later. 401 is not: it is tried once more with a new login, elsewhere."""
    return status in _RETRYABLE or (status >= 500 and status not in _HOPELESS)


def backoff_s(attempt: int, jitter: Callable[[], float] | None = None) -> float:
    """Seconds before retry number `attempt` (1, 2, …): 0.2, 0.4, 0.8 …, each 10 % more or less, at most a minute."""
    if jitter is None:
        from random import random as jitter
    return min(MAX_BACKOFF_S, 0.2 * 2 ** min(attempt - 1, 20)) * (0.9 + 0.2 * jitter())  # noqa: S311 (spreads load, guards nothing)


def retry_after_s(headers: Mapping[str, str], *, now: Callable[[], float] | None = None) -> float | None:
    """Seconds the provider asks to wait; None when it does not say, or not intelligibly.

    Args:
        headers: Of the response; names in lower case or in a mapping that does not care.
        now: The time, for headers that name a date.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    return _until(value, now)


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else -1.0
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _until(date: str, now: Callable[[], float] | None) -> float | None:
    import time
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, at - (now or time.time)())
