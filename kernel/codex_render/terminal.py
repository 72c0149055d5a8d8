"""Colours and widths of a terminal, and what is painted with them: plans and diffs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Literal, TextIO

from codex_protocol.events import PlanStep
from codex_render.diff_rows import DiffRow
from codex_render.safe_text import one_line, visible

ColourChoice = Literal["auto", "always", "never"]


class Paint:
    """Puts text into colours, or leaves it as it is.

    The text must be safe already (`safe_text`): nothing is escaped here.
    """

    __slots__ = ("on",)

    def __init__(self, on: bool) -> None:
        self.on = on

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and text else text

    def bold(self, text: str) -> str:
        """For what a person looks for first."""
        return self._wrap("1", text)

    def dim(self, text: str) -> str:
        """For what may be skipped."""
        return self._wrap("2", text)

    def thought(self, text: str) -> str:
        """For reasoning: dim and italic."""
        return self._wrap("2;3", text)

    def good(self, text: str) -> str:
        """For what went well and for added lines."""
        return self._wrap("32", text)

    def bad(self, text: str) -> str:
        """For what failed and for removed lines."""
        return self._wrap("31", text)

    def warn(self, text: str) -> str:
        """For what needs attention."""
        return self._wrap("33", text)

    def accent(self, text: str) -> str:
        """For headings."""
        return self._wrap("36", text)


def colour_wanted(choice: ColourChoice, *, is_terminal: bool, env: Mapping[str, str]) -> bool:
    """Whether to colour a stream: the user's word first, then NO_COLOR and FORCE_COLOR, then whether it is a terminal.

    Source: no-color.org, force-color.org (set and not empty; `FORCE_COLOR=0` means no).
    """
    if choice != "auto":
        return choice == "always"
    if env.get("NO_COLOR"):
        return False
    forced = env.get("FORCE_COLOR")
    if forced:
        return forced not in ("0", "false")
    return is_terminal and env.get("TERM") != "dumb"


def width_of(descriptor: int) -> int:
    """Columns of the terminal behind `descriptor`; 80 when there is none."""
    try:
        return os.get_terminal_size(descriptor).columns or 80
    except OSError:
        return 80


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person looks at the stream directly."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def same_place(first: int, second: int) -> bool:
    """Whether both descriptors lead to the same terminal, pipe or file, so that text on both would be read twice."""
    try:
        a, b = os.fstat(first), os.fstat(second)
    except OSError:
        return False
    return (a.st_dev, a.st_ino, a.st_rdev) == (b.st_dev, b.st_ino, b.st_rdev)


def plan_lines(plan: Iterable[PlanStep], paint: Paint) -> list[str]:
    """The plan as a checklist, one line a step."""
    lines: list[str] = []
    for step in plan:
        text = one_line(step.step)
        match step.status:
            case "completed":
                lines.append(f"  {paint.good('✔')} {paint.dim(text)}")
            case "in_progress":
                lines.append(f"  {paint.accent('▶')} {paint.bold(text)}")
            case _:
                lines.append(f"  □ {text}")
    return lines


def diff_lines(rows: Iterable[DiffRow], paint: Paint, *, limit: int) -> list[str]:
    """The rows with their line numbers and signs, at most `limit` of them; what is left out is counted."""
    lines: list[str] = []
    omitted = 0
    for row in rows:
        if len(lines) >= limit:
            omitted += 1
            continue
        number = row.new if row.new is not None else row.old
        gutter = paint.dim(f"{number if number is not None else '':>6}")
        text = visible(row.text)
        match row.kind:
            case "added":
                lines.append(f"{gutter} {paint.good('+' + text)}")
            case "removed":
                lines.append(f"{gutter} {paint.bad('-' + text)}")
            case "context":
                lines.append(f"{gutter}  {text}")
            case "gap":
                lines.append(paint.dim(f"     ⋮ {text}".rstrip()))
            case "note":
                lines.append(paint.dim(f"       ({text})"))
    if omitted:
        lines.append(paint.dim(f"     ⋮ {omitted} more lines of this change"))
    return lines
