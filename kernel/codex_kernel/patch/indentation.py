"""Added lines indented as the file is, where a patch's other lines are all off by the same.

A chunk is found although its indentation is a level off, or has blanks for tabs. Its context and removed lines then
tell how the added ones were meant. Where they do not agree, the added ones are not off with them, the patch is about
indentation, or it adds a text whose indentation belongs to it, nothing is changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

_TAB_WIDTHS = (2, 4, 8)
_HEREDOC = r"<<-?[ \t]*['\"]?(\w+)"
_STRING_OPENS = r"(?:[=(,:+\[{]|\breturn)[ \t]*\w{0,2}(?:\"{3}|'{3})"
"""What is passed or kept; a docstring is indented with its code."""

_Change = Callable[[str], str | None]
"""The indentation a patch means, from the one it has; None: that cannot be told."""


def indented_alike(body: Sequence[str], found: Sequence[str]) -> Sequence[str]:
    """A chunk's lines, the added ones indented as the file is.

    Args:
        body: With their signs.
        found: The file's lines that its old ones were found at.
    """
    old = [line for line in body if line[0] != "+"]
    pairs = [(line, there) for line, there in zip(old, found, strict=True) if line[1:].strip()]
    indents = {(_indent(line[1:]), _indent(there)) for line, there in pairs}
    if all(ours == theirs for ours, theirs in indents) or len({ours for ours, _ in indents}) < len(indents):
        return body
    if _adds_text_of_several_lines(body):
        return body
    change = _tabs(indents)
    if change is None and _replaces_as_it_stands(body) and not _is_about_indentation(body):
        change = _level(indents)
    return body if change is None else _changed(body, change)


def _changed(body: Sequence[str], change: _Change) -> Sequence[str]:
    lines: list[str] = []
    for line in body:
        text = line[1:]
        if line[0] == "+" and text.strip():
            indent = change(_indent(text))
            if indent is None:
                return body
            lines.append(f"+{indent}{text.lstrip()}")
        else:
            lines.append(line)
    return lines


def _tabs(indents: Iterable[tuple[str, str]]) -> _Change | None:
    """The change where the file has tabs for every so many blanks; the other way round they may be a Makefile's."""
    for width in _TAB_WIDTHS:
        blanks = " " * width
        if all(ours == theirs.replace("\t", blanks) for ours, theirs in indents):
            return lambda indent: indent if "\t" in indent else indent.replace(blanks, "\t")
    return None


def _level(indents: Iterable[tuple[str, str]]) -> _Change | None:
    """The change where all lines have the same too little, or too much, in front."""
    ours, theirs = max(indents, key=lambda pair: max(map(len, pair)))
    missing = theirs[: len(theirs) - len(ours)]
    if missing and all(there == missing + here for here, there in indents):
        least = min((here for here, _ in indents), key=len)
        return lambda indent: missing + indent if indent.startswith(least) else None
    extra = ours[: len(ours) - len(theirs)]
    if extra and all(here == extra + there for here, there in indents):
        return lambda indent: indent.removeprefix(extra) if indent.startswith(extra) else None
    return None


def _replaces_as_it_stands(body: Sequence[str]) -> bool:
    """Whether lines are added in the place of removed ones, each time indented as these are in the patch.

    A removed line also shows that no sign was forgotten: a blank of the indentation would be taken for one.
    """
    alike: list[bool] = []
    removed: str | None = None
    """How the first of the removed lines right above is indented."""
    for line in body:
        if line[0] == " ":
            removed = None
        elif line[0] == "-" and line[1:].strip() and removed is None:
            removed = _indent(line[1:])
        elif line[0] == "+" and line[1:].strip() and removed is not None:
            alike.append(_indent(line[1:]) == removed)
            removed = None
    return bool(alike) and all(alike)


def _adds_text_of_several_lines(body: Sequence[str]) -> bool:
    """Whether the added lines have a heredoc, or a string or what stands between backticks goes on over lines."""
    added = [line[1:] for line in body if line[0] == "+"]
    whole = {line.strip() for line in added}
    return any(
        line.count("`") % 2
        or not whole.isdisjoint(re.findall(_HEREDOC, line))
        or ((line.count('"""') + line.count("'''")) % 2 and re.search(_STRING_OPENS, line))
        for line in added
    )


def _is_about_indentation(body: Sequence[str]) -> bool:
    """Whether a removed line comes back indented otherwise."""
    removed = {line[1:].strip(): _indent(line[1:]) for line in body if line[0] == "-"}
    return any(
        line[0] == "+" and removed.get(line[1:].strip(), _indent(line[1:])) != _indent(line[1:]) for line in body
    )


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
