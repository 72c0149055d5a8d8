"""Patches from a file's text before and after, for tests: every chunk fits at the wanted place only."""

from codex_kernel.patch.diff import difference
from codex_kernel.patch.match import seek_sequence
from codex_kernel.patch.parse import Chunk, Patch, UpdateFile
from codex_kernel.patch.text import FileText


def patch_between(path: str, before: bytes, after: bytes) -> Patch:
    """A patch that turns `before` into `after`; no hunk when they are equal."""
    chunks = _chunks(FileText.decode(before), FileText.decode(after))
    return Patch((UpdateFile(path, chunks),) if chunks else ())


def _chunks(old: FileText, new: FileText) -> tuple[Chunk, ...]:
    chunks: list[Chunk] = []
    cursor = 0
    for change in difference(old.side(), new.side()):
        removed = old.keys[change.old_start : change.old_end]
        added = new.keys[change.new_start : change.new_end]
        start = change.old_start
        while start > cursor and not _fits(old.keys, [*old.keys[start : change.old_start], *removed], cursor, start):
            start -= 1
        context = old.keys[start : change.old_start]
        body = [*(" " + line for line in context), *("-" + line for line in removed), *("+" + line for line in added)]
        at_end = change.old_end == len(old.keys)
        final_newline = not (added and change.new_end == len(new.keys) and not new.final_newline)
        if not context and not removed and not at_end:
            # An addition at the very top: the line below is what tells the place.
            body.append(" " + old.keys[change.old_end])
        chunks.append(Chunk(tuple(body), at_end=at_end, final_newline=final_newline))
        cursor = change.old_end if body[-1][0] != " " else change.old_end + 1
    return tuple(chunks)


def _fits(lines: list[str], wanted: list[str], cursor: int, start: int) -> bool:
    return bool(wanted) and seek_sequence(lines, wanted, cursor) == start
