"""Files of a diff for the page, each by its number, with the parts that can be chosen in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codex_render import diff_html
from codex_render.amounts import count
from codex_render.diff_files import FileDiff
from codex_render.safe_text import one_line

DRAWN_ROWS = 6_000
"""Files are drawn at once until they have so many lines together; those after them when they are opened."""


def part_views(files: Sequence[FileDiff]) -> list[dict[str, Any]]:
    """Each file with how many hunks it has.

    `html` is the file without its lines, `body` its lines, missing where `later` says so; both are from `codex_render`.
    """
    left = DRAWN_ROWS
    views: list[dict[str, Any]] = []
    for number, file in enumerate(files):
        rows = diff_html.row_count(file)
        views.append(
            {
                "name": one_line(file.path),
                "hunks": len(file.hunks),
                "html": diff_html.part_html(file, number, is_open=rows <= left),
                "body": diff_html.body_html(file) if rows <= left else None,
                "later": None if rows <= left else f"{count(rows)} line{'s' if rows != 1 else ''}",
            }
        )
        left -= rows if rows <= left else 0
    return views
