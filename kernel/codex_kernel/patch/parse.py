r"""Patch text to a `Patch` and back.

Source: spec/apply-patch.md sections 1 and 2. What is accepted beyond it cannot be read in any other way: several
`@@` lines in a row (nested scopes), a move without changes, blank lines between files, any heredoc delimiter, and the
`\ No newline at end of file` line of unified diffs.
"""

from __future__ import annotations

import re

import msgspec

from codex_protocol.errors import PatchError

BEGIN = "*** Begin Patch"
END = "*** End Patch"
ADD = "*** Add File: "
DELETE = "*** Delete File: "
UPDATE = "*** Update File: "
MOVE = "*** Move to: "
END_OF_FILE = "*** End of File"
NO_NEWLINE = "\\ No newline at end of file"

_HEREDOC = r"(?:(?:apply_patch|applypatch)[ \t]+)?<<-?[ \t]*(?P<quote>['\"]?)(?P<word>\w+)(?P=quote)"


class PatchSyntaxError(PatchError):
    """The text is not a patch.

    Attributes:
        reason: What is wrong, without the place.
        line: 1-based line of the patch; None when the envelope is wrong.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(f"invalid patch: {reason}" if line is None else f"invalid hunk at line {line}, {reason}")
        self.reason = reason
        self.line = line


class Chunk(msgspec.Struct, frozen=True):
    """One place of a file and what happens there."""

    body: tuple[str, ...]
    """Lines with their first character: space for context, `-` for removed, `+` for added."""
    anchors: tuple[str, ...] = ()
    """Lines that stand before the place, outermost first."""
    at_end: bool = False
    """The chunk ends at the end of the file."""
    final_newline: bool = True
    """False: the last added line is the file's last and has no newline."""

    def old(self) -> tuple[str, ...]:
        """The lines expected in the file."""
        return tuple(line[1:] for line in self.body if line[0] != "+")

    def new(self) -> tuple[str, ...]:
        """The lines that stand there afterwards."""
        return tuple(line[1:] for line in self.body if line[0] != "-")


class AddFile(msgspec.Struct, frozen=True):
    """A file with this content, whatever was there."""

    path: str
    lines: tuple[str, ...]
    final_newline: bool = True

    def content(self) -> str:
        """The file's text."""
        text = "".join(line + "\n" for line in self.lines)
        return text if self.final_newline else text[:-1]


class DeleteFile(msgspec.Struct, frozen=True):
    """A file that goes."""

    path: str


class UpdateFile(msgspec.Struct, frozen=True):
    """A file that changes, is moved, or both."""

    path: str
    chunks: tuple[Chunk, ...]
    move_to: str | None = None


Hunk = AddFile | DeleteFile | UpdateFile


class Patch(msgspec.Struct, frozen=True):
    """What a patch text says, in its order."""

    hunks: tuple[Hunk, ...]


def parse_patch(text: str) -> Patch:
    """The patch in `text`; zero hunks are fine here.

    Raises:
        PatchSyntaxError: It is no patch; nothing was guessed.
    """
    return _Parser(_unwrap(text)).patch()


def format_patch(patch: Patch) -> str:
    """The patch as text, without a last newline: `parse_patch` of it gives an equal patch."""
    lines = [BEGIN]
    for hunk in patch.hunks:
        match hunk:
            case AddFile():
                lines += [ADD + hunk.path, *("+" + line for line in hunk.lines)]
                if not hunk.final_newline:
                    lines.append(NO_NEWLINE)
            case DeleteFile():
                lines.append(DELETE + hunk.path)
            case UpdateFile():
                lines.append(UPDATE + hunk.path)
                if hunk.move_to is not None:
                    lines.append(MOVE + hunk.move_to)
                for chunk in hunk.chunks:
                    lines += _chunk_lines(chunk)
    lines.append(END)
    return "\n".join(lines)


def _chunk_lines(chunk: Chunk) -> list[str]:
    lines = ["@@ " + anchor for anchor in chunk.anchors] or ["@@"]
    lines += chunk.body
    if not chunk.final_newline:
        after = max(index for index, line in enumerate(lines) if index and line[0] == "+")
        lines.insert(after + 1, NO_NEWLINE)
    if chunk.at_end:
        lines.append(END_OF_FILE)
    return lines


def _unwrap(text: str) -> list[str]:
    """The lines from the begin to the end marker, a heredoc around them removed."""
    lines = [line.rstrip("\r") for line in text.strip().split("\n")]
    fault = _envelope_fault(lines)
    if fault is None:
        return lines
    heredoc = re.fullmatch(_HEREDOC, lines[0].strip())
    if heredoc and len(lines) >= 4 and lines[-1].strip() == heredoc["word"]:
        lines = lines[1:-1]
        fault = _envelope_fault(lines)
    if fault is not None:
        raise PatchSyntaxError(fault)
    return lines


