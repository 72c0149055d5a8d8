"""msgspec without what it prefers to import and does not need: 10 ms at the start of `codex exec`."""

from __future__ import annotations

import importlib
import sys


def load_msgspec() -> None:
    """Import msgspec so that it takes `Required` and `get_type_hints` from `typing` instead of typing_extensions."""
    if "msgspec" in sys.modules or "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = None  # pyright: ignore[reportArgumentType]  # what makes an import fail
    try:
        importlib.import_module("msgspec")
    finally:
        del sys.modules["typing_extensions"]
