"""One piece of the conversation as the page holds it: fields that are set at once, and text or output that grows.

What is long is drawn when somebody looks: of a thread that is opened most is never asked for.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any

from codex_render import ansi_html, diff_html
from codex_render.ansi_html import AnsiStream
from codex_render.diff_files import FileDiff
from codex_render.file_links import OpenFile
from codex_render.markdown_stream import MarkdownStream
from codex_render.safe_text import visible

Json = dict[str, Any]
_FIRST_LINES = 20
_LAST_LINES = 80
"""Of the output of a command that has ended the page is sent so many lines; all that is kept when it asks."""
_LARGE_CHARS = 40_000
_KEPT_CHARS = 100_000
"""Of a running command's output the page keeps at most twice this; the end of the command brings the excerpt."""


class Entry:
    """A message, command, patch or notice.

    Attributes:
        fields: What the page draws it from; `kind` is always there. Text is text, `html` is from `codex_render`.
        whole: The page must be sent all of it, not only what grew.
        told: Viewers have heard of it: who does not show it has it far above, and is not to put it at the end.
    """

    __slots__ = ("fields", "told", "whole")

    def __init__(self, kind: str, **fields: Any) -> None:
        self.fields: Json = {"kind": kind, **fields}
        self.whole = True
        self.told = False

    def set(self, **fields: Any) -> None:
        """Say something else of it."""
        self.fields.update(fields)
        self.whole = True

    def view(self) -> Json:
        """All of it, as it was last told."""
        return self.fields

    def growth(self) -> Json | None:
        """What grew since the last call; None for nothing. Afterwards `view` holds it too."""
        return None

    def whole_html(self) -> str:
        """The HTML that `view` leaves out because it is long."""
        return ""


class PatchEntry(Entry):
    """A patch: its files, and the diffs where they are not large."""

    __slots__ = ("_diffs", "_html")

    def __init__(self, diffs: Sequence[FileDiff], **fields: Any) -> None:
        super().__init__("patch", state="running", **fields)
        self._diffs = diffs
        self._html: str | None = None

    def view(self) -> Json:
        """All of it, as it was last told."""
        html = self.whole_html()
        large = len(html) > _LARGE_CHARS
        return {**self.fields, "html": "" if large else html, "large": large}

    def whole_html(self) -> str:
        """The diffs."""
        if self._html is None:
            self._html = diff_html.to_html(self._diffs)
            self._diffs = ()
        return self._html


class TextEntry(Entry):
    """Markdown that streams: an answer, or reasoning."""

    __slots__ = ("_stream", "text")

    def __init__(self, kind: str, open_file: OpenFile | None, **fields: Any) -> None:
        super().__init__(kind, live=True, **fields)
        self.text = ""
        self._stream = MarkdownStream(open_file=open_file)

    def append(self, delta: str) -> None:
        """More text."""
        self.text += delta
        self._stream.append(delta)

    def finish(self) -> None:
        """It is whole."""
        self.set(live=False)

    def view(self) -> Json:
        """All of it, as it was last told."""
        if not self.fields["live"]:
            self._stream.finish()
        return {**self.fields, "blocks": self._stream.blocks, "tail": visible(self._stream.unformatted)}

    def growth(self) -> Json | None:
        """The blocks that changed: `[number, html or null, appended text or null]`."""
        if not self.fields["live"]:
            return None
        changes = self._stream.changes()
        if not changes:
            return None
        return {
            "blocks": [
                [change.number, change.html, None if change.appended is None else visible(change.appended)]
                for change in changes
            ]
        }


class CommandEntry(Entry):
    """A command and its output: `lines` that stay, `tail` that is still being written."""

    __slots__ = ("_decoders", "_lines", "_output", "_screen", "_tail")

    def __init__(self, **fields: Any) -> None:
        super().__init__("command", state="running", **fields)
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}
        self._screen = AnsiStream()
        self._output: str | None = None
        """What it came to, until that is drawn."""
        self._lines = ""
        self._tail = ""

    def output(self, stream: str, chunk: bytes) -> None:
        """The next piece."""
        decoder = self._decoders.get(stream)
        if decoder is None:
            decoder = self._decoders[stream] = codecs.getincrementaldecoder("utf-8")("replace")
        self._screen.feed(decoder.decode(chunk))

    def end(self, output: str, **fields: Any) -> None:
        """It ended; `output` is what it came to, the middle cut out when it was long."""
        self._output, self._tail = output, ""
        self._screen = AnsiStream()
        self.set(**fields)

    def view(self) -> Json:
        """All of it, as it was last told."""
        lines = self.whole_html().splitlines(keepends=True) if self.fields["state"] != "running" else []
        omitted = len(lines) - _FIRST_LINES - _LAST_LINES
        if omitted <= _FIRST_LINES:
            return {**self.fields, "lines": self._lines, "tail": self._tail}
        return {
            **self.fields,
            "first": "".join(lines[:_FIRST_LINES]),
            "omitted": omitted,
            "lines": "".join(lines[-_LAST_LINES:]),
            "tail": self._tail,
        }

    def whole_html(self) -> str:
        """All of the output that is kept."""
        if self._output is not None:
            self._lines, self._output = ansi_html.to_html(self._output), None
        return self._lines

    def growth(self) -> Json | None:
        """The lines that came and the line that is being written."""
        if self.fields["state"] != "running":
            return None
        update = self._screen.take()
        if not update.lines and update.tail == self._tail:
            return None
        self._lines += update.lines
        self._tail = update.tail
        if len(self._lines) > 2 * _KEPT_CHARS:
            self._lines = self._lines[self._lines.find("\n", len(self._lines) - _KEPT_CHARS) + 1 :]
            self.set(cut=True)
        return {"lines": update.lines, "tail": update.tail}
