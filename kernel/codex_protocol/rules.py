"""Rules for commands as front ends see them: offered in an approval, sent with its answer, listed.

Source: spec/execpolicy-and-hooks.md section 1.
"""

from __future__ import annotations

from typing import Literal

import msgspec

RuleDecision = Literal["allow", "prompt", "forbidden"]


class RuleAmendment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule a person wants from now on, in every thread; part of an op."""

    prefix: tuple[str, ...]
    """The words commands begin with."""
    decision: RuleDecision = "allow"
    """`allow`: they run without a question and outside the sandbox."""
    justification: str | None = None
    """Why; shown where the rule speaks."""


class RuleSuggestion(msgspec.Struct, frozen=True, kw_only=True):
    """Rules that would let a command run from now on: one breadth of "always allow"."""

    prefixes: tuple[tuple[str, ...], ...]
    """One rule each; a script of several commands may need several."""
    would_allow: tuple[str, ...] = ()
    """Commands of this thread so far that these rules would have let run, as shell lines."""


class ListedRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as it stands in a file."""

    pattern: tuple[tuple[str, ...], ...]
    """For each word what it may be."""
    decision: RuleDecision
    justification: str | None = None
    file: str = ""
    line: int = 0
    hits: int = 0
    """How many questions it spoke to on this machine."""
    last_hit: str | None = None
    """When, UTC."""
