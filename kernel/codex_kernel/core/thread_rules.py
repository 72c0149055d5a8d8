"""The command rules of one thread: read when it opens, and again when one of its people changed the user's file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codex_kernel.config.confirmed import REMEDY
from codex_kernel.policy.rules import NoRules, Rules, rule_paths
from codex_protocol.errors import ConfigError
from codex_protocol.events import RulesListed
from codex_protocol.policy import ReviewDecision
from codex_protocol.rules import ListedRule, RuleAmendment, RuleSuggestion

if TYPE_CHECKING:
    from codex_kernel.config.types import Config
    from codex_kernel.policy.interface import Ask
    from codex_kernel.policy.rule_book import RuleBook
    from codex_protocol.items import Item

Argv = tuple[str, ...]
_USER_FILE = Path("rules/default.rules")
_APPROVED = (ReviewDecision.APPROVED, ReviewDecision.APPROVED_FOR_SESSION)


class ThreadRules:
    """Rules that count for a thread. Nothing of it is imported or read beyond a look for files while there are none."""

    def __init__(self, config: Config, workbench: Path) -> None:
        """Read the rules.

        Args:
            config: Names the folders, and whether rules count at all.
            workbench: Our own folder of the home, for counting.

        Raises:
            ConfigError: A rules file cannot be read or used; says where and why.
        """
        self._ignored = config.ignore_rules
        self._folders = () if config.ignore_rules else tuple(layer.folder for layer in config.layers)
        self._home = config.codex_home
        self._workbench = workbench
        self._book: RuleBook | None = None
        self._projects = tuple(layer.folder for layer in config.layers if layer.kind == "project")
        self._confirmed = config.confirmed
        self.problems: tuple[str, ...] = ()
        """One sentence for each file of a project that does not count in full."""
        self._read()

    def _read(self) -> None:
        self._book = None
        self.problems = ()
        if any(rule_paths(folder) for folder in self._folders):
            from codex_kernel.policy.rule_book import load_rules

            self._book = load_rules(self._folders, self._counts_in_full)

    def _counts_in_full(self, path: Path, text: str) -> bool:
        if path.parent.parent not in self._projects or self._confirmed.holds(path, text):
            return True
        why = self._confirmed.why_not(path)
        self.problems += (f"What {path} allows is not obeyed, because it {why}; {REMEDY}.",)
        return False

    @property
    def user_file(self) -> Path:
        """Where rules are added."""
        return self._home / _USER_FILE

    def questioned(self) -> tuple[Rules, Callable[[], None]]:
        """The rules for one question, and what is called after it to count those that spoke."""
        if self._book is None or not self._book.rules:
            return NoRules(), _nothing
        from codex_kernel.policy.rule_book import Noting
        from codex_kernel.policy.rule_hits import RuleHits

        noting = Noting(self._book)
        return noting, lambda: RuleHits(self._workbench).add(noting.spoke)

    def suggest(self, argv: Argv, ask: Ask, items: Sequence[Item]) -> tuple[RuleSuggestion, ...]:
        """Rules to offer with a question; none where one would not help, because something else asked too."""
        if self._ignored or ask.by not in ("policy", "sandbox") or ask.consent:
            return ()
        from codex_kernel.core.commands_so_far import commands_so_far
        from codex_kernel.policy.rule_suggestions import suggestions

        return suggestions(argv, self._book or _empty_book(), commands_so_far(items))

    def preview(self, prefixes: Sequence[Argv], items: Sequence[Item]) -> tuple[str, ...]:
        """Which of the thread's commands so far rules for these words would have let run."""
        from codex_kernel.core.commands_so_far import commands_so_far
        from codex_kernel.policy.rule_suggestions import would_allow

        named = [prefix for prefix in prefixes if prefix]
        return would_allow(named, self._book or _empty_book(), commands_so_far(items)) if named else ()

    def listed(self) -> RulesListed:
        """The rules, with how often each spoke."""
        from codex_kernel.policy.rule_hits import Hits, RuleHits

        hits = RuleHits(self._workbench).read()
        rules: list[ListedRule] = []
        for rule in self._book.rules if self._book is not None else ():
            hit = hits.get(rule.key, Hits(0, ""))
            rules.append(
                ListedRule(
                    pattern=rule.pattern,
                    decision=rule.decision,
                    justification=rule.justification,
                    file=rule.path,
                    line=rule.line,
                    hits=hit.times,
                    last_hit=hit.last or None,
                )
            )
        return RulesListed(rules=tuple(rules), user_file=str(self.user_file))

    def add(self, amendments: Sequence[RuleAmendment], answer: ReviewDecision | None = None) -> tuple[str, ...]:
        """Append rules to the user's file; they count at once.

        Args:
            amendments: What a person asked for.
            answer: Of the approval they came with: an approved command cannot be forbidden with it, nor a denied
                one allowed.

        Returns:
            The lines that were added; what was there already is not.

        Raises:
            ConfigError: A rule contradicts `answer` or is refused, or the file cannot be changed; nothing is changed.
        """
        from codex_kernel.policy.rule_edit import append_rules, rule_of

        if self._ignored:
            raise ConfigError("rules do not count in this thread (--ignore-rules), so none is added from it")
        contradiction = None if answer is None else "forbidden" if answer in _APPROVED else "allow"
        if any(amendment.decision == contradiction for amendment in amendments):
            raise ConfigError(f"a rule with the decision {contradiction} contradicts the answer '{answer}'")
        added = append_rules(self.user_file, [rule_of(amendment) for amendment in amendments])
        self._read()
        return tuple(rule.text for rule in added)

    def remove(self, file: str, line: int, pattern: tuple[Argv, ...]) -> str:
        """Take a rule out of one of the user's own files; it counts no longer, at once. Returns its line.

        Raises:
            ConfigError: It is not the user's, is not there (any more), or has to be removed by hand.
        """
        from codex_kernel.policy.rule_edit import remove_rule

        path = Path(file)
        if path not in rule_paths(self._home):
            raise ConfigError(f"{file} is none of your own rules files ({self.user_file.parent}); edit it by hand")
        rules = self._book.rules if self._book is not None else ()
        if not any((rule.path, rule.line, rule.pattern) == (file, line, pattern) for rule in rules):
            raise ConfigError(f"{file}:{line}: the rule is not there any more; list the rules again")
        removed = remove_rule(path, line, pattern)
        self._read()
        return removed.text


def _empty_book() -> RuleBook:
    from codex_kernel.policy.rule_book import RuleBook

    return RuleBook()


def _nothing() -> None:
    return
