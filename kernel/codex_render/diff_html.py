"""Diffs as safe HTML: a foldable part for each file, line numbers that are not copied, changed words marked.

The classes (`styles` has the rules): `diff` holds everything; `diff-file` a file, its head `diff-head` with
`diff-path`, `diff-status` and `diff-count` (`plus`, `minus`, `none`); `diff-gap` stands for unchanged lines between
hunks, `diff-fold` holds long unchanged stretches; a line is `dl` (`added`, `removed`, `context`, `note`) with its
numbers `dn`, sign `ds` and text `dt`, in it `dm` for changed words. Lines stand in groups: `dg`, with the sides `old`
and `new` in it. With `switchable` the same markup is drawn side by side below an element of class `split`. In
`part_html` a hunk is a `diff-hunk`.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence

from codex_render.amounts import count
from codex_render.diff_files import FileDiff, Hunk, groups
from codex_render.diff_rows import DiffRow
from codex_render.html_policy import escape
from codex_render.safe_text import one_line, visible
from codex_render.word_marks import Spans, marks, pair

OPEN_ROWS = 600
"""A file with more rows starts folded."""
MAX_ROWS = 20_000
"""More rows of a file are counted, not drawn."""
LONG_ROWS = 200
"""Added or removed lines in a row that make a block `dg long`."""
_MAX_LINE = 2_000
_KEPT = 3  # unchanged lines left at either end of a fold
_SIGNS = {"added": "+", "removed": "-", "context": " ", "note": ""}


def to_html(files: Iterable[FileDiff], *, switchable: bool = False) -> str:
    """The files as HTML.

    Args:
        files: From `diff_files.parse_diff` or `diff_files.of_changes`.
        switchable: Unchanged lines are written for both sides, so that a class alone changes the view.
    """
    return f'<div class="diff">{"".join(file_html(file, switchable=switchable) for file in files)}</div>'


def file_html(file: FileDiff, *, switchable: bool = False) -> str:
    """One file."""
    body = "".join(_body(file, switchable=switchable))
    return _file(file, body, "", is_open=row_count(file) <= OPEN_ROWS)


def part_html(file: FileDiff, number: int, *, is_open: bool) -> str:
    """One file whose parts can be told apart, without its lines: `body_html` has them; `data-file` is its number."""
    return _file(file, "", f' data-file="{number}"', is_open=is_open)


def body_html(file: FileDiff, *, parted: bool = True) -> str:
    """What stands below the head in `part_html`, for both views: one hunk after the other, `data-hunk` from 0.

    With `parted` False its hunks cannot be told apart.
    """
    return "".join(_body(file, switchable=True, parted=parted))


def context_html(rows: Sequence[DiffRow]) -> str:
    """Unchanged lines beside a hunk of `body_html`, for both views."""
    return _context(rows, switchable=True)


def row_count(file: FileDiff) -> int:
    """How many lines are drawn of it, folded ones included."""
    return min(MAX_ROWS, sum(len(hunk.rows) for hunk in file.hunks))


def _file(file: FileDiff, body: str, more: str, *, is_open: bool) -> str:
    return (
        f'<details class="diff-file" data-path="{escape(one_line(file.path))}"{more}{" open" if is_open else ""}>'
        f'{_head(file)}<div class="diff-body">{body}</div></details>'
    )


def _head(file: FileDiff) -> str:
    name = escape(one_line(file.path))
    if file.old_path is not None:
        name = f"{escape(one_line(file.old_path))} \u2192 {name}"
    status = "" if file.status == "modified" else f'<span class="diff-status">{file.status}</span>'
    amounts = f"{_amount('plus', file.added)} {_amount('minus', file.removed)}"
    return (
        f'<summary class="diff-head"><span class="diff-path">{name}</span>{status}'
        f'<span class="diff-count">{amounts}</span></summary>'
    )


def _amount(name: str, lines: int) -> str:
    sign = {"plus": "+", "minus": "\u2212"}[name]
    return f'<span class="{name if lines else "none"}">{sign}{count(lines)}</span>'


def _body(file: FileDiff, *, switchable: bool, parted: bool = False) -> Iterator[str]:
    if file.note:
        yield f'<div class="diff-gap">{escape(file.note)}</div>'
    left = MAX_ROWS
    for at, hunk in enumerate(file.hunks):
        if left <= 0:
            break
        if at or hunk.skipped:
            yield _gap(hunk)
        rows = hunk.rows[:left]
        left -= len(rows)
        if parted:
            yield f'<section class="diff-hunk" data-hunk="{at}">'
        for group in groups(rows):
            yield from _group(group, switchable=switchable, first=group[0] is rows[0], last=group[-1] is rows[-1])
        if parted:
            yield "</section>"
    omitted = sum(len(hunk.rows) for hunk in file.hunks) - MAX_ROWS
    if omitted > 0:
        yield f'<div class="diff-gap">{count(omitted)} more lines of this change</div>'


def _gap(hunk: Hunk) -> str:
    lines = f"{count(hunk.skipped)} unchanged line{'s' if hunk.skipped != 1 else ''}" if hunk.skipped else "\u22ef"
    heading = f' <span class="diff-heading">{escape(hunk.heading[:200])}</span>' if hunk.heading else ""
    return f'<div class="diff-gap">{lines}{heading}</div>'


def _group(rows: Sequence[DiffRow], *, switchable: bool, first: bool, last: bool) -> Iterator[str]:
    if rows[0].kind in ("added", "removed"):
        yield from _long(rows) if len(rows) > LONG_ROWS and len({row.kind for row in rows}) == 1 else (_change(rows),)
        return
    head = 0 if first else _KEPT
    tail = 0 if last else _KEPT
    folded = len(rows) - head - tail
    if folded <= _KEPT:
        yield _context(rows, switchable=switchable)
        return
    if head:
        yield _context(rows[:head], switchable=switchable)
    inner = _context(rows[head : len(rows) - tail], switchable=switchable)
    yield f'<details class="diff-fold"><summary>{count(folded)} unchanged lines</summary>{inner}</details>'
    if tail:
        yield _context(rows[len(rows) - tail :], switchable=switchable)


def _long(rows: Sequence[DiffRow]) -> Iterator[str]:
    """Lines of one side alone, in blocks of the same height, so that a browser draws only those in sight."""
    for start in range(0, len(rows), LONG_ROWS):
        block = rows[start : start + LONG_ROWS]
        drawn = _change(block)
        yield drawn.replace('class="dg"', 'class="dg long"', 1) if len(block) == LONG_ROWS else drawn


def _context(rows: Sequence[DiffRow], *, switchable: bool) -> str:
    lines = "".join(_line(row, ()) for row in rows)
    if not switchable:
        return f'<div class="dg ctx">{lines}</div>'
    return f'<div class="dg ctx"><div class="old">{lines}</div><div class="new" aria-hidden="true">{lines}</div></div>'


def _change(rows: Sequence[DiffRow]) -> str:
    """Removed lines, then added ones, with the words marked that tell them apart."""
    old = [row for row in rows if row.kind == "removed"]
    new = [row for row in rows if row.kind == "added"]
    spans: dict[int, Spans] = {}
    if old and new:
        for before, after in pair([row.text for row in old], [row.text for row in new]):
            spans[id(old[before])], spans[id(new[after])] = marks(old[before].text, new[after].text)
    sides: dict[str, list[str]] = {"removed": [], "added": []}
    side = "removed"
    for row in rows:
        side = side if row.kind == "note" else row.kind
        sides[side].append(_line(row, spans.get(id(row), ())))
    return f'<div class="dg">{_side("old", sides["removed"])}{_side("new", sides["added"])}</div>'


def _side(name: str, lines: list[str]) -> str:
    return f'<div class="{name}">{"".join(lines)}</div>' if lines else ""


def _line(row: DiffRow, spans: Spans) -> str:
    old = "" if row.old is None else row.old
    new = "" if row.new is None else row.new
    return (
        f'<div class="dl {row.kind}"><span class="dn">{old}</span><span class="dn">{new}</span>'
        f'<span class="ds">{_SIGNS[row.kind]}</span><span class="dt">{_text(row.text, spans)}</span></div>'
    )


def _text(text: str, spans: Spans) -> str:
    if len(text) > _MAX_LINE:
        shown = html.escape(visible(text[:_MAX_LINE]), quote=False)
        return f'{shown}<span class="diff-cut">\u2026 {count(len(text) - _MAX_LINE)} more characters</span>'
    if not spans:
        return html.escape(visible(text), quote=False)
    pieces: list[str] = []
    at = 0
    for start, end in spans:
        pieces.append(html.escape(visible(text[at:start]), quote=False))
        pieces.append(f'<span class="dm">{html.escape(visible(text[start:end]), quote=False)}</span>')
        at = end
    pieces.append(html.escape(visible(text[at:]), quote=False))
    return "".join(pieces)
