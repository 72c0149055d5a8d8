"""Rules to offer for "always allow": of several breadths, with what each would have let run before.

Source: spec/execpolicy-and-hooks.md section 1.6, "Proposed amendment"; the banned list goes beyond it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from codex_kernel.policy.rule_book import RuleBook
from codex_kernel.policy.rules_file import PrefixRule
from codex_kernel.policy.ruling import allowed_by_rules
from codex_kernel.policy.shell_plain import plain_commands
from codex_kernel.policy.shell_script import script_of
from codex_kernel.policy.side_doors import RUNNERS
from codex_protocol.rules import RuleSuggestion

Argv = tuple[str, ...]
MAX_WORDS = 12
MAX_CHARACTERS = 300
"""Of a command that is offered word for word."""
_MAX_SEGMENTS = 4
_MAX_BREADTHS = 4
_SUBCOMMAND = re.compile(r"[A-Za-z][A-Za-z0-9_:-]{0,40}")
_BANNED = frozenset(
    {"py", "pypy", "node", "nodejs", "deno", "bun", "perl", "ruby", "php", "lua", "osascript", "awk", "gawk", "mawk"}
    | {"bash", "sh", "zsh", "dash", "ksh", "fish", "pwsh", "powershell", "eval", "source", "exec", "command"}
    | {"git", "env", "sudo", "doas", "su", "ssh", "xargs", "nohup", "timeout", "npx", "bunx", "uvx", "pipx"}
    | {"rm", "dd", "chmod", "chown", "kill", "docker", "podman", "kubectl"}
)
_BANNED_VERSIONS = re.compile(r"(python|pypy|perl|ruby|php|lua|node)[0-9.]*")


def is_banned(prefix: Sequence[str]) -> bool:
    """Whether a rule for these words would let anything run: an interpreter or wrapper without what it runs."""
    if not prefix:
        return True
    name = prefix[0].rsplit("/", 1)[-1]
    operands = [word for word in prefix[1:] if not word.startswith("-")]
    if len(operands) == 1 and operands[0] in RUNNERS.get(name, ()):
        return True
    return not operands and (name in _BANNED or _BANNED_VERSIONS.fullmatch(name) is not None)


def allow_rules(prefixes: Sequence[Argv]) -> tuple[PrefixRule, ...]:
    """Rules that allow commands beginning with these words."""
    return tuple(PrefixRule(pattern=tuple((word,) for word in prefix), decision="allow") for prefix in prefixes)


def suggestions(argv: Argv, book: RuleBook, earlier: Sequence[Argv] = ()) -> tuple[RuleSuggestion, ...]:
    """What to offer for a command that waits for an answer, narrowest first; every one of them would let it run.

    Args:
        argv: The command as it would run.
        book: The rules there are.
        earlier: The thread's commands so far, to tell what else would have run.
    """
    found: dict[tuple[Argv, ...], None] = {}
    for prefixes in _candidates(argv, book):
        if prefixes and allowed_by_rules(argv, book.with_rules(allow_rules(prefixes))):
            found.setdefault(prefixes)
    return tuple(
        RuleSuggestion(prefixes=prefixes, would_allow=would_allow(prefixes, book, earlier)) for prefixes in found
    )[:_MAX_BREADTHS]


def would_allow(prefixes: Sequence[Argv], book: RuleBook, commands: Sequence[Argv]) -> tuple[str, ...]:
    """Which of some commands rules for these words would let run that no rule lets run now, as shell lines."""
    wider = book.with_rules(allow_rules(prefixes))
    allowed = [
        command
        for command in dict.fromkeys(commands)
        if not allowed_by_rules(command, book) and allowed_by_rules(command, wider)
    ]
    return tuple(shown(command) for command in allowed)


def shown(argv: Argv) -> str:
    """A command as a person types it: the script alone where there is one."""
    script = script_of(argv)
    return script if script is not None else shlex.join(argv)


def _candidates(argv: Argv, book: RuleBook) -> list[tuple[Argv, ...]]:
    script = script_of(argv)
    segments = [argv] if script is None else plain_commands(script)
    if segments is None:  # only this very script can be allowed
        return [(argv,)] if _is_short(argv) else []
    needed = [segment for segment in dict.fromkeys(segments) if not allowed_by_rules(segment, book)]
    if not needed or len(needed) > _MAX_SEGMENTS:
        return []
    breadths = [_breadths(segment) for segment in needed]
    if not all(breadths):
        return []
    most = max(map(len, breadths))
    return [tuple(choices[min(step, len(choices) - 1)] for choices in breadths) for step in range(most)]


def _breadths(command: Argv) -> list[Argv]:
    """Beginnings of a command, longest first; none of them banned."""
    leading = 1
    while leading < min(len(command), 3) and _SUBCOMMAND.fullmatch(command[leading]):
        leading += 1
    found = [command] if _is_short(command) else []
    found += [command[:length] for length in range(leading, 0, -1)]
    return [prefix for prefix in dict.fromkeys(found) if not is_banned(prefix)]


def _is_short(command: Argv) -> bool:
    return len(command) <= MAX_WORDS and sum(map(len, command)) <= MAX_CHARACTERS
