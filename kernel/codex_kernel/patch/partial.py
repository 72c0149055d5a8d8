"""The part of a verified patch that a person took, and what the model is told of the rest.

Pure: the files as they were verified and the choices say every byte. A move and what it overwrites are taken or refused
together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from codex_kernel.patch.changes import CONTEXT, Shown, change_map, shown_files
from codex_kernel.patch.diff import Range
from codex_kernel.patch.parse import Patch, UpdateFile
from codex_kernel.patch.splice import HunkSpan, byte_lines, hunk_spans, splice
from codex_kernel.patch.text import readable
from codex_kernel.patch.verify import VerifiedPatch, summary_of

if TYPE_CHECKING:
    from codex_kernel.patch.verify import FileEdit
    from codex_protocol.review import HunkChoice

_MAX_LINES = 60
"""Of one hunk in what the model is told; the lines between its ends are counted."""


class Taken(msgspec.Struct, frozen=True):
    """What a person took of a patch."""

    verified: VerifiedPatch | None
    """What is to be written; None when nothing is."""
    remarks: str
    """For the model: what was not taken, taken with other text, or remarked on. Empty when there is nothing to say."""


def take_part(verified: VerifiedPatch, choices: Sequence[HunkChoice]) -> Taken:
    """The taken part of a patch.

    Args:
        verified: As it was asked about.
        choices: Checked by `check_choices`.
    """
    review = _Review(verified, choices)
    return Taken(review.rest(), review.remarks())


def remarks_on(verified: VerifiedPatch, choices: Sequence[HunkChoice]) -> str:
    """What the model is told of the choices when the patch as a whole was refused: their notes."""
    names = [(_shown_name(verified, Path(choice.path)), choice) for choice in choices if choice.note]
    notes = [f"- {_place(name, choice)}: {choice.note}" for name, choice in names]
    return "\n".join(["The user's remarks:", *notes]) if notes else ""


class _Review:
    def __init__(self, verified: VerifiedPatch, choices: Sequence[HunkChoice]) -> None:
        self._verified = verified
        self._of_file = {choice.path: choice for choice in choices if choice.hunk is None}
        self._of_hunk = {(choice.path, choice.hunk): choice for choice in choices if choice.hunk is not None}
        self._shown = {str(shown.named): shown for shown in shown_files(verified.files)}
        self._units = _units(verified.files)
        self._text_of = verified.texts.of
        self._spans: dict[str, list[HunkSpan]] = {}
        self._after: dict[Path, bytes] = {}
        """What files become that are not taken as they are, by real path."""
        self._refused: set[Path] = set()
        """Real paths of files that stay as they are."""
        for path, shown in self._shown.items():
            self._choose(path, shown)

    def _choose(self, path: str, shown: Shown) -> None:
        whole = self._of_file.get(path)
        numbers = range(len(self._hunks(path, shown)))
        refused = frozenset(at for at in numbers if (choice := self._of_hunk.get((path, at))) and not choice.take)
        moved = shown.target is not shown.source
        if (whole is not None and not whole.take) or (numbers and len(refused) == len(numbers) and not moved):
            self._refused |= self._units[shown.source.path]
            return
        texts = {
            at: choice.text
            for at in numbers
            if (choice := self._of_hunk.get((path, at))) and choice.take and choice.text is not None
        }
        if refused or texts:
            self._after[shown.target.path] = self._spliced(shown, path, refused, texts)

    def _spliced(self, shown: Shown, path: str, refused: frozenset[int], texts: dict[int, str]) -> bytes:
        after = shown.target.after or b""
        before = shown.source.before.data if shown.source.before is not None and shown.kind == "update" else b""
        return splice(before, after, self._hunks(path, shown), refused, texts)

    def _hunks(self, path: str, shown: Shown) -> list[HunkSpan]:
        """The hunks as they are numbered."""
        if path not in self._spans:
            self._spans[path] = self._found_hunks(shown)
        return self._spans[path]

    def _found_hunks(self, shown: Shown) -> list[HunkSpan]:
        before, after = shown.source.before, shown.target.after
        if shown.kind == "update" and before is not None:
            ranges = shown.difference(self._text_of)
            return hunk_spans(ranges, len(self._text_of(before.data).side().lines), context=CONTEXT)
        old = len(byte_lines(before.data)) if shown.kind == "delete" and before is not None else 0
        whole = Range(0, old, 0, len(byte_lines(after or b"")))
        return [HunkSpan(whole, whole)]

    def rest(self) -> VerifiedPatch | None:
        """What is left of the patch."""
        verified = self._verified
        files = tuple(
            msgspec.structs.replace(edit, after=self._after[edit.path], ranges=None)
            if edit.path in self._after
            else edit
            for edit in verified.files
            if edit.path not in self._refused
        )
        if not any(edit.has_effect() for edit in files):
            return None
        named = {edit.named for edit in files}
        patch = Patch(tuple(hunk for hunk in verified.patch.hunks if verified.cwd / hunk.path in named))
        return msgspec.structs.replace(
            verified, patch=patch, files=files, changes=change_map(files, self._text_of), summary=summary_of(patch)
        )

    # What the model is told

    def remarks(self) -> str:
        refused: list[str] = []
        edited: list[str] = []
        noted: list[str] = []
        for path, shown in self._shown.items():
            whole = self._of_file.get(path)
            if shown.source.path in self._refused:
                refused.append(self._refused_file(path, shown, whole))
                continue
            if whole is not None and whole.note:
                noted.append(f"- {self.name(whole)}: {whole.note}")
            for number, span in enumerate(self._hunks(path, shown)):
                choice = self._of_hunk.get((path, number))
                if choice is None:
                    continue
                head = f"- {_place(self.name(choice), choice)}{_noted(choice)}"
                if not choice.take:
                    refused.append(f"{head}\n{_block(self._diff_lines(shown, span))}")
                elif choice.text is not None:
                    edited.append(f"{head}\n{_block(choice.text.splitlines())}")
                elif choice.note:
                    noted.append(head)
        parts = [
            ("The user did not take these parts of the patch; the files are without them:", refused),
            ("The user took these parts with another text; it now reads, context included:", edited),
            ("The user's remarks on what was taken:", noted),
        ]
        return "\n\n".join("\n".join([title, *lines]) for title, lines in parts if lines)

    def _refused_file(self, path: str, shown: Shown, whole: HunkChoice | None) -> str:
        notes = [whole] if whole is not None and whole.note else []
        notes += [choice for (of, _), choice in sorted(self._of_hunk.items()) if of == path and choice.note]
        head = f"- {_shown_name(self._verified, shown.named)}: the whole change of this file"
        return "\n".join(
            [head, *(f"  {'why' if it.hunk is None else f'hunk {it.hunk + 1}'}: {it.note}" for it in notes)]
        )

    def name(self, choice: HunkChoice) -> str:
        """The file as the patch names it."""
        return _shown_name(self._verified, Path(choice.path))

    def _diff_lines(self, shown: Shown, span: HunkSpan) -> list[str]:
        old = byte_lines(shown.source.before.data) if shown.source.before is not None else []
        new = byte_lines(shown.target.after or b"")
        changed = span.changed
        return [
            *(f"-{_text(line)}" for line in old[changed.old_start : changed.old_end]),
            *(f"+{_text(line)}" for line in new[changed.new_start : changed.new_end]),
        ]


def _units(files: Iterable[FileEdit]) -> dict[Path, set[Path]]:
    """For each file those that can only be taken together with it: the ends of moves, and two files of one name."""
    units: dict[Path, set[Path]] = {}
    by_name: dict[Path, Path] = {}
    for edit in files:
        units.setdefault(edit.path, {edit.path})
        tied = [edit.moved_from] if edit.moved_from is not None else []
        tied.append(by_name.setdefault(edit.named, edit.path))
        for other in tied:
            joint = units.setdefault(other, {other}) | units[edit.path]
            for path in joint:
                units[path] = joint
    return units


def _shown_name(verified: VerifiedPatch, named: Path) -> str:
    for hunk in verified.patch.hunks:
        if verified.cwd / hunk.path == named:
            return hunk.path
        if isinstance(hunk, UpdateFile) and hunk.move_to is not None and verified.cwd / hunk.move_to == named:
            return hunk.move_to
    return str(named)


def _place(name: str, choice: HunkChoice) -> str:
    return name if choice.hunk is None else f"{name}, hunk {choice.hunk + 1}"


def _noted(choice: HunkChoice) -> str:
    return f": {choice.note}" if choice.note else ""


def _text(line: bytes) -> str:
    return readable(line.rstrip(b"\r\n").decode("utf-8", "surrogateescape"))


def _block(lines: Sequence[str]) -> str:
    if len(lines) > _MAX_LINES:
        half = _MAX_LINES // 2
        lines = [*lines[:half], f"… {len(lines) - 2 * half} lines …", *lines[-half:]]
    return "\n".join(["```", *lines, "```"])
