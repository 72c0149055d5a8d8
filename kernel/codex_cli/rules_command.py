"""`codex rules list|add|remove`: the command rules that count in a directory, and the user's own ones edited."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from codex_cli.log_setup import configure_logging
from codex_cli.parser import CommandLineError, Parsed
from codex_kernel.config.directory import current_directory
from codex_kernel.config.load import Flags, load_config
from codex_kernel.core.thread_rules import ThreadRules
from codex_protocol.errors import ConfigError
from codex_protocol.rules import RuleAmendment, RuleDecision
from codex_store.home import find_home

if TYPE_CHECKING:
    from codex_protocol.rules import ListedRule


def run_rules_command(parsed: Parsed) -> int:
    """The exit code: 0, also when a rule was there already.

    Raises:
        CommandLineError: No words for a rule.
        ConfigError: A rules file cannot be used or changed, or there is no such rule.
    """
    configure_logging(os.environ)
    home = find_home()
    config = load_config(
        home=home,
        cwd=current_directory(_directory(parsed)),
        overrides=parsed.many("config"),
        flags=Flags(cd=_directory(parsed)),
    )
    rules = ThreadRules(config, home.workbench)
    match parsed.path[-1]:
        case "add":
            return _add(parsed, rules)
        case "remove":
            return _remove(parsed, rules)
        case _:
            return _list(parsed, rules)


def _list(parsed: Parsed, rules: ThreadRules) -> int:
    listed = rules.listed()
    if parsed.flag("json"):
        return say(json.dumps([msgspec.to_builtins(rule) for rule in listed.rules], ensure_ascii=False, indent=2))
    if not listed.rules:
        return say(f"No rules count here. 'codex rules add WORD...' writes one into {listed.user_file}.")
    for rule in listed.rules:
        used = f"used {rule.hits} times, last {rule.last_hit}" if rule.hits else "not used yet"
        why = f"  ({rule.justification})" if rule.justification else ""
        say(f"{rule.decision:<9} {_words(rule)}{why}\n          {rule.file}:{rule.line}, {used}")
    return 0


def _words(rule: ListedRule) -> str:
    return " ".join("|".join(map(shlex.quote, allowed)) for allowed in rule.pattern)


def _add(parsed: Parsed, rules: ThreadRules) -> int:
    if not parsed.words:
        raise CommandLineError("'codex rules add' needs the words that commands begin with", parsed.chain)
    decision = cast("RuleDecision", parsed.one("decision") or "allow")
    amendment = RuleAmendment(prefix=tuple(parsed.words), decision=decision, justification=parsed.one("justification"))
    added = rules.add([amendment])
    if parsed.flag("json"):
        return say(json.dumps({"file": str(rules.user_file), "added": list(added)}, ensure_ascii=False))
    if not added:
        return say(f"{rules.user_file} has this rule already.")
    say(f"Added to {rules.user_file}: {added[0]}")
    if decision == "allow":
        say("Commands that begin like this now run without a question and outside the sandbox.")
    return 0


def _remove(parsed: Parsed, rules: ThreadRules) -> int:
    place = parsed.one("at")
    if (place is None) == (not parsed.words):
        raise CommandLineError("'codex rules remove' needs the rule's words, or --at FILE:LINE", parsed.chain)
    listed = [rule for rule in rules.listed().rules if Path(rule.file).parent == rules.user_file.parent]
    if place is not None:
        found = [rule for rule in listed if f"{rule.file}:{rule.line}" == place]
    else:
        pattern = tuple((word,) for word in parsed.words)
        found = [rule for rule in listed if rule.pattern == pattern]
    if not found:
        what = place or " ".join(parsed.words)
        raise ConfigError(f"none of your own rules is {what}; 'codex rules list' shows them")
    removed: list[dict[str, Any]] = []
    for rule in sorted(found, key=lambda rule: rule.line, reverse=True):
        text = rules.remove(rule.file, rule.line, rule.pattern)
        removed.append({"file": rule.file, "line": rule.line, "rule": text})
    if parsed.flag("json"):
        return say(json.dumps(removed, ensure_ascii=False))
    for entry in removed:
        say(f"Removed from {entry['file']}: {entry['rule']}")
    return 0


def _directory(parsed: Parsed) -> Path | None:
    given = parsed.one("cd")
    return Path(given) if given is not None else None


def say(text: str) -> int:
    """Print a text to stdout; 0."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    return 0
