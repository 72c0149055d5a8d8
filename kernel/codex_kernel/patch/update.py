"""What a file's text becomes under the chunks of an update; nothing is read or written here.

Source: spec/apply-patch.md section 4. Other than there: context lines keep the file's own spelling, added lines take
the line ends of their neighbours, an addition without old lines stands where its `@@` says, and what ends without a
newline stays so until its last line is changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec

from codex_kernel.patch.diff import Range, changed_ranges, difference, joined
from codex_kernel.patch.parse import Chunk
from codex_kernel.patch.place import Placed, place_chunks
from codex_kernel.patch.text import FileText
from codex_kernel.patch.unreadable import shows_unreadable
from codex_protocol.errors import PatchError


class Updated(msgspec.Struct, frozen=True):
    """A text after an update."""

    text: FileText
    ranges: list[Range]
    """Which lines changed."""


def update_text(text: FileText, chunks: Sequence[Chunk]) -> Updated:
    """The text with every chunk applied.

    Raises:
        PatchError: A chunk fits nowhere; the message says what stands there instead, without the file's name.
    """
    plain = text.plain
    return (plain and update_plainly(plain, chunks)) or _update(text, chunks)


def _update(text: FileText, chunks: Sequence[Chunk]) -> Updated:
    try:
        return _rewrite(text, place_chunks(text, chunks))
    except PatchError:
        # Some quote a byte order mark as a character of the first line.
        if not text.bom or not any(line[1:2] == "\ufeff" for chunk in chunks for line in chunk.body):
            raise
        with contextlib.suppress(PatchError):
            marked = text.with_mark_as_text()
            return _rewrite(marked, place_chunks(marked, chunks))
        raise


def update_plainly(text: str, chunks: Sequence[Chunk]) -> Updated | None:
    """What `update_text` makes of a plain text whose chunks stand in it to the letter, one after the other.

    Returns:
        None where it takes more than that to tell.
    """
    whole = f"\n{text}"
    parts: list[str] = []
    ranges: list[Range] = []
    at = line = new_line = 0
    """Where the newline before a line is in `whole`, the line's number, and its number afterwards."""
    for chunk in chunks:
        old, new, changed = _sides(chunk.body)
        if not old or chunk.anchors or chunk.at_end or not chunk.final_newline or shows_unreadable(chunk.body):
            return None
        wanted = "\n".join(("", *old, ""))
        hit = whole.find(wanted, at)
        if hit < 0:
            return None
        skipped = whole.count("\n", at, hit)
        line, new_line = line + skipped, new_line + skipped
        ranges += [part.moved(line, new_line) for part in changed]
        parts += (whole[at + 1 : hit + 1], *(f"{added}\n" for added in new))
        at, line, new_line = hit + len(wanted) - 1, line + len(old), new_line + len(new)
    parts.append(whole[at + 1 :])
    rewritten = "".join(parts)
    return Updated(FileText.of_plain(rewritten), joined(ranges)) if rewritten and "\r" not in rewritten else None


def _sides(body: Sequence[str]) -> tuple[list[str], list[str], list[Range]]:
    """A chunk's lines before and after, and which of them change."""
    old: list[str] = []
    new: list[str] = []
    ranges: list[Range] = []
    run_old = run_new = 0
    """Where the lines that are being replaced start, on both sides."""
    for entry in (*body, " "):
        if entry[0] == "-":
            old.append(entry[1:])
        elif entry[0] == "+":
            new.append(entry[1:])
        else:
            if run_old < len(old) or run_new < len(new):
                parts = changed_ranges(old[run_old:], new[run_new:])
                ranges += [part.moved(run_old, run_new) for part in parts]
            old.append(entry[1:])
            new.append(entry[1:])
            run_old, run_new = len(old), len(new)
    del old[-1], new[-1]  # the line that ended the body
    return old, new, ranges


def _rewrite(text: FileText, placed: Sequence[Placed]) -> Updated:
    assembly = _Assembly(text)
    for place in placed:
        assembly.keep(place.start)
        for line in place.body:
            if line[0] == " ":
                assembly.keep(assembly.at + 1)
            elif line[0] == "-":
                assembly.at += 1
            else:
                assembly.add(line[1:], final_newline=place.final_newline)
    assembly.keep(len(text.raw))
    return assembly.updated()


class _Assembly:
    """The new lines as they come together; `at` is the first line of the file not yet kept or removed."""

    def __init__(self, text: FileText) -> None:
        self.at = 0
        self._text = text
        self._new: list[str] = []
        self._ranges: list[Range] = []
        self._run_old = self._run_new = 0
        """Where the lines that are being replaced start, on both sides."""
        self._last_added: bool | None = None
        """Whether the last line, added by a chunk, ends in a newline; None: the last line is the file's."""
        self._file_end: int | None = None
        """Where the file's last line ends in the new lines, when it is kept."""

    def keep(self, end: int) -> None:
        """Lines up to `end` stay as they are."""
        self._close_run()
        if end > self.at:
            self._new += self._text.raw[self.at : end]
            self._last_added = None
            self.at = end
            if end == len(self._text.raw):
                self._file_end = len(self._new)
        self._run_old, self._run_new = self.at, len(self._new)

    def add(self, line: str, *, final_newline: bool) -> None:
        """A new line, which takes the line end of the line it replaces or stands before."""
        neighbour = self.at - 1 if self.at > self._run_old else self.at
        self._new.append(line + self._text.carriage_at(neighbour))
        self._last_added = final_newline

    def _close_run(self) -> None:
        run_old, run_new = self._run_old, self._run_new
        if self.at == run_old and len(self._new) == run_new:
            return
        parts = changed_ranges(self._text.raw[run_old : self.at], self._new[run_new:])
        self._ranges += [part.moved(run_old, run_new) for part in parts]

    def updated(self) -> Updated:
        """The result; everything must be kept, removed or added by now."""
        text, new = self._text, self._new
        final_newline = self._last_added
        if final_newline is None:
            final_newline = text.final_newline or self._file_end != len(new)
        elif not final_newline:
            new[-1] = new[-1].removesuffix("\r")
        if not text.final_newline and self._file_end is not None and self._file_end < len(new):
            new[self._file_end - 1] += text.carriage_at(len(text.raw))
        if text.bom and new:
            new[0] = new[0].removeprefix("\ufeff")  # the file has it already
        changed = FileText(new, final_newline=final_newline, bom=text.bom, carriage=text.keys is not text.raw)
        if text.final_newline and final_newline and not text.bom:
            return Updated(changed, joined(self._ranges))
        # A line that only lost or got its newline, or its byte order mark, is in no range.
        return Updated(changed, difference(text.side(), changed.side()))
