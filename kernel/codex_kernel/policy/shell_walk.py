"""Every simple command anywhere in a shell script, with what it redirects and where it runs.

For pre-flight checks, forbidding rules and display: it looks into loops, functions, subshells, substitutions and
nested scripts, and says what it could not resolve. It is no proof that nothing else runs: `x=rm; $x file` hides.
"""

from __future__ import annotations

import functools
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from codex_kernel.policy.shell_syntax import Word, literal, parse, text_of
from codex_kernel.policy.shell_variables import Variables, assigned, substituted

if TYPE_CHECKING:
    from tree_sitter import Node

_MAX_COMMANDS = 2_000
_MAX_NESTING = 4
_SCOPES = frozenset({"subshell", "command_substitution", "process_substitution", "function_definition"})
_BRANCHES = frozenset(
    {"if_statement", "while_statement", "for_statement", "c_style_for_statement", "case_statement"}
    | {"elif_clause", "else_clause"}
)
_WORDS = frozenset(
    {"word", "number", "string", "raw_string", "concatenation", "simple_expansion", "expansion", "command_substitution"}
)


class Redirect(NamedTuple):
    """`2> file` and the like; heredocs and descriptors are left out."""

    operator: str
    """`>`, `>>`, `>|`, `&>`, `&>>`, `<` or `<>`."""
    target: Word


class Change(NamedTuple):
    """A `cd` that a command runs after."""

    to: Word
    certain: bool
    """The command runs only if the directory could be entered."""


class FoundCommand(NamedTuple):
    """One simple command."""

    words: tuple[Word, ...]
    """Empty for a redirection without a command."""
    redirects: tuple[Redirect, ...] = ()
    """Its own and those of the statements around it."""
    changes: tuple[Change, ...] = ()
    """The `cd` commands before it, in order."""
    assigns: bool = False
    """Variables are set for it alone, as in `A=1 make`."""

    @property
    def argv(self) -> tuple[str, ...]:
        """The words' texts."""
        return tuple(word.text for word in self.words)


class Found(NamedTuple):
    """What a script holds."""

    commands: tuple[FoundCommand, ...]
    """In source order."""
    complete: bool
    """False: something could not be looked into (syntax errors, `eval "$x"`, a computed command name, size)."""


def all_commands(script: str) -> Found:
    """Every simple command of `script`. Never raises; what cannot be read yields `complete=False`."""
    return _found(script, _MAX_NESTING)


@functools.lru_cache(maxsize=32)
def _found(script: str, nesting: int) -> Found:
    root = parse(script)
    if root is None:
        root = parse(_without_heredoc_bodies(script))
    if root is None:
        return Found((), complete=False)
    walk = _Walk(assigned(root), nesting)
    walk.visit(root)
    return Found(tuple(walk.commands), walk.complete and not root.has_error)


def _without_heredoc_bodies(script: str) -> str:
    kept: list[str] = []
    delimiter: str | None = None
    for line in script.split("\n"):
        if delimiter is None:
            kept.append(line)
            opening = re.search(r"<<-?\s*(['\"]?)([A-Za-z0-9_.]+)\1", line)
            delimiter = opening[2] if opening else None
        elif line.strip() == delimiter:
            kept.append(line)
            delimiter = None
    return "\n".join(kept)


