"""How a README and a licence begin, in words: without pictures, links and marks of their markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADING = re.compile(r"\s*(?:#{1,3}\s+(?P<marked>.+)|<h[1-3][^>]*>(?P<tagged>.+?)</h[1-3]>.*)\s*")
_UNDERLINE = re.compile(r"([=*~#-])\1{2,}\s*")
_LICENCES = (
    (r"apache license", "the Apache licence"),
    (r"gnu affero general public license", "the GNU AGPL"),
    (r"gnu lesser general public license|gnu library general public license", "the GNU LGPL"),
    (r"gnu general public license", "the GNU GPL"),
    (r"mozilla public license", "the Mozilla Public Licence"),
    (r"redistribution and use in source and binary forms", "a BSD licence"),
    (r"permission is hereby granted, free of charge", "the MIT licence"),
    (r"permission to use, copy, modify,? and(/or)? distribute this software", "the ISC licence"),
    (r"this is free and unencumbered software", "the Unlicense"),
)


def title(lines: Sequence[str]) -> str | None:
    """The first heading in the beginning of a text, else its first line of words, in quotation marks."""
    shown = [_words(line) for line in lines]
    for number, line in enumerate(lines):
        heading = _HEADING.fullmatch(line)
        if heading and (words := _words(heading["marked"] or heading["tagged"])):
            return _quoted(words)
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if shown[number] and not _UNDERLINE.fullmatch(line) and _UNDERLINE.fullmatch(below):
            return _quoted(shown[number])
    return first_words(lines)


def first_words(lines: Sequence[str]) -> str | None:
    """The first line of words, in quotation marks."""
    words = next((words for line in lines if (words := _words(line))), None)
    return _quoted(words) if words else None


def licence_kind(text: str) -> str | None:
    """Which well-known licence the beginning of a text is written like."""
    text = " ".join(text.lower().split())
    return next((kind for pattern, kind in _LICENCES if re.search(pattern, text)), None)


def _words(line: str) -> str:
    if line.lstrip().startswith(".. "):  # a directive of reStructuredText
        return ""
    line = re.sub(r"!\[[^\]]*\](\([^)]*\)?|\[[^\]]*\])", "", line)
    line = re.sub(r"\[([^\]]*)\](\([^)]*\)?|\[[^\]]*\])", r"\1", line)
    line = re.sub(r"<[^>]*>?|`", " ", line).replace("\ufffd", "?")
    line = "".join(character if character.isprintable() else " " for character in line)
    line = re.sub(r"(?<!\w)(\*\*?|__?)(?=\S)(.+?)(?<=\S)\1(?!\w)", r"\2", line)
    words = " ".join(line.lstrip("!/>").strip(" \t#=*-_|").split())
    return words if len(words) > 2 and re.search(r"\w", words) else ""


def _quoted(words: str) -> str:
    if len(words) > 100:
        words = (words[:99].rpartition(" ")[0] or words[:98]) + " …"
    return words if words.startswith("“") and words.endswith("”") else f"“{words}”"
