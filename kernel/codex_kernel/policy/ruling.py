"""What the rules say about a whole command: its script, its segments and what its wrappers run.

Source: spec/execpolicy-and-hooks.md sections 1.3 and 1.4. Stricter than there: a rule that forbids or prompts also
counts for commands in substitutions, loops and behind wrappers.
"""

from __future__ import annotations

from codex_kernel.policy.rules import NoRules, Rules, RuleVerdict
from codex_kernel.policy.shell_plain import plain_words
from codex_kernel.policy.shell_script import script_of
from codex_kernel.policy.shell_syntax import Word
from codex_kernel.policy.shell_walk import FoundCommand
from codex_kernel.policy.side_doors import may_have_side_doors, side_doors
from codex_kernel.policy.wrappers import command_of, unwrap, unwrap_all

_STRICTNESS = {"allow": 0, "prompt": 1, "forbidden": 2}


def ruling(argv: tuple[str, ...], rules: Rules) -> RuleVerdict | None:
    """The strictest verdict over the command and everything it is seen to run; None when no rule matches.

    `allow` here only says that some part is allowed: `allowed_by_rules` tells whether all is.
    """
    if isinstance(rules, NoRules):
        return None
    commands, _ = unwrap_all(command_of(argv))
    verdicts = [verdict for command in commands if command.argv and (verdict := rules.check(command.argv)) is not None]
    return max(verdicts, key=lambda verdict: _STRICTNESS[verdict.decision], default=None)


def is_hidden_from_rules(argv: tuple[str, ...], rules: Rules) -> bool:
    """Whether it cannot be told that no rule that asks or forbids speaks about something the command runs."""
    return rules.restricts and not unwrap_all(command_of(argv))[1]


def allowed_by_rules(argv: tuple[str, ...], rules: Rules) -> bool:
    """Whether every segment of the command is allowed by a rule, so that it may leave the sandbox."""
    if isinstance(rules, NoRules):
        return False
    script = script_of(argv)
    if script is None:
        return _allowed(command_of(argv), rules)
    segments = plain_words(script)
    if segments is None:
        verdict = rules.check(argv)
        return verdict is not None and verdict.decision == "allow" and len(verdict.prefix) == len(argv)
    return all(_allowed(FoundCommand(words), rules) for words in segments)


def _allowed(command: FoundCommand, rules: Rules) -> bool:
    if any(_may_be_an_option(word) for word in command.words):
        return False
    verdict = rules.check(command.argv)
    allowed = (
        verdict is not None
        and verdict.decision == "allow"
        and all(door < len(verdict.prefix) for door in side_doors(command.argv))
    )
    unwrapped = unwrap(command)
    if unwrapped is None:
        return allowed
    if any(inner.more and may_have_side_doors(inner.command.argv[0]) for inner in unwrapped.inner):
        return False  # `echo --pre=PROGRAM | xargs rg`
    if verdict is not None and allowed:
        starts = [inner.start for inner in unwrapped.inner]
        # The rule names the program that is run, not just the wrapper.
        if unwrapped.complete and starts and all(start is not None and start < len(verdict.prefix) for start in starts):
            return True
        if len(verdict.prefix) == len(command.words):
            return True
    return (
        unwrapped.complete
        and bool(unwrapped.inner)
        and all(inner.faithful and _allowed(inner.command, rules) for inner in unwrapped.inner)
    )


def _may_be_an_option(word: Word) -> bool:
    """A wildcard in front may stand for a file whose name begins with a dash."""
    return word.pattern is not None and word.pattern[0] in "*?["
