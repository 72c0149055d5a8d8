r"""Patch text to a `Patch` and back.

Source: spec/apply-patch.md sections 1 and 2. What is accepted beyond it cannot be read in any other way: several
`@@` lines in a row (nested scopes), a move without changes, blank lines between files, a marker written twice, headers
in another case, two patches one after the other, an end of file after an added file, and what unified diffs have
besides: their file headers where they name the same file, their `\ No newline at end of file` line.
"""

from __future__ import annotations

import re

import msgspec

from codex_kernel.patch.envelope import BEGIN, END, PatchSyntaxError, lines_of

ADD = "*** Add File: "
DELETE = "*** Delete File: "
UPDATE = "*** Update File: "
MOVE = "*** Move to: "
END_OF_FILE = "*** End of File"
_ENVIRONMENT = "*** Environment ID: "
NO_NEWLINE = "\\ No newline at end of file"
_NO_NEWLINE_BEGINS = "\\ "
"""The words behind it are in the language of whoever ran `diff`."""

_HEADER = r"\*\*\*[ \t]*(?P<verb>Add File|Delete File|Update File|Move to)[ \t]*:[ \t]*(?P<path>\S.*)"


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
    return _Parser(lines_of(text)).patch()


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


class _Parser:
    """Reads hunks from the lines between the markers; `at` is an index into all lines, line number minus one."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 1
        self._end = len(lines) - 1

    def patch(self) -> Patch:
        hunks: list[Hunk] = []
        while self._skip_markers():
            hunks.append(self._hunk(hunks[-1] if hunks else None))
        return Patch(tuple(hunks))

    def _skip_markers(self) -> bool:
        """Pass over what stands between files and says nothing; False at the end marker."""
        while self._skip_blank():
            line = self._lines[self._at].strip()
            after_marker = self._lines[self._before()].strip() in (BEGIN, END)
            if line == BEGIN or line.startswith(_ENVIRONMENT):
                passed = after_marker
            elif line == END:
                passed = self._next_line() in (BEGIN, END)
            else:
                passed = line.lower() == END_OF_FILE.lower() and not after_marker
            if not passed:
                return True
            self._at += 1
        return False

    def _before(self) -> int:
        """Index of the last line above that is not blank."""
        return next(at for at in range(self._at - 1, -1, -1) if self._lines[at].strip())

    def _next_line(self) -> str:
        """The next line that is not blank, at the latest the end marker, trimmed."""
        return next(line for at in range(self._at + 1, len(self._lines)) if (line := self._lines[at].strip()))

    def _skip_blank(self) -> bool:
        """Pass over blank lines; False at the end marker."""
        while self._at < self._end and not self._lines[self._at].strip():
            self._at += 1
        return self._at < self._end

    def _header(self) -> tuple[str, str]:
        """What this line says to do, in lower case, and its path; both empty when it is no header."""
        line = self._lines[self._at].strip() if self._at < self._end else ""
        header = re.fullmatch(_HEADER, line, re.IGNORECASE)
        return (header["verb"].lower(), header["path"]) if header else ("", "")

    def _hunk(self, above: Hunk | None) -> Hunk:
        number = self._at + 1
        verb, path = self._header()
        if verb in ("", "move to"):
            raise PatchSyntaxError(
                f"'{self._lines[self._at].strip()}' is not a valid hunk header. Valid hunk headers: "
                f"'{ADD}{{path}}', '{DELETE}{{path}}', '{UPDATE}{{path}}'{self._advice(above)}",
                number,
            )
        self._at += 1
        if verb == "add file":
            return self._add(path)
        return DeleteFile(path) if verb == "delete file" else self._update(path, number)

    def _advice(self, above: Hunk | None) -> str:
        """What else to say of a line that is no header, by what stands above it."""
        if self._lines[self._at].startswith("***"):
            return ""
        match above:
            case AddFile():
                return f". Every line of the added file {above.path} starts with '+'"
            case DeleteFile():
                return f". No lines follow '{DELETE}{above.path}': the whole file goes"
            case _:
                return ""

    def _skip_unified_header(self, path: str) -> None:
        """Pass over a unified diff's header for the same file; anything like it that may be content stays."""
        at = self._at
        while at < self._end and self._lines[at].startswith(("diff --git ", "index ", "new file mode ")):
            at += 1
        old, new = [*self._lines[at : at + 2], ""][:2]
        if old.startswith("--- ") and new.startswith("+++ ") and all(_names(line[4:], path) for line in (old, new)):
            at += 2
        if at < self._end and self._lines[at].startswith("@@"):
            self._at = at

    def _add(self, path: str) -> AddFile:
        lines: list[str] = []
        final_newline = True
        self._skip_unified_header(path)
        if self._at < self._end and self._lines[self._at].startswith("@@"):
            self._at += 1
        while self._at < self._end:
            line = self._lines[self._at]
            if line.startswith("+"):
                lines.append(line[1:])
            elif line.startswith(_NO_NEWLINE_BEGINS) and lines and self._lines[self._at - 1].startswith("+"):
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
        move_to = self._move()
        self._skip_unified_header(path)
        chunks: list[Chunk] = []
        while self._skip_blank() and not self._lines[self._at].startswith("***"):
            chunks.append(self._chunk(first=not chunks))
        move_to = move_to or self._move()
        if not chunks and move_to is None:
            raise PatchSyntaxError(f"Update file hunk for path '{path}' is empty", number)
        return UpdateFile(path, tuple(chunks), move_to)

    def _move(self) -> str | None:
        """Where the file goes, when this line says so."""
        verb, path = self._header()
        if verb != "move to" or not self._lines[self._at].startswith("*"):  # behind a blank it is context
            return None
        self._at += 1
        return path

    def _chunk(self, *, first: bool) -> Chunk:
        start = self._at
        anchors: list[str] = []
        while self._at < self._end and (line := self._lines[self._at]).startswith("@@"):
            anchor = line[2:].removeprefix(" ")
            if anchor.strip():
                anchors.append(anchor)
            self._at += 1
        if self._at == start and not first:
            raise PatchSyntaxError(
                f"Expected update hunk to start with a @@ context marker, got: '{self._lines[start]}'. "
                "If this is a line of context, put a space in front of it",
                start + 1,
            )
        body, final_newline = self._body()
        if not body:
            self._refuse_empty_chunk(start)
        at_end = self._at < self._end and self._lines[self._at].strip().lower() == END_OF_FILE.lower()
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
            elif line.startswith(_NO_NEWLINE_BEGINS) and body:
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


def _names(name: str, path: str) -> bool:
    """Whether a unified diff's header names the file, or none."""
    name = name.split("\t")[0].strip().strip('"')
    return name in ("/dev/null", path, f"a/{path}", f"b/{path}")
