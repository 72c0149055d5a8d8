"""The lines between `---` at the top of a Markdown file: the little YAML that skills and custom prompts use.

Scalars, block scalars, and tables one level deep. Lists and what else YAML knows are skipped; a file cannot make this
take long, name a type or refer to itself.
"""

from __future__ import annotations

import json
import re

MAX_CHARACTERS = 32 * 1024
Table = dict[str, "str | dict[str, str]"]
_ENTRY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z_][\w.-]*|\"[^\"]*\"|'[^']*') *:(?: +(?P<value>.*))?$")


class FrontMatterError(ValueError):
    """The front matter is missing or cannot be read; says why."""


def split(text: str) -> tuple[str, str]:
    """Front matter and the rest of a file.

    Raises:
        FrontMatterError: There is none, or it does not end.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    first, _, rest = text.partition("\n")
    if first.rstrip() != "---":
        raise FrontMatterError("missing YAML front matter delimited by ---")
    end = re.search(r"^---[ \t]*$", rest[: MAX_CHARACTERS + 8], re.MULTILINE)
    if end is None:
        raise FrontMatterError("the YAML front matter does not end with a line ---")
    return rest[: end.start()], rest[end.end() :].removeprefix("\n")


def parse(text: str) -> Table:
    """Keys and values of the front matter; a table's keys are one level below.

    Raises:
        FrontMatterError: A line is neither `key: value` nor part of one.
    """
    table: Table = {}
    lines = text.expandtabs(2).split("\n")
    index = 0
    parent: str | None = None
    while index < len(lines):
        line = lines[index]
        index += 1
        stripped = line.strip()
        if not stripped or stripped.startswith("#") or stripped == "-" or stripped.startswith("- "):
            continue
        entry = _ENTRY.fullmatch(line.rstrip())
        if entry is None:
            raise FrontMatterError(f"line {index + 1} of the front matter is not 'key: value'")
        depth, key = len(entry["indent"]), entry["key"].strip("\"'")
        following, index = _indented(lines, index, depth)
        value = (entry["value"] or "").strip()
        if depth and parent is None:
            raise FrontMatterError(f"line {index + 1} of the front matter is indented under nothing")
        if not depth:
            parent = None
        if not value and not depth and any(_ENTRY.fullmatch(inner.rstrip()) for inner in following):
            parent = key
            table[key] = {}
            index -= len(following)
            continue
        found = _scalar(value, following)
        holder = table.get(parent) if parent is not None else None
        if isinstance(holder, dict):
            holder[key] = found
        else:
            table[key] = found
    return table


def _indented(lines: list[str], index: int, depth: int) -> tuple[list[str], int]:
    """The lines that belong to a value: deeper than its key, or empty between such."""
    end = index
    for position in range(index, len(lines)):
        line = lines[position]
        if line.strip() and len(line) - len(line.lstrip()) <= depth:
            break
        if line.strip():
            end = position + 1
    return lines[index:end], end


def _scalar(value: str, following: list[str]) -> str:
    style = value.split(" #", 1)[0].strip()
    if re.fullmatch(r"[|>][+-]?\d?[+-]?", style):
        shallowest = min((len(line) - len(line.lstrip()) for line in following if line.strip()), default=0)
        body = [line[shallowest:].rstrip() for line in following]
        return "\n".join(body) if style[0] == "|" else " ".join(line for line in body if line)
    joined = " ".join([value, *(line.strip() for line in following if line.strip())]).strip()
    if joined[:1] == '"':
        return _double_quoted(joined)
    if joined[:1] == "'":
        end = re.match(r"'((?:[^']|'')*)'\s*(#.*)?$", joined)
        if end is None:
            raise FrontMatterError("a quoted value does not end")
        return end[1].replace("''", "'")
    return re.split(r"\s#", joined, maxsplit=1)[0].strip()


def _double_quoted(text: str) -> str:
    end = re.match(r'("(?:[^"\\]|\\.)*")\s*(#.*)?$', text)
    if end is None:
        raise FrontMatterError("a quoted value does not end")
    try:
        return str(json.loads(end[1], strict=False))
    except ValueError:
        return end[1][1:-1]
