"""What rules and hooks say about a command: the seam the decision function asks through.

Source: spec/execpolicy-and-hooks.md sections 1.3 and 2.4.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from codex_protocol.errors import ConfigError


class RuleVerdict(msgspec.Struct, frozen=True):
    """The strictest of all rules that match a command."""

    decision: Literal["allow", "prompt", "forbidden"]
    prefix: tuple[str, ...]
    """The tokens the rule matched."""
    justification: str | None = None


class Rules(Protocol):
    """The user's rules; a trusted project's among them."""

    @property
    def restricts(self) -> bool:
        """Whether any of them asks or forbids."""
        ...

    def check(self, command: Sequence[str]) -> RuleVerdict | None:
        """What the rules say about one command's tokens; None when none matches. Must not block or raise."""
        ...


class NoRules:
    """Rules of somebody who has none."""

    restricts = False

    def check(self, command: Sequence[str]) -> RuleVerdict | None:
        """Nothing matches."""
        return None


class HookVerdict(msgspec.Struct, frozen=True):
    """What the hooks that ran before the command said."""

    denied: str | None = None
    """Why it must not run, for the model; None when no hook objects."""


def rule_paths(folder: Path) -> list[Path]:
    """The rules files of one settings folder; usually there are none.

    Raises:
        ConfigError: There is a folder, and it cannot be read: what it forbids must not be lost.
    """
    rules = folder / "rules"
    try:
        names = os.listdir(rules)
    except FileNotFoundError:
        return []
    except NotADirectoryError as error:
        if not os.path.lexists(rules):  # the settings folder itself is none
            return []
        raise ConfigError(
            f"{rules}: rules are read from a folder of that name, not from a file", file=str(rules)
        ) from error
    except OSError as error:
        raise ConfigError(f"{rules}: the folder cannot be read: {error.strerror or error}", file=str(rules)) from error
    return [rules / name for name in sorted(names) if name.endswith(".rules") and not name.startswith(".")]
