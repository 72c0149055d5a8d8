"""A file's bytes as lines that can be changed and written back with every untouched byte as it was."""

from __future__ import annotations

import re

from codex_kernel.patch.diff import Side

_BOM = "\ufeff"
_SURROGATES = "[\ud800-\udfff]+"


class FileText:
    r"""The lines of a file.

    Attributes:
        final_newline: Whether the last line ends in a newline.
        bom: Whether the file starts with a byte order mark, which is not part of the first line here.
    """

    __slots__ = ("_keys", "_plain", "_raw", "bom", "final_newline")

    def __init__(self, raw: list[str], *, final_newline: bool = True, bom: bool = False, carriage: bool = True) -> None:
        r"""Take over `raw`; `carriage` False promises that no line ends in `\r`."""
        self._raw: list[str] | None = raw
        self._keys = [line.removesuffix("\r") for line in raw] if carriage else raw
        self._plain: str | None = None
        self.final_newline = final_newline
        self.bom = bom

    @classmethod
    def decode(cls, data: bytes) -> FileText:
        """The text of `data`; bytes that are not UTF-8 survive as lone surrogates."""
        text = data.decode("utf-8", "surrogateescape")
        bom = text.startswith(_BOM)
        carriage = "\r" in text
        if not bom and not carriage and text.endswith("\n"):
            return cls.of_plain(text)
        raw = text.removeprefix(_BOM).split("\n")
        final_newline = raw[-1] == ""
        if final_newline:
            raw.pop()
        return cls(raw, final_newline=final_newline, bom=bom, carriage=carriage)

    @classmethod
    def of_plain(cls, text: str) -> FileText:
        r"""The text itself: without a byte order mark, without any `\r`, its last line ends in a newline."""
        self = cls([], carriage=False)
        self._raw, self._plain = None, text
        return self

    @property
    def plain(self) -> str | None:
        r"""The whole text, when it is as `of_plain` wants it."""
        return self._plain

    @property
    def raw(self) -> list[str]:
        r"""Lines without `\n`; a `\r` before it is kept here."""
        if self._raw is None:
            assert self._plain is not None  # noqa: S101 - narrows: one of them is there
            self._raw = self._keys = self._plain[:-1].split("\n")
        return self._raw

    @property
    def keys(self) -> list[str]:
        r"""The same lines without that `\r`: what a patch is compared with."""
        return self.raw if self._raw is None else self._keys

    def with_mark_as_text(self) -> FileText:
        """The same text, its byte order mark the first line's first character."""
        raw = [_BOM + "".join(self.raw[:1]), *self.raw[1:]]
        return FileText(raw, final_newline=self.final_newline and bool(self.raw))

    def encode(self) -> bytes:
        """The bytes to write.

        Raises:
            UnicodeEncodeError: A line has a lone surrogate that stands for no byte.
        """
        if self._plain is not None:
            return self._plain.encode("utf-8", "surrogateescape")
        text = "\n".join(self.raw)
        if self.raw and self.final_newline:
            text += "\n"
        if self.bom:
            text = _BOM + text
        return text.encode("utf-8", "surrogateescape")

    def carriage_at(self, index: int) -> str:
        r"""`\r` when lines near `index` end in `\r\n`, else nothing."""
        if self.keys is self.raw or not self.raw:
            return ""
        last = len(self.raw) - (1 if self.final_newline else 2)
        return "\r" if self.raw[max(0, min(index, last))].endswith("\r") else ""

    def side(self) -> Side:
        """The lines as one side of a diff, the byte order mark shown."""
        if not self.bom:
            return Side(self.raw, self.final_newline)
        marked = self.with_mark_as_text()
        return Side(marked.raw, marked.final_newline)


class Texts:
    """The lines of files' bytes, decoded once."""

    def __init__(self) -> None:
        """Nothing is decoded yet."""
        self._of: dict[int, tuple[bytes, FileText]] = {}
        """By identity of the bytes, which are held here so that none is another's."""

    def of(self, data: bytes) -> FileText:
        """The lines of `data`."""
        known = self._of.get(id(data))
        return self.keep(data, FileText.decode(data)) if known is None else known[1]

    def keep(self, data: bytes, text: FileText) -> FileText:
        """Remember that `text` is what `data` decodes to."""
        self._of[id(data)] = (data, text)
        return text


def readable(text: str) -> str:
    """The text with U+FFFD where bytes were not UTF-8, fit for every encoder."""
    return text if text.isascii() else re.sub(_SURROGATES, "\ufffd", text)