def _envelope_fault(lines: list[str]) -> str | None:
    if lines[0].strip() != BEGIN and lines != [""]:
        return f"The first line of the patch must be '{BEGIN}'"
    if lines[-1].strip() != END:
        return f"The last line of the patch must be '{END}'"
    return None


class _Parser:
    """Reads hunks from the lines between the markers; `at` is an index into all lines, line number minus one."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 1
        self._end = len(lines) - 1

    def patch(self) -> Patch:
        hunks: list[Hunk] = []
        while self._skip_blank():
            hunks.append(self._hunk())
        return Patch(tuple(hunks))

    def _skip_blank(self) -> bool:
        """Pass over blank lines; False at the end marker."""
        while self._at < self._end and not self._lines[self._at].strip():
            self._at += 1
        return self._at < self._end

    def _hunk(self) -> Hunk:
        number = self._at + 1
        header = self._lines[self._at].strip()
        self._at += 1
        if header.startswith(ADD):
            return self._add(header[len(ADD) :].strip())
        if header.startswith(DELETE):
            return DeleteFile(header[len(DELETE) :].strip())
        if header.startswith(UPDATE):
            return self._update(header[len(UPDATE) :].strip(), number)
        raise PatchSyntaxError(
            f"'{header}' is not a valid hunk header. Valid hunk headers: "
            f"'{ADD}{{path}}', '{DELETE}{{path}}', '{UPDATE}{{path}}'",
            number,
        )

    def _add(self, path: str) -> AddFile:
        lines: list[str] = []
        final_newline = True
        while self._at < self._end:
            line = self._lines[self._at]
            if line.startswith("+"):
                lines.append(line[1:])
            elif line.startswith("\\") and lines and self._lines[self._at - 1].startswith("+"):
                final_newline = False
                self._at += 1
                break
            elif not line and (blank := self._blank_inside_add()):
                lines += [""] * blank
                self._at += blank
                continue
            else:
                break
            self._at += 1
        return AddFile(path, tuple(lines), final_newline)

    def _blank_inside_add(self) -> int:
        """How many empty lines stand here before the next `+` line; 0 when something else follows them."""
        at = self._at
        while at < self._end and not self._lines[at]:
            at += 1
        return at - self._at if at < self._end and self._lines[at].startswith("+") else 0

    def _update(self, path: str, number: int) -> UpdateFile:
        move_to = None
        if self._at < self._end and self._lines[self._at].strip().startswith(MOVE):
            move_to = self._lines[self._at].strip()[len(MOVE) :].strip()
            self._at += 1
        chunks: list[Chunk] = []
        while self._skip_blank() and not self._lines[self._at].startswith("***"):
            chunks.append(self._chunk(first=not chunks))
        if not chunks and move_to is None:
            raise PatchSyntaxError(f"Update file hunk for path '{path}' is empty", number)
        return UpdateFile(path, tuple(chunks), move_to)

    def _chunk(self, *, first: bool) -> Chunk:
        start = self._at
        anchors: list[str] = []
        while self._at < self._end and (line := self._lines[self._at]).startswith("@@") and line[2:3] in ("", " "):
            if line[3:].strip():
                anchors.append(line[3:])
            self._at += 1
        if self._at == start and not first:
            raise PatchSyntaxError(
                f"Expected update hunk to start with a @@ context marker, got: '{self._lines[start]}'", start + 1
            )
        body, final_newline = self._body()
        if not body:
            self._refuse_empty_chunk(start)
        at_end = self._at < self._end and self._lines[self._at].strip() == END_OF_FILE
        if at_end:
            self._at += 1
        return Chunk(tuple(body), tuple(anchors), at_end, final_newline)

    def _body(self) -> tuple[list[str], bool]:
        body: list[str] = []
        final_newline = True
        while self._at < self._end:
            line = self._lines[self._at]
            if not line:
                body.append(" ")
                final_newline = True
            elif line[0] in " +-":
                body.append(line)
                final_newline = final_newline or line[0] != "-"
            elif line[0] == "\\" and body:
                # After a removed or a context line it tells what the file is like already.
                final_newline = final_newline and body[-1][0] != "+"
            else:
                break
            self._at += 1
        return body, final_newline

    def _refuse_empty_chunk(self, start: int) -> None:
        line = self._lines[self._at]
        if self._at >= self._end or line.strip() == END_OF_FILE:
            raise PatchSyntaxError("Update hunk does not contain any lines", start + 2)
        raise PatchSyntaxError(
            f"Unexpected line found in update hunk: '{line}'. Every line should start with "
            "' ' (context line), '+' (added line), or '-' (removed line)",
            start + 2,
        )
