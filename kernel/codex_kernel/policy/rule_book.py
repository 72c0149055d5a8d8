"""All rules that count for a thread, and what they say about a command: the strictest of those that match.

Source: spec/execpolicy-and-hooks.md sections 1.1 and 1.3.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from codex_kernel.policy.rules import RuleVerdict, rule_paths
from codex_kernel.policy.rules_file import HostExecutable, NetworkRule, PrefixRule, RuleFile, parse_rules, read_source

STRICTNESS = {"allow": 0, "prompt": 1, "forbidden": 2}
_SYSTEM_FOLDERS = frozenset(
    {"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/homebrew/bin"}
)


class Match(NamedTuple):
    """A rule that counts for a command."""

    rule: PrefixRule
    prefix: tuple[str, ...]
    """The words of the command it names; the program by its bare name."""
    resolved: str | None = None
    """The command's absolute path, when the rule was found by the program's name."""


class RuleBook:
    """The rules of all layers; implements `rules.Rules`. Never changed: a new one is made when a file changed."""

    def __init__(self, files: Iterable[RuleFile] = ()) -> None:
        files = tuple(files)
        self.rules: tuple[PrefixRule, ...] = tuple(rule for file in files for rule in file.rules)
        """In the order of their layers, lowest first."""
        self.network: tuple[NetworkRule, ...] = tuple(rule for file in files for rule in file.network)
        self._first: dict[str, list[PrefixRule]] = {}
        for rule in self.rules:
            for word in rule.pattern[0]:
                self._first.setdefault(word, []).append(rule)
        self._paths: dict[str, set[str]] = {}
        for executable in (entry for file in files for entry in file.executables):
            self._paths.setdefault(executable.name, set()).update(executable.paths)

    @property
    def restricts(self) -> bool:
        """See `rules.Rules.restricts`."""
        return any(rule.decision != "allow" for rule in self.rules)

    def check(self, command: Sequence[str]) -> RuleVerdict | None:
        """See `rules.Rules.check`."""
        return verdict_of(self.matches(command))

    def matches(self, command: Sequence[str], *, by_name: bool = True) -> list[Match]:
        """Every rule that counts for one command's words.

        A rule for a bare name also counts for an absolute path that ends with it, when no rule names the path itself:
        `host_executable` says for which paths. Where it says nothing, a rule that allows counts for the system's
        own folders only: anybody can put a program of the same name elsewhere.

        Args:
            command: The words.
            by_name: Whether rules for the bare name are looked for.
        """
        if not command:
            return []
        program = command[0]
        found = [
            Match(rule, prefix)
            for rule in self._first.get(program, ())
            if (prefix := rule.matches(command)) is not None
        ]
        name = os.path.basename(program)
        if found or not by_name or not program.startswith("/") or not name:
            return found
        listed = self._paths.get(name)
        if listed is not None and program not in listed:
            return []
        bare = (name, *command[1:])
        return [
            Match(rule, prefix, program)
            for rule in self._first.get(name, ())
            if (prefix := rule.matches(bare)) is not None
            and (rule.decision != "allow" or listed is not None or os.path.dirname(program) in _SYSTEM_FOLDERS)
        ]

    def with_rules(self, rules: Iterable[PrefixRule]) -> RuleBook:
        """The book with further rules."""
        executables = tuple(HostExecutable(name=name, paths=tuple(paths)) for name, paths in self._paths.items())
        return RuleBook([RuleFile(rules=(*self.rules, *rules), network=self.network, executables=executables)])


class Noting:
    """A book that remembers which rules spoke; one for each question. Implements `rules.Rules`."""

    def __init__(self, book: RuleBook) -> None:
        self._book = book
        self.spoke: dict[str, PrefixRule] = {}
        """By `PrefixRule.key`."""

    @property
    def restricts(self) -> bool:
        """See `rules.Rules.restricts`."""
        return self._book.restricts

    def check(self, command: Sequence[str]) -> RuleVerdict | None:
        """See `rules.Rules.check`."""
        found = self._book.matches(command)
        self.spoke.update((match.rule.key, match.rule) for match in found)
        return verdict_of(found)


def verdict_of(matches: Sequence[Match]) -> RuleVerdict | None:
    """The strictest of the rules that match, the longest of equals; None when there is none."""
    if not matches:
        return None
    rule, prefix, _ = max(matches, key=lambda match: (STRICTNESS[match.rule.decision], len(match.prefix)))
    return RuleVerdict(rule.decision, prefix, rule.justification)


def load_rules(folders: Iterable[Path], in_full: Callable[[Path, str], bool] = lambda _path, _text: True) -> RuleBook:
    """The rules of `FOLDER/rules/*.rules` for each folder, lowest precedence first, files by name.

    Args:
        folders: Settings folders.
        in_full: Whether a file with this text counts in full; of one that does not, only what forbids or asks does.

    Raises:
        ConfigError: A file cannot be read or used; says which, and where.
    """
    files: list[RuleFile] = []
    for path in (path for folder in folders for path in rule_paths(folder)):
        text = read_source(path)
        said = parse_rules(text, str(path))
        if not in_full(path, text):
            said = RuleFile(rules=tuple(rule for rule in said.rules if rule.decision != "allow"))
        files.append(said)
    return RuleBook(files)
