"""Ignore files: which paths the patterns of `.gitignore` and `.ignore` leave out. Source: gitignore(5).

Where git lists the files it applies its own rules; these are for what git does not know (`.ignore`) and for
directories without git.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from codex_kernel.regular_files import read_regular

_MAX_BYTES = 1 << 20
_MAX_PATTERN = 1_000


class Rule(NamedTuple):
    """One pattern."""

    pattern: re.Pattern[str]
    """Matches a whole path relative to the root."""
    keeps: bool
    """Written with `!`: what matches is not left out."""
    directories_only: bool


class Rules:
    """The rules that hold in one directory: its own after those of the directories above, the last match counts."""

    __slots__ = ("_rules",)

    def __init__(self, rules: tuple[Rule, ...] = ()) -> None:
        self._rules = rules

    def __bool__(self) -> bool:
        return bool(self._rules)

    def with_file(self, text: str, base: str) -> Rules:
        """These and those of an ignore file in the directory `base`, relative to the root and empty for it."""
        return Rules((*self._rules, *parse(text, base)))

    def leaves_out(self, path: str, *, is_directory: bool) -> bool:
        """Whether a path itself is left out; that of a directory above it is the caller's business."""
        for rule in reversed(self._rules):
            if (is_directory or not rule.directories_only) and rule.pattern.match(path) is not None:
                return not rule.keeps
        return False


def read(path: Path) -> str:
    """The text of an ignore file; empty where it cannot be read."""
    try:
        return read_regular(path, _MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def parse(text: str, base: str = "") -> Iterable[Rule]:
    """The rules of an ignore file in the directory `base`; a line that is no pattern is passed over."""
    for line in text.removeprefix("\ufeff").split("\n"):
        if (rule := _rule(line.removesuffix("\r"), base)) is not None:
            yield rule


def _rule(line: str, base: str) -> Rule | None:
    if not line or line.startswith("#") or len(line) > _MAX_PATTERN:
        return None
    line = re.sub(r"(?<!\\) +\Z", "", line)  # an escaped blank at the end stays
    keeps = line.startswith("!")
    line = line.removeprefix("!")
    directories_only = line.endswith("/")
    line = line.rstrip("/") if directories_only else line
    if not line:
        return None
    anchored = "/" in line
    translated = _translate(line.removeprefix("/"))
    if translated is None:
        return None
    anywhere = "" if anchored else "(?:.*/)?"
    prefix = re.escape(base) + "/" if base else ""
    return Rule(re.compile(f"{prefix}{anywhere}{translated}\\Z", re.DOTALL), keeps, directories_only)


def _translate(glob: str) -> str | None:
    """The pattern as a regular expression without its anchors; None where a bracket is not closed."""
    parts = glob.split("/")
    pieces: list[str] = []
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            pieces.append(".+" if last else "(?:[^/]+/)*")
            continue
        translated = _translate_part(part)
        if translated is None:
            return None
        pieces.append(translated if last else translated + "/")
    return "".join(pieces)


def _translate_part(part: str) -> str | None:
    part = re.sub(r"\*{2,}", "*", part)
    pieces: list[str] = []
    at = 0
    while at < len(part):
        character = part[at]
        at += 1
        if character == "*":
            pieces.append("[^/]*")
        elif character == "?":
            pieces.append("[^/]")
        elif character == "\\" and at < len(part):
            pieces.append(re.escape(part[at]))
            at += 1
        elif character == "[":
            end = _end_of_set(part, at)
            if end < 0:
                return None
            pieces.append(_set(part[at:end]))
            at = end + 1
        else:
            pieces.append(re.escape(character))
    return "".join(pieces)


def _end_of_set(part: str, at: int) -> int:
    if part[at : at + 1] in ("!", "^"):
        at += 1
    return part.find("]", at + 1)  # a bracket right at the start is one of the set


def _set(inside: str) -> str:
    negated = inside[:1] in ("!", "^")
    inside = inside[1:] if negated else inside
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", inside.replace("\\", ""))
    return f"(?!/)[{'^' if negated else ''}{escaped}]" if escaped else "(?!)"
