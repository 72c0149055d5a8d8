"""What a command is confined by."""

from __future__ import annotations

from enum import StrEnum


class Layer(StrEnum):
    """What confines a command."""

    NAMESPACES = "namespaces"
    LANDLOCK = "landlock"
    SECCOMP = "seccomp"


ALL_LAYERS = frozenset(Layer)
