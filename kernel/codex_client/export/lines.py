"""A thread as the lines it is kept in, one JSON object each; for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import msgspec

from codex_client.export.document import Clean
from codex_store.rollout_segments import thread_lines

_KEPT = frozenset(
    {"type", "id", "call_id", "timestamp", "role", "encrypted_content", "image_url", "thread_id", "turn_id"}
)
"""Fields that hold no words: taking something out of them would break them."""


def to_lines(path: Path, clean: Clean | None) -> str:
    """Every line, those a fork goes on from first; with `clean`, it is applied to every text in them.

    Raises:
        RolloutError: The file cannot be read.
    """
    lines: list[str] = []
    for raw, _ in thread_lines(path, []):
        try:
            value = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # torn when its writer died
        lines.append(msgspec.json.encode(value if clean is None else _cleaned(value, clean)).decode() + "\n")
    return "".join(lines)


def _cleaned(value: Any, clean: Clean) -> Any:
    match value:
        case str():
            return clean(value)
        case dict():
            fields = cast("dict[str, Any]", value)
            named = ((clean(key) if "/" in key else key, inner) for key, inner in fields.items())  # some are paths
            return {key: inner if key in _KEPT else _cleaned(inner, clean) for key, inner in named}
        case list():
            return [_cleaned(inner, clean) for inner in cast("list[Any]", value)]
        case _:
            return value
