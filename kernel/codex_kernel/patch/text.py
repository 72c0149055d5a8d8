"""A file's bytes as lines that can be changed and written back with every untouched byte as it was."""

from __future__ import annotations

import re

from codex_kernel.patch.diff import Side

_BOM = "\ufeff"
_SURROGATES = re.compile("[\ud800-\udfff]+")


class FileText:
    r"""The lines of a file.

    Attributes:
        raw: Lines without `\n`; a `\r` before it is kept here.
        keys: The same lines without that `\r`: what a patch is compared with.
        final_newline: Whether the last line ends in a newline.
        bom: Whether the file starts with a byte order mark, which is not part of the first line here.
    """

    __slots__ = ("bom", "final_newline", "keys", "raw")

    def __init__(self, raw: list[str], *, final_newline: bool = True, bom: bool = False, carriage: bool = True) -> None:
        r"""Take over `raw`; `carriage` False promises that no line ends in `\r`."""
        self.raw = raw
        self.keys = [line.removesuffix("\r") for line in raw] if carriage else raw
        self.final_newline = final_newline
        self.bom = bom

    @classmethod
    def decode(cls, data: bytes) -> FileText:
        """The text of `data`; bytes that are not UTF-8 survive as lone surrogates."""
        text = data.decode("utf-8", "surrogateescape")
        bom = text.startswith(_BOM)
        raw = text.removeprefix(_BOM).split("\n")
        final_newline = raw[-1] == ""
        if final_newline:
            raw.pop()
        return cls(raw, final_newline=final_newline, bom=bom, carriage="\r" in text)

    def encode(self) -> bytes:
        """The bytes to write.

        Raises:
            UnicodeEncodeError: A line has a lone surrogate that stands for no byte.
        """
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
        return Side([_BOM + "".join(self.raw[:1]), *self.raw[1:]], self.final_newline and bool(self.raw))


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
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)