class _Walk:
    """Visits a tree in source order, keeping directory and redirections of the place it is at."""

    def __init__(self, variables: Variables, nesting: int) -> None:
        self.commands: list[FoundCommand] = []
        self.complete = True
        self._variables = variables
        self._nesting = nesting
        self._redirects: tuple[Redirect, ...] = ()
        self._changes: tuple[Change, ...] = ()

    def visit(self, node: Node) -> None:
        if len(self.commands) >= _MAX_COMMANDS:
            self.complete = False
            return
        match node.type:
            case "command":
                self._command(node)
            case "redirected_statement":
                self._redirected(node)
            case "list":
                self._list(node)
            case "unset_command" | "declaration_command" | "test_command":
                self._children(node)
            case "pipeline":
                before = self._changes
                for child in node.children:
                    self.visit(child)
                    self._changes = before
            case kind if kind in _SCOPES:
                before = self._changes
                self._children(node)
                self._changes = before
            case kind if kind in _BRANCHES:
                self._children(node)
                self._changes = tuple(change._replace(certain=False) for change in self._changes)
            case _:
                self._children(node)

    def _children(self, node: Node) -> None:
        for child in node.children:
            self.visit(child)

    def _list(self, node: Node) -> None:
        """`a && b` or `a || b`: what `a` entered is certain for `b` after `&&`, and after `cd x || exit`."""
        before = len(self._changes)
        joint = next((child.type for child in node.children if not child.is_named), "&&")
        left, right = node.children[0], node.children[-1]
        self.visit(left)
        outer = self._changes[:before]
        uncertain = self._changes[before:]
        certain = tuple(change._replace(certain=True) for change in uncertain)
        if joint == "&&":
            self._changes = outer + certain
            self.visit(right)
            self._changes = outer + uncertain + self._changes[before + len(uncertain) :]
        else:
            self.visit(right)
            leaves = text_of(right).split(" ")[0] in {"exit", "return"}
            self._changes = outer + (certain if leaves else uncertain) + self._changes[before + len(uncertain) :]

    def _redirected(self, node: Node) -> None:
        outer = self._redirects
        body = [child for child in node.children if not child.type.endswith("_redirect")]
        redirects = [child for child in node.children if child.type.endswith("_redirect")]
        self._redirects = outer + tuple(found for child in redirects for found in self._targets(child))
        for child in body:
            if child.type == "command":
                self._command(child, [extra for redirect in redirects for extra in _behind_target(redirect)])
            else:
                self.visit(child)
        if not body and self._redirects:
            self.commands.append(FoundCommand((), self._redirects, self._changes))
        self._redirects = outer
        for child in redirects:
            self._children(child)  # substitutions, and the `&& rm x` behind `<<EOF`

    def _targets(self, node: Node) -> list[Redirect]:
        if node.type == "heredoc_redirect":
            return [found for child in node.children if child.type == "file_redirect" for found in self._targets(child)]
        if node.type != "file_redirect":
            return []
        operator = next((child.type for child in node.children if not child.is_named), "")
        places = [index for index, child in enumerate(node.children) if not child.is_named]
        if not places or places[0] + 1 >= len(node.children):
            return []
        word = self._word(node.children[places[0] + 1])
        if operator in {">&", "<&"} and (word.text.isdigit() or word.text == "-"):
            return []
        return [Redirect("&>" if operator == ">&" else operator, word)]

    def _command(self, node: Node, behind: list[Node] | None = None) -> None:
        """Record the command; `behind` are words that stand behind its redirections."""
        words: list[Word] = []
        redirects: list[Redirect] = []
        assigns = False
        for child in node.children:
            match child.type:
                case "variable_assignment":
                    assigns = True
                case "file_redirect" | "herestring_redirect" | "heredoc_redirect":
                    redirects += self._targets(child)
                case "command_name":
                    words.append(self._word(child.children[0] if child.children else child))
                case _:
                    words.append(self._word(child))
        words += [self._word(child) for child in behind or []]
        found = FoundCommand(tuple(words), (*self._redirects, *redirects), self._changes, assigns)
        self.commands.append(found)
        self._children(node)
        self._effects(found)

    def _effects(self, found: FoundCommand) -> None:
        """What the command does to the walk: directories change, `eval` brings in another script."""
        if not found.words:
            return
        if not found.words[0].known:
            self.complete = False
        aside = 0
        while aside < len(found.words) - 1 and found.words[aside].text in {"builtin", "command"}:
            aside += 1
        words = found.words[aside:]
        match words[0].text:
            case "alias" if len(words) > 1:
                self.complete = False  # later words mean something else
            case "trap" if len(words) > 2:
                self._nested(words[1:2])
            case "cd" | "pushd":
                operands = [word for word in words[1:] if word.text == "-" or not word.text.startswith("-")]
                home = Word(os.path.expanduser("~"))
                self._changes = (*self._changes, Change(operands[0] if operands else home, certain=False))
            case "popd":
                self._changes = (*self._changes, Change(Word("-", known=False), certain=False))
            case "eval":
                self._nested(words[1:])
            case _:
                pass

    def _nested(self, words: tuple[Word, ...]) -> None:
        if self._nesting == 0 or not all(word.known for word in words):
            self.complete = False
            return
        inner = _found(" ".join(word.text for word in words), self._nesting - 1)
        self.complete = self.complete and inner.complete
        self.commands += [
            command._replace(redirects=self._redirects + command.redirects, changes=self._changes + command.changes)
            for command in inner.commands
        ]

    def _word(self, node: Node) -> Word:
        word = literal(node)
        source = text_of(node)
        if word is not None:
            return word
        if source == "~" or re.fullmatch(r"~/[\w./+@%:-]*", source):
            return Word(os.path.expanduser(source))
        return substituted(source, node.start_byte, self._variables) or Word(source, known=False)


def _behind_target(redirect: Node) -> list[Node]:
    """The words of `> log x y` behind the target: they are the command's."""
    if redirect.type not in {"file_redirect", "heredoc_redirect"}:
        return []
    named = [child for child in redirect.children if child.is_named and child.type != "file_descriptor"]
    return [child for child in named[1:] if child.type in _WORDS]
