"""Which variables a command sees: the user's policy, then what the sandbox says about itself.

Source: spec/tools.md section 5. Patterns ignore case; `*` is any run, `?` one character, and the whole name must match.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from codex_kernel.config.types import ShellEnvironmentPolicy
from codex_protocol.policy import SandboxPolicy, has_network

_CORE = ("HOME", "LOGNAME", "PATH", "SHELL", "USER", "USERNAME", "TMPDIR", "TEMP", "TMP")
_SECRETS = ("*KEY*", "*SECRET*", "*TOKEN*")
_PLAIN = {"TERM": "dumb", "NO_COLOR": "1", "PAGER": "cat", "GIT_PAGER": "cat", "GH_PAGER": "cat"}
"""Who reads it is no person: a pager would wait for a key, colours cost tokens and say nothing."""
_FOR_EYES = ("COLORTERM", "FORCE_COLOR", "CLICOLOR_FORCE", "MANPAGER", "SYSTEMD_PAGER")
"""Would win over those."""
NETWORK_DISABLED = "CODEX_SANDBOX_NETWORK_DISABLED"
SANDBOX_KIND = "CODEX_SANDBOX"


def command_environment(policy: ShellEnvironmentPolicy, env: Mapping[str, str]) -> dict[str, str]:
    """The variables of `env` that `policy` lets through, and those it sets."""
    if policy.inherit == "none":
        chosen: dict[str, str] = {}
    elif policy.inherit == "core":
        chosen = {name: env[name] for name in _CORE if name in env}
    else:
        chosen = dict(env)
    if not policy.ignore_default_excludes:
        chosen = {name: value for name, value in chosen.items() if not _any_matches(_SECRETS, name)}
    if policy.exclude:
        chosen = {name: value for name, value in chosen.items() if not _any_matches(policy.exclude, name)}
    chosen.update(policy.set)
    if policy.include_only:
        chosen = {name: value for name, value in chosen.items() if _any_matches(policy.include_only, name)}
    return chosen


def model_environment(policy: ShellEnvironmentPolicy, env: Mapping[str, str]) -> dict[str, str]:
    """As `command_environment`, for a command whose output a model reads; what `policy` sets stays as it is."""
    chosen = command_environment(policy, env)
    for name in _FOR_EYES:
        if name not in policy.set:
            chosen.pop(name, None)
    chosen.update((name, value) for name, value in _PLAIN.items() if name not in policy.set)
    return chosen


def sandbox_variables(policy: SandboxPolicy, *, seatbelt: bool = False) -> dict[str, str]:
    """What tells a command how it is confined."""
    variables: dict[str, str] = {}
    if not has_network(policy):
        variables[NETWORK_DISABLED] = "1"
    if seatbelt:
        variables[SANDBOX_KIND] = "seatbelt"
    return variables


def _any_matches(patterns: tuple[str, ...], name: str) -> bool:
    return any(_expression(pattern).fullmatch(name) for pattern in patterns)


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    translated = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.compile(translated, re.IGNORECASE | re.DOTALL)
