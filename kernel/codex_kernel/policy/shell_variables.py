"""Variables a script sets once, at its top level, to text that is known: enough for `D=build; rm -r "$D"`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from codex_kernel.policy.shell_syntax import Word, literal, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

Variables = dict[str, tuple[int, str]]
"""Name to the place behind the assignment, in bytes, and the value."""
TEMPORARY = "\0mktemp"
"""Stands for a path that `mktemp` made in the same script."""
_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_SETTERS = re.compile(r"(?:read|mapfile|readarray|printf|getopts|unset)\b")


def substituted(source: str, at: int, variables: Variables) -> Word | None:
    """A word whose only expansions are variables set before it; None when it holds anything else.

    Args:
        source: The word as it stands in the script.
        at: Where it stands, in bytes.
        variables: What the script sets.
    """
    quoted = re.fullmatch(r'"([^"\\`]*)"', source)
    if quoted is None and not re.fullmatch(r"[\w./${}+@%:-]+", source):
        return None
    inner = quoted[1] if quoted else source
    values: list[str] = []
    for found in _VARIABLE.finditer(inner):
        assigned_at, value = variables.get(found[1] or found[2], (at, ""))
        if assigned_at >= at or (quoted is None and re.search(r"\s", value)):
            return None
        values.append(value)
    rest = iter(values)
    resolved = _VARIABLE.sub(lambda _match: next(rest), inner)
    if not values or "$" in resolved or _VARIABLE.sub("", inner).count("$"):
        return None
    return Word(resolved) if quoted or not re.search(r"[*?\[{}~]", resolved) else None


def assigned(root: Node) -> Variables:
    """Variables that the script sets exactly once, at top level, to known text: name to (place, value)."""
    places: dict[str, list[Node | None]] = {}
    level = [root]
    while level:
        node = level.pop()
        if node.type == "variable_assignment" and node.children:
            places.setdefault(text_of(node.children[0]), []).append(node)
        elif node.type == "for_statement" and len(node.children) > 1:
            places.setdefault(text_of(node.children[1]), []).append(None)
        elif node.type == "command" and _SETTERS.match(text_of(node)):
            for name in re.findall(r"\w+", text_of(node)):
                places.setdefault(name, []).append(None)
        level.extend(node.children)
    found: Variables = {}
    for name, nodes in places.items():
        node = nodes[0]
        if len(nodes) == 1 and node is not None and (value := _value(node)) is not None:
            found[name] = (node.end_byte, value)
    return found


def _value(assignment: Node) -> str | None:
    parent = assignment.parent
    if parent is None or parent.type not in {"program", "list"} or (parent.type == "list" and not _is_top(parent)):
        return None
    if len(assignment.children) != 3 or assignment.children[1].type != "=":
        return None
    value = assignment.children[2]
    word = literal(value)
    if word is not None:
        return word.text if word.pattern is None else None
    made = re.fullmatch(r'"?\$\(\s*mktemp(?:\s+[\w./${}:-]+)*\s*\)"?', text_of(value))
    return TEMPORARY if made else None


def _is_top(node: Node) -> bool:
    while node.parent is not None and node.parent.type == "list":
        node = node.parent
    return node.parent is not None and node.parent.type == "program"
