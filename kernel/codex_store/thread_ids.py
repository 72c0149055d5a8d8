"""Thread ids: UUIDs of version 7, whose first 48 bits say when the thread was made."""

from __future__ import annotations

import os
import re
import time

_THREAD_ID = "(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def new_thread_id(now_ms: int | None = None) -> str:
    """A fresh id; later ones sort after earlier ones, to the millisecond.

    Args:
        now_ms: Milliseconds since 1970; None for now.
    """
    stamp = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    random = int.from_bytes(os.urandom(10), "big")
    value = (stamp & (1 << 48) - 1) << 80 | 0x7 << 76 | (random >> 68) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_thread_id(text: str) -> bool:
    """Whether `text` has the form of an id, of whatever UUID version."""
    return re.fullmatch(_THREAD_ID, text) is not None


def made_at_s(thread_id: str) -> float | None:
    """When the thread was made, in seconds since 1970; None for ids that do not tell (older releases made such)."""
    if not is_thread_id(thread_id) or thread_id[14] != "7":
        return None
    return int(thread_id[:8] + thread_id[9:13], 16) / 1000
