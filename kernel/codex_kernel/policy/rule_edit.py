"""The user's own rules file changed for them: a rule appended, a rule taken out, everything else left as it stands.

Source: spec/execpolicy-and-hooks.md section 1.1.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from codex_kernel.policy.rule_suggestions import is_banned
from codex_kernel.policy.rules_file import PrefixRule, parse_rules, read_source
from codex_kernel.policy.starlark import parse
from codex_kernel.policy.starlark_values import StarlarkError
from codex_kernel.whole_files import locked, replace_file
from codex_protocol.errors import ConfigError
from codex_protocol.rules import RuleAmendment

FILE_NAME = "default.rules"
"""Where approved rules go. Source: spec/execpolicy-and-hooks.md section 1.1."""


def rule_of(amendment: RuleAmendment) -> PrefixRule:
    """The rule a person asked for.

    Raises:
        ConfigError: It has no words, or would allow an interpreter or wrapper to run anything.
    """
    prefix = amendment.prefix
    if not prefix or not all(prefix):
        raise ConfigError("a rule needs at least one word, and none of them empty")
    if any("\ud800" <= character <= "\udfff" for character in "".join(prefix) + (amendment.justification or "")):
        raise ConfigError("a rule can only hold text that is UTF-8")
    if amendment.decision == "allow" and is_banned(prefix):
        raise ConfigError(
            f"a rule that allows `{' '.join(prefix)}` would let anything run; name what it runs too, "
            "or write the rule into the file yourself"
        )
    if amendment.justification is not None and not amendment.justification.strip():
        raise ConfigError("a rule's justification must not be blank")
    return PrefixRule(
        pattern=tuple((word,) for word in prefix),
        decision=amendment.decision,
        justification=amendment.justification,
    )


def append_rules(file: Path, rules: Iterable[PrefixRule]) -> tuple[PrefixRule, ...]:
    """Append rules, each on a line of its own; those the file has already are left out.

    Returns:
        What was appended.

    Raises:
        ConfigError: The file cannot be read, used or written; nothing was changed.
    """
    added: list[PrefixRule] = []

    def change(text: str) -> str:
        there = {(rule.decision, rule.pattern) for rule in parse_rules(text, str(file)).rules}
        added.extend(rule for rule in rules if (rule.decision, rule.pattern) not in there)
        if not added:
            return text
        newline = "\r\n" if "\r\n" in text else "\n"
        start = text + newline if text and not text.endswith("\n") else text
        after = start + "".join(rule.text + newline for rule in added)
        written = parse_rules(after, str(file)).rules[-len(added) :]
        if [(rule.decision, rule.pattern) for rule in written] != [(rule.decision, rule.pattern) for rule in added]:
            raise ConfigError(f"{file}: the rule cannot be written in a way that means the same", file=str(file))
        return after

    _edit(file, change)
    return tuple(added)


def remove_rule(file: Path, line: int, pattern: tuple[tuple[str, ...], ...] | None = None) -> PrefixRule:
    """Take out the rule that begins at `line` of `file`, when `pattern` is what it names; all other lines stay.

    Raises:
        ConfigError: There is none, it is made by other code than a plain call, or the file cannot be written.
    """
    removed: list[PrefixRule] = []

    def change(text: str) -> str:
        found = [rule for rule in parse_rules(text, str(file)).rules if rule.line == line]
        rules = [rule for rule in found if pattern is None or rule.pattern == pattern]
        if not rules:
            raise ConfigError(f"{file}:{line}: no rule begins here", file=str(file), line=line)
        first, last = _lines_of_call(text, file, line)
        lines = text.splitlines(keepends=True)
        removed.extend(rules)
        return "".join(lines[: first - 1] + lines[last:])

    _edit(file, change)
    return removed[0]


def _lines_of_call(text: str, file: Path, line: int) -> tuple[int, int]:
    """First and last line of the call that begins at `line`, when nothing else stands on them."""
    by_hand = ConfigError(
        f"{file}:{line}: this rule is not a plain call on lines of its own; please edit the file by hand",
        file=str(file),
        line=line,
    )
    try:
        body = parse(text).body
    except StarlarkError as error:
        raise by_hand from error
    # The parser counts form feeds and the like as part of a line, `splitlines` does not.
    if text.count("\n") + (not text.endswith("\n")) != len(text.splitlines()):
        raise by_hand
    covering = [node for node in body if node.lineno <= line <= (node.end_lineno or node.lineno)]
    match covering:
        case [ast.Expr(ast.Call(ast.Name("prefix_rule"))) as node] if node.lineno == line and node.col_offset == 0:
            return node.lineno, node.end_lineno or node.lineno
        case _:
            raise by_hand


def _edit(file: Path, change: Callable[[str], str]) -> None:
    """Put a changed text in the file's place, whole or not at all; the result was checked to be usable.

    A symlink is followed and stays, the mode stays. Editors beside us wait for each other.
    """
    target = Path(os.path.realpath(file))
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(target.parent):
            before = read_source(target) if os.path.lexists(target) else ""
            after = change(before)
            if after == before:
                return
            parse_rules(after, str(file))
            replace_file(target, after.encode())
    except OSError as error:
        raise ConfigError(f"{file}: the file cannot be written: {error.strerror or error}", file=str(file)) from error
