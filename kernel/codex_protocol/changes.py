"""What a turn or a thread changed in its directory, as front ends see it, and what they ask to take back."""

from __future__ import annotations

from typing import Literal

import msgspec

ChangeStatus = Literal["added", "deleted", "modified", "renamed"]
ChangeState = Literal["same", "edited", "reverted"]


class ChangedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file that is another than it was."""

    path: str
    """Below the root; its name afterwards, or before when it is gone."""
    old_path: str | None = None
    """Its name before, where that was another."""
    status: ChangeStatus
    diff: str
    """Unified diff without file headers, three lines of context."""
    note: str = ""
    """Why there is no diff, in words."""
    state: ChangeState = "same"
    """How the file on disk compares with what the agent left: the same; edited since; as it was before."""
    digest: str = ""
    """Of both texts: names this very change when it is taken back."""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What changed."""

    root: str
    """Absolute."""
    turn: int | None
    """Number of the turn, counted from 1 over those that ran anything; None: the whole thread."""
    turns: int
    """How many there are."""
    began: tuple[float, ...] = ()
    """For each of them, in seconds since 1970, when it first ran something."""
    files: tuple[ChangedFile, ...] = ()
    note: str = ""
    """What is missing here, in words."""


class RevertPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be as it was; part of an op."""

    path: str
    """As `ChangedFile.path`."""
    digest: str
    """`ChangedFile.digest` of what was seen."""
    hunks: tuple[int, ...] | None = None
    """Numbers of hunks in its diff, from 0; None: the file as a whole."""


class NotReverted(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was left alone."""

    path: str
    why: str
