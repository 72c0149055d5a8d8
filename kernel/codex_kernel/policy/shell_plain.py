"""The commands of shell scripts that are nothing but plain commands.

Source: spec/approvals-and-sandbox.md section 3, "Plain command". Two kinds of words the sheet rejects are accepted,
because what they come to is certain: `--glob="*.py"` and `""`. Backslashes are processed, as the shell does.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from codex_kernel.policy.shell_syntax import Word, literal, parse

if TYPE_CHECKING:
    from tree_sitter import Node

_JOINTS = frozenset({"&&", "||", ";", "|", "\n"})
_LEAVES = _JOINTS | {"word", "number", "raw_string", "string", "concatenation"}
_RESERVED = frozenset(
    {"!", "{", "}", "[[", "]]", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if"}
    | {"in", "select", "then", "time", "until", "while"}
)


def plain_commands(script: str) -> tuple[tuple[str, ...], ...] | None:
    """The commands of a script made of plain words joined by `&&`, `||`, `;`, `|` and line ends, in source order.

    Returns:
        None when the script does anything else (expansions, redirections, control flow, `&`, comments, …) or when
        in doubt. Wildcards are left as they stand: `plain_words` tells where they are.
    """
    commands = plain_words(script)
    return None if commands is None else tuple(tuple(word.text for word in command) for command in commands)


@functools.lru_cache(maxsize=32)
def plain_words(script: str) -> tuple[tuple[Word, ...], ...] | None:
    """As `plain_commands`, with what is known about each word."""
    if any(_is_odd(character) for character in script):
        return None
    root = parse(script)
    if root is None or root.has_error:
        return None
    commands: list[tuple[Word, ...]] = []
    if not _collect(root, commands) or not commands or not _gaps_are_blank(root, script.encode()):
        return None
    return tuple(commands)


def _is_odd(character: str) -> bool:
    """Characters the grammar may take for white space where the shell does not, or that nobody sees."""
    return character not in "\n\t" and not character.isprintable()


def _collect(node: Node, commands: list[tuple[Word, ...]]) -> bool:
    """Append the commands below `node`; False when it holds anything else."""
    for child in node.children:
        match child.type:
            case "command":
                words = _words(child)
                if words is None:
                    return False
                commands.append(words)
            case "list" | "pipeline":
                if not _collect(child, commands):
                    return False
            case joint:
                if child.is_named or joint not in _JOINTS:
                    return False
    return True


def _words(command: Node) -> tuple[Word, ...] | None:
    words: list[Word] = []
    for index, child in enumerate(command.children):
        if (child.type == "command_name") != (index == 0):
            return None
        inner = child
        if child.type == "command_name":
            if len(child.children) != 1:
                return None
            inner = child.children[0]
        word = literal(inner)
        if word is None:
            return None
        words.append(word)
    if not words or not words[0].text or not _is_command_name(words[0], command.children[0].text or b""):
        return None
    return tuple(words)


def _is_command_name(word: Word, source: bytes) -> bool:
    return source.decode() not in _RESERVED and word.pattern is None and "=" not in word.text


def _gaps_are_blank(root: Node, source: bytes) -> bool:
    r"""Whether words and joints are all there is, set apart as the shell would.

    The grammar is a guess at the shell's: it takes `[\0` for two words, and some blanks for none.
    """
    end = 0
    behind_word = False
    level = [root]
    while level:
        node = level.pop()
        if node.type not in _LEAVES:
            level.extend(reversed(node.children))
            continue
        gap = source[end : node.start_byte]
        if gap.strip(b" \t\n"):
            return False
        is_word = node.is_named
        if is_word and behind_word:
            begins_command = node.parent is not None and node.parent.type == "command_name"
            if not gap or (b"\n" in gap) != begins_command:
                return False
        behind_word = is_word
        end = node.end_byte
    return not source[end:].strip(b" \t\n")
