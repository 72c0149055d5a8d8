"""The syntax tree of a shell script, and what its words come to before the shell expands anything.

tree-sitter is imported on the first parse only: most threads never look at a script before their first request.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

MAX_SCRIPT_CHARS = 256 * 1024
_SLOW_TOKENS = ("|", "(", ")", "<<")
_MAX_SLOW_TOKENS = 3_000
"""The grammar takes quadratic time over these: so many cost some 100 ms."""
_MAX_DEPTH = 150
"""Walkers of the tree recurse."""
_WILD = frozenset("*?[")
_DOUBLE_QUOTE_ESCAPES = frozenset('$`"\\')


class Word(NamedTuple):
    """One word of a script."""

    text: str
    """What the program is given when no file matches a wildcard; the source text where `known` is False."""
    pattern: str | None = None
    """A glob with its quoted parts escaped as `[*]`; None without unquoted wildcards."""
    known: bool = True
    """False: it holds a variable, a substitution or the like, so `text` is not what the program gets."""


def parse(script: str) -> Node | None:
    """The root of the script's tree, which may hold error nodes.

    None when the script is too large or too deep to look into, or not text.
    """
    if len(script) > MAX_SCRIPT_CHARS or "\0" in script or sum(map(script.count, _SLOW_TOKENS)) > _MAX_SLOW_TOKENS:
        return None
    try:
        source = script.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return None
    root = _parser().parse(source).root_node
    return None if _deeper_than(root, _MAX_DEPTH) else root


@functools.cache
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


def _deeper_than(root: Node, limit: int) -> bool:
    level = [root]
    for _ in range(limit):
        level = [child for node in level for child in node.children]
        if not level:
            return False
    return True


def text_of(node: Node) -> str:
    """The node's source text."""
    return (node.text or b"").decode()


def literal(node: Node) -> Word | None:
    """What a word, number, quoted string or concatenation of them comes to.

    None when the shell would expand anything in it but a wildcard, or when in doubt.
    """
    match node.type:
        case "word" | "number":
            return None if node.named_children and node.type == "number" else _bare(text_of(node))
        case "raw_string":
            return _quoted(text_of(node)[1:-1])
        case "string":
            return _double_quoted(text_of(node))
        case "concatenation":
            return _concatenation(node)
        case _:
            return None


def _concatenation(node: Node) -> Word | None:
    end = node.start_byte
    parts: list[Word] = []
    for child in node.children:
        part = literal(child)
        if part is None or child.start_byte != end or child.type == "concatenation":
            return None
        end = child.end_byte
        parts.append(part)
    if end != node.end_byte or _may_brace_expand(text_of(node)):
        return None
    text = "".join(part.text for part in parts)
    if any(part.text.startswith("~") for part in parts[1:]) and re.search(r"[=:]~", text):
        return None
    if all(part.pattern is None for part in parts):
        return Word(text)
    return Word(text, "".join(escape_wildcards(p.text) if p.pattern is None else p.pattern for p in parts))


def _may_brace_expand(text: str) -> bool:
    return "{" in text and ("," in text or ".." in text)


def _quoted(text: str) -> Word:
    return Word(text)


def _double_quoted(text: str) -> Word | None:
    """`text` with its quotes."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return None
    out: list[str] = []
    characters = iter(text[1:-1])
    for character in characters:
        if character in "$`":
            return None
        if character != "\\":
            out.append(character)
            continue
        following = next(characters, None)
        if following is None or following == "\n":
            return None
        out.append(following if following in _DOUBLE_QUOTE_ESCAPES else "\\" + following)
    return Word("".join(out))


def _bare(text: str) -> Word | None:
    """Text outside quotes: backslashes quote the next character."""
    if not text or text[0] in "=~" or re.search(r"[=:]~", text) or _may_brace_expand(text):
        return None
    out: list[str] = []
    pattern: list[str] = []
    characters = iter(text)
    for character in characters:
        if character in "$`\"'<>()|&;" or character.isspace():
            return None
        if character == "\\":
            following = next(characters, None)
            if following is None or following == "\n":
                return None
            out.append(following)
            pattern.append(escape_wildcards(following))
        else:
            out.append(character)
            pattern.append(character)
    plain = "".join(out)
    as_pattern = "".join(pattern)
    return Word(plain, as_pattern if _WILD & set(as_pattern) and as_pattern != escape_wildcards(plain) else None)


def escape_wildcards(text: str) -> str:
    """A glob that matches `text` alone."""
    return re.sub(r"([*?\[])", r"[\1]", text)
