"""Plain text beside each rich form: what a console, a log or a reader of `text/plain` gets, safe to show."""

from __future__ import annotations

from collections.abc import Iterable

from codex_render import file_links
from codex_render.amounts import count
from codex_render.ansi_html import AnsiStream
from codex_render.diff_files import FileDiff
from codex_render.safe_text import one_line, visible
from codex_render.terminal import Paint, diff_lines

_PLAIN = Paint(on=False)


def markdown_text(text: str) -> str:
    """Markdown as it was written: it is made to be read so; citations become `path:line`."""
    pieces: list[str] = []
    at = 0
    for found in file_links.find(text):
        if found.file is not None and text.startswith("\u3010", found.start):
            pieces.append(f"{text[at : found.start]}{found.label}")
            at = found.end
    return visible("".join([*pieces, text[at:]]))


def diff_text(files: Iterable[FileDiff], *, max_rows: int = 400) -> str:
    """The files with counts, and their rows with line numbers; of each at most `max_rows`, the rest is counted."""
    lines: list[str] = []
    for file in files:
        name = one_line(file.path) if file.old_path is None else f"{one_line(file.old_path)} → {one_line(file.path)}"
        status = "" if file.status == "modified" else f" {file.status}"
        lines.append(f"{name}{status} (+{count(file.added)} -{count(file.removed)})")
        if file.note:
            lines.append(f"    {one_line(file.note)}")
        left = max_rows
        for number, hunk in enumerate(file.hunks):
            if left <= 0:
                break
            if number or hunk.skipped:
                lines.append(f"     ⋮ {one_line(hunk.heading)}".rstrip())
            lines.extend(diff_lines(hunk.rows[:left], _PLAIN, limit=left))
            left -= len(hunk.rows)
        if (omitted := sum(len(hunk.rows) for hunk in file.hunks) - max_rows) > 0:
            lines.append(f"     ⋮ {count(omitted)} more lines of this change")
    return "\n".join(lines)


def output_text(text: str) -> str:
    """What a command's output looks like in the end: overwritten text is gone, as are colours."""
    stream = AnsiStream(coloured=False)
    stream.feed(text)
    update = stream.end()
    return update.lines + update.tail
