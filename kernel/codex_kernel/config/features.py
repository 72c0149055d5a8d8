"""Switches by name, for what is tried out or may be turned off; the names are upstream's where it has the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from codex_protocol.errors import ConfigError


class Feature(msgspec.Struct, frozen=True):
    """One switch that means something here."""

    name: str
    stage: Literal["stable", "deprecated"]
    default: bool
    does: str


FEATURES = (
    Feature("hooks", "stable", True, "programs run around turns and tool calls"),
    Feature("unified_exec", "stable", True, "commands may outlive the call that started them"),
    Feature("view_image", "stable", True, "the model may look at a local image"),
    Feature("web_search_cached", "deprecated", False, 'use web_search = "cached"'),
    Feature("web_search_request", "deprecated", False, 'use web_search = "live"'),
)
"""Sorted by name. Names that are not here are kept in `[features]` for upstream's programs."""


def check_features(names: Iterable[str]) -> None:
    """Refuse a name that means nothing here.

    Raises:
        ConfigError: It names the features there are.
    """
    known = [feature.name for feature in FEATURES]
    for name in names:
        if name not in known:
            raise ConfigError(
                f"There is no feature {name!r} here; there are {', '.join(known)}.", key=f"features.{name}"
            )


def effective(features: Mapping[str, bool]) -> dict[str, bool]:
    """Every feature's state: what is set, else its default."""
    return {feature.name: features.get(feature.name, feature.default) for feature in FEATURES}
