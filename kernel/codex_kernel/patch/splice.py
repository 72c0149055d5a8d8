"""A file's bytes made of two versions of it, hunk by hunk: each as it was, as it became, or with a text of its own.

Works on lines of bytes, their ends included, so that what is taken from a version is that version's to the byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from codex_kernel.patch.diff import Range, changed_ranges, groups
from codex_kernel.patch.text import readable


class HunkSpan(NamedTuple):
    """One hunk of a diff: the lines that change, and those shown with them."""

    changed: Range
    shown: Range
    """With the context around it."""


def hunk_spans(ranges: Sequence[Range], old_count: int, *, context: int) -> list[HunkSpan]:
    """The hunks that `unified` writes for these ranges, in their order.

    Args:
        ranges: Where the versions differ.
        old_count: Lines of the older one.
        context: As given to `unified`.
    """
    spans: list[HunkSpan] = []
    for group in groups(ranges, context):
        first, last = group[0], group[-1]
        before = min(context, first.old_start)
        after = min(context, old_count - last.old_end)
        spans.append(
            HunkSpan(
                Range(first.old_start, last.old_end, first.new_start, last.new_end),
                Range(first.old_start - before, last.old_end + after, first.new_start - before, last.new_end + after),
            )
        )
    return spans


def splice(
    old: bytes, new: bytes, spans: Sequence[HunkSpan], refused: frozenset[int], texts: Mapping[int, str]
) -> bytes:
    """The bytes with each hunk as it was chosen.

    Args:
        old: The version before.
        new: The version after.
        spans: Its hunks.
        refused: Numbers of hunks that stay as in `old`.
        texts: By number, what stands in the place of a hunk's shown lines instead.
    """
    old_lines, new_lines = byte_lines(old), byte_lines(new)
    out: list[bytes] = []
    at = 0
    for number, span in enumerate(spans):
        if number in refused:
            continue
        if number in texts:
            out += old_lines[at : span.shown.old_start]
            shown = new_lines[span.shown.new_start : span.shown.new_end]
            is_end = span.shown.new_end == len(new_lines)
            out += retyped(shown, texts[number], is_end=is_end)
            at = span.shown.old_end
        else:
            out += old_lines[at : span.changed.old_start]
            out += new_lines[span.changed.new_start : span.changed.new_end]
            at = span.changed.old_end
    return b"".join([*out, *old_lines[at:]])


def byte_lines(data: bytes) -> list[bytes]:
    r"""The lines with their ends, cut at `\n` alone; the last one may have none."""
    *whole, rest = data.split(b"\n")
    lines = [line + b"\n" for line in whole]
    return [*lines, rest] if rest else lines


def retyped(shown: Sequence[bytes], text: str, *, is_end: bool) -> list[bytes]:
    r"""A person's text in the place of lines: those left alone keep their bytes, new ones end as their neighbours do.

    Args:
        shown: What stood there, and was shown with U+FFFD for what is not UTF-8, without `\r`.
        text: With `\n` at line ends.
        is_end: The last line is the file's last, and ends in a newline only if `text` does.
    """
    typed = text.split("\n")
    ended = typed[-1] == ""
    if ended:
        typed.pop()
    was = [readable(_bare(line).decode("utf-8", "surrogateescape")) for line in shown]
    lines: list[bytes] = []
    at = new_at = 0
    for change in [*changed_ranges(was, typed), Range(len(was), len(was), len(typed), len(typed))]:
        lines += shown[at : change.old_start]
        end = _end_near(shown, change.old_start)
        lines += [line.removesuffix("\r").encode() + end for line in typed[change.new_start : change.new_end]]
        at, new_at = change.old_end, change.new_end
    assert new_at == len(typed)  # noqa: S101 - all of the text has found its place
    whole = [line if line.endswith(b"\n") else line + b"\n" for line in lines]
    if lines and is_end and not ended:
        whole[-1] = _bare(lines[-1]) if lines[-1].endswith(b"\n") else lines[-1]
    return whole


def _bare(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")


def _end_of(line: bytes) -> bytes:
    return b"\r\n" if line.endswith(b"\r\n") else b"\n"


def _end_near(lines: Sequence[bytes], at: int) -> bytes:
    near = lines[max(0, min(at, len(lines) - 1)) : len(lines)] or [b"\n"]
    if not near[0].endswith(b"\n"):  # the file's last line: it says nothing about line ends, the one before does
        near = lines[max(0, len(lines) - 2) :]
    return _end_of(near[0])
