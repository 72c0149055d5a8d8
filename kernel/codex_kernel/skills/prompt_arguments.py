"""A custom prompt with arguments: what `/name a "b c"` or `/name FILE=a.py` sends.

Source: spec/execpolicy-and-hooks.md section 4.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from codex_kernel.skills.front_matter import FrontMatterError, parse, split
from codex_protocol.errors import UsageError

_PLACEHOLDER = re.compile(r"\$(\$|[1-9](?![0-9])|ARGUMENTS\b|[A-Z][A-Z0-9_]*\b)")
_WORD = re.compile(r'\s*((?:[^\s"\\]|\\.|"(?:[^"\\]|\\.)*")+)', re.DOTALL)
_NAMED = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)", re.DOTALL)


def described(content: str) -> tuple[str | None, str | None, str]:
    """A prompt's description, its hint at arguments, and its text without front matter."""
    try:
        front, body = split(content)
        table = parse(front)
    except FrontMatterError:
        return None, None, content
    description, hint = table.get("description"), table.get("argument-hint")
    return (
        description if isinstance(description, str) and description else None,
        hint if isinstance(hint, str) and hint else None,
        body,
    )


def names_of(body: str) -> tuple[str, ...]:
    """The named arguments a prompt wants, in their order; empty for one with positional arguments or none."""
    found = (match[1] for match in _PLACEHOLDER.finditer(body))
    return tuple(dict.fromkeys(name for name in found if name[0].isalpha() and name != "ARGUMENTS"))


def expand(name: str, content: str, arguments: str) -> str:
    """The text to send.

    Args:
        name: The prompt's, for messages.
        content: Its file.
        arguments: What was typed behind the name; split at blanks, double quotes keep them.

    Raises:
        UsageError: A quote does not end, or named arguments are missing or written differently.
    """
    body = described(content)[2]
    words = split_arguments(name, arguments)
    wanted = names_of(body)
    if wanted:
        return _with_names(name, body, words, wanted)

    def value(match: re.Match[str]) -> str:
        key = match[1]
        if key == "$":
            return "$$"
        if key == "ARGUMENTS":
            return " ".join(words)
        return words[int(key) - 1] if int(key) <= len(words) else ""

    return _PLACEHOLDER.sub(value, body)


def _with_names(name: str, body: str, words: Sequence[str], wanted: Sequence[str]) -> str:
    values: dict[str, str] = {}
    for word in words:
        given = _NAMED.fullmatch(word)
        if given is None:
            raise UsageError(f"/{name} takes {_usage(wanted)}; {word!r} is not written like that")
        values[given[1]] = given[2]
    missing = [key for key in wanted if key not in values]
    if missing:
        raise UsageError(f"/{name} also needs {', '.join(missing)}: write {_usage(missing)}")

    def value(match: re.Match[str]) -> str:
        key = match[1]
        if key == "$":
            return "$$"
        if key == "ARGUMENTS":
            return " ".join(words)
        return values.get(key, match[0])

    return _PLACEHOLDER.sub(value, body)


def _usage(names: Sequence[str]) -> str:
    return " ".join(f'{name}="…"' for name in names)


def split_arguments(name: str, arguments: str) -> tuple[str, ...]:
    """The words of what was typed behind a prompt's name.

    Raises:
        UsageError: A double quote does not end.
    """
    words: list[str] = []
    position = 0
    arguments = arguments.rstrip()
    while position < len(arguments):
        match = _WORD.match(arguments, position)
        if match is None or (match.end() < len(arguments) and not arguments[match.end()].isspace()):
            raise UsageError(f"the arguments of /{name} hold a double quote or backslash that does not end")
        words.append(_unquoted(match[1]))
        position = match.end()
    return tuple(words)


def _unquoted(word: str) -> str:
    """Without quotes; a backslash keeps a quote, a blank or another backslash, and stands for itself elsewhere."""
    return re.sub(r'\\(["\\\s])|"', lambda match: match[1] or "", word)
