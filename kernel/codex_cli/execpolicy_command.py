"""`codex execpolicy check`: what some rules files say about one command, as JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from codex_cli.log_setup import configure_logging
from codex_cli.parser import CommandLineError, Parsed
from codex_kernel.policy.rule_book import Match, RuleBook, verdict_of
from codex_kernel.policy.rules_file import read_rules


def run_execpolicy_command(parsed: Parsed) -> int:
    """Always 0: the answer is on stdout. Shells are not looked into.

    Raises:
        CommandLineError: No rules file, or no command.
        ConfigError: A rules file cannot be used; says where.
    """
    configure_logging(os.environ)
    files = parsed.many("rules")
    if not files:
        raise CommandLineError("'codex execpolicy check' needs --rules FILE", parsed.chain)
    if not parsed.words:
        raise CommandLineError("'codex execpolicy check' needs COMMAND", parsed.chain)
    book = RuleBook([read_rules(Path(file)) for file in files])
    matches = book.matches(parsed.words, by_name=parsed.flag("resolve_host_executables"))
    answer: dict[str, Any] = {"matchedRules": [{"prefixRuleMatch": _shown(match)} for match in matches]}
    verdict = verdict_of(matches)
    if verdict is not None:
        answer["decision"] = verdict.decision
    indent, separators = (2, None) if parsed.flag("pretty") else (None, (",", ":"))
    sys.stdout.write(json.dumps(answer, ensure_ascii=False, indent=indent, separators=separators) + "\n")
    sys.stdout.flush()
    return 0


def _shown(match: Match) -> dict[str, Any]:
    shown: dict[str, Any] = {"matchedPrefix": list(match.prefix), "decision": match.rule.decision}
    if match.resolved is not None:
        shown["resolvedProgram"] = match.resolved
    if match.rule.justification is not None:
        shown["justification"] = match.rule.justification
    return shown
